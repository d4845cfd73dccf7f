import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { parse } from 'yaml'
import { loadFeatures, loadPolicy } from '../../../src/config/definitions.ts'
import { exemptionThreshold } from '../../../src/core/sca-policy.ts'

const page = readFileSync('docs/policy.md', 'utf8')
const folder = mkdtempSync(join(tmpdir(), 'weir-policy-docs-'))
const features = loadFeatures('features.yaml')
afterAll(() => rmSync(folder, { recursive: true }))

const load = (text: string) => {
  const path = join(folder, 'policy.yaml')
  writeFileSync(path, `extends: ${relative(folder, 'policy.yaml')}\n${text}`)
  return loadPolicy(path, features)
}

const examples = [...page.matchAll(/```yaml\n(.*?)```/gs)].map(([, text = '']) => text)

test.each(examples)('an example is a policy with policy.yaml around it: %s', (text) => {
  expect(load(text).file).toMatchObject(parse(text) as object)
})

test('the page has a row for every key of a policy', () => {
  const { file } = load(examples.slice(0, -1).join('\n'))
  const keys = [...page.matchAll(/^\| `([a-z_]+)` \|/gm)].map(([, key]) => key)
  expect(keys).toEqual(expect.arrayContaining(Object.keys(file)))
  expect(Object.keys(file)).toEqual(expect.arrayContaining(['segments', 'sca']))
})

test('the annex is written as it is applied', () => {
  const rows = [...page.matchAll(/^\| (\d+) \| ([\d.]+) % \| ([\d.]+) % \|$/gm)].map((row) =>
    row.slice(1).map(Number),
  )
  expect(rows).toHaveLength(3)
  for (const [most = 0, card = 0, transfer = 0] of rows) {
    // A little above, the next band holds.
    expect(exemptionThreshold('card', Number((card / 100).toPrecision(6)))).toBe(most)
    expect(exemptionThreshold('card', card / 100 + 1e-7)).toBeLessThan(most)
    expect(exemptionThreshold('transfer', Number((transfer / 100).toPrecision(6)))).toBe(most)
    expect(exemptionThreshold('transfer', transfer / 100 + 1e-7)).toBeLessThan(most)
  }
})

test('the mistake that it shows is told so', () => {
  const [, told = ''] = /^`policy\.yaml: (.*)`$/m.exec(page) ?? []
  const wrong =
    'segments: [{ name: online, when: { chanel: [pos] }, thresholds: { challenge: 1, review: 2, decline: 3 } }]'
  expect(() => load(wrong)).toThrow(told)
})
