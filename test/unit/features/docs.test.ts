import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import {
  customerFacts,
  entityAggregates,
  rememberedFields,
  sequenceChannels,
  transactionValues,
  windowAggregates,
} from '../../../src/core/features/definition.ts'
import { shipped } from '../../helpers/feature-values.ts'

const root = join(import.meta.dirname, '../../..')
const docs = readFileSync(join(root, 'docs/features.md'), 'utf8')
const [contract = '', syntax = ''] = docs.split(/^## The feature file$/m)

/** The numbered lines, each with the test that it names in italics at its end. */
const lines = [...contract.matchAll(/^(\d+)\. [\s\S]*?\*([^*]+)\*$/gm)].map(([, number, name = '']) => ({
  number: Number(number),
  name: name.replaceAll(/\s+/g, ' '),
}))

const titles = globSync('test/unit/**/*.test.ts', { cwd: root }).flatMap((file) =>
  [...readFileSync(join(root, file), 'utf8').matchAll(/\b(?:test|describe)\(\s*(['"])(.*?)\1,/g)].map(
    ([, , title]) => title,
  ),
)

test('every line of the contract names a test that exists', () => {
  expect(lines.length).toBeGreaterThan(40)
  expect(lines.map(({ number }) => number)).toEqual(lines.map((_, i) => i + 1))
  expect(contract.match(/^\d+\. /gm)).toHaveLength(lines.length)
  for (const { name } of lines) expect(titles).toContain(name)
})

test('the table is that of features.yaml', () => {
  const rows = [...docs.matchAll(/^\| (\d+) \| `(\w+)` \| (\w+) \| (.*) \|$/gm)].map(
    ([, number, name, entity, description]) => ({ number: Number(number), name, entity, description }),
  )
  expect(rows).toEqual(
    shipped.file.features.map(({ name, entity, description }, number) => ({
      number,
      name,
      entity,
      description,
    })),
  )
})

test('every aggregate, value, fact and field is explained', () => {
  const words = [
    ...windowAggregates,
    ...entityAggregates,
    ...transactionValues,
    ...customerFacts,
    ...rememberedFields,
    ...sequenceChannels,
  ]
  for (const word of words) expect(syntax).toContain(`\`${word}\``)
})
