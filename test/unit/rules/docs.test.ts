import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { createCelReader } from '../../../src/config/cel.ts'
import { loadFeatures } from '../../../src/config/definitions.ts'
import { assertTestsPass, failuresOf, rulesOf } from '../../../src/config/rules-file.ts'
import { ruleNames } from '../../../src/core/rules/names.ts'

const docs = readFileSync('docs/rules.md', 'utf8')
const world = { features: loadFeatures('features.yaml').names, parts: ['champion'] }
const unescaped = (cell: string) => cell.replaceAll('\\|', '|')

const conditions = [...docs.matchAll(/^\| `(.+?)` \| `(\{.*\})` \| (hit|miss) \|$/gm)].map(
  ([, when = '', given = '', expected = '']) => ({ when: unescaped(when), given, expect: expected }),
)
const mistakes = [...docs.matchAll(/^\| `(.+?)` \| `(at \d.*)` \|$/gm)].map(([, when = '', said = '']) => [
  unescaped(when),
  unescaped(said),
])

describe('docs/rules.md', () => {
  it('has a rules file that passes its tests', () => {
    const [, text = ''] = /```yaml\n([\s\S]*?)```/.exec(docs) ?? []
    const rules = rulesOf('docs/rules.md', text, world)
    expect(rules.file.rules).toHaveLength(2)
    assertTestsPass('docs/rules.md', rules, world)
  })

  it('has many examples', () => expect([conditions.length, mistakes.length]).toEqual([17, 5]))

  it.each(conditions)('$when of $given is a $expect', ({ when, given, expect: expected }) => {
    const rule = {
      id: 'example',
      version: 1,
      when,
      adjust: 0,
      reason: { code: 'A', text: 'a' },
      tests: [{ given: JSON.parse(given), expect: expected }],
    }
    const rules = rulesOf('docs/rules.md', JSON.stringify({ version: '1', rules: [rule] }), world)
    expect(failuresOf(rules, world)).toEqual([])
  })

  it.each(mistakes)('of %s weir says %s', (when = '', said) => {
    expect(createCelReader(ruleNames(world.features, world.parts)).read(when)).toBe(said)
  })
})
