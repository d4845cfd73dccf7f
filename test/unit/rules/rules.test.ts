import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { loadFeatures } from '../../../src/config/definitions.ts'
import { assertTestsPass, failuresOf, loadRules, rulesOf } from '../../../src/config/rules-file.ts'
import type { Transaction } from '../../../src/core/types.ts'
import type { RuleFacts } from '../../../src/core/verdict.ts'

const world = { features: ['amount', 'night'], parts: ['champion'] }
const head = 'version: 1.0.0\nrules:\n'
const rule = (more: string, id = 'a') =>
  `  - { id: ${id}, version: 1, when: 'feature.amount > 10', reason: { code: A, text: a }, ${more} }\n`

const day = (text: string) => Date.parse(text)
function facts(fields: Partial<Transaction>, amount = 20): RuleFacts {
  return {
    transaction: { event_time: 0, channel: 'pos', country: null, ...fields } as Transaction,
    features: Buffer.from(Float32Array.of(amount, Number.NaN).buffer),
    score: 0.5,
    riskScore: 500,
    parts: [],
    lists: [],
  }
}

describe('a rules file', () => {
  const rules = rulesOf(
    'text',
    head +
      rule('adjust: 5', 'all') +
      rule('outcome: review, scope: { channel: [pos, atm], country: [DE] }', 'german') +
      rule('outcome: decline, from: 2026-01-02, until: 2026-01-04', 'january'),
    world,
  )
  const hits = (fields: Partial<Transaction>, amount?: number) =>
    rules.hits(facts(fields, amount)).map(({ id }) => id)

  it.each(['SCORE', 'ENTITY_VALUES_STALE', 'DEGRADED', 'DEGRADED_MODEL', 'DENY_LISTED'])(
    "gives no reason that is weir's own: %s",
    (code) => {
      const own = rule('adjust: 5').replace('code: A', `code: ${code}`)
      expect(() => rulesOf('text', head + own, world)).toThrow(`reason.code ${code} is what weir says`)
    },
  )

  it('hits in the order of the file', () => {
    expect(hits({ channel: 'atm', country: 'DE', event_time: day('2026-01-03') })).toEqual([
      'all',
      'german',
      'january',
    ])
    expect(hits({}, 5)).toEqual([])
  })

  it('limits a rule to its scope', () => {
    expect(hits({ channel: 'ecommerce', country: 'DE' })).toEqual(['all'])
    expect(hits({ channel: 'pos', country: 'FR' })).toEqual(['all'])
    expect(hits({ channel: 'pos', country: null })).toEqual(['all'])
  })

  it('limits a rule to its days of event time, the last left out', () => {
    expect(hits({ event_time: day('2026-01-01T23:59:59.999Z') })).toEqual(['all'])
    expect(hits({ event_time: day('2026-01-02') })).toEqual(['all', 'january'])
    expect(hits({ event_time: day('2026-01-03T23:59:59.999Z') })).toEqual(['all', 'january'])
    expect(hits({ event_time: day('2026-01-04') })).toEqual(['all'])
  })

  it('leaves out a rule that is snoozed, and asks for those that hold only', () => {
    const asked: string[] = []
    const silenced = rules.silencedBy((rule) => asked.push(rule) > 0 && rule === 'all')
    const found = silenced.hits(facts({ channel: 'pos', country: 'DE' }))
    expect(found.map(({ id }) => id)).toEqual(['german'])
    expect(asked).toEqual(['all', 'german'])
    expect(silenced.id).toBe(rules.id)
  })

  it('tells what a rule that holds does', () => {
    const [all, german] = rules.hits(facts({ country: 'DE' }))
    expect(all).toEqual({
      id: 'all',
      outcome: null,
      adjust: 5,
      priority: 0,
      reason: { code: 'A', text: 'a' },
    })
    expect(german?.outcome).toBe('review')
  })

  it('reads vectors wherever their bytes lie', () => {
    const { features, ...rest } = facts({})
    const shifted = Buffer.concat([Buffer.alloc(1), features]).subarray(1)
    expect(rules.hits({ ...rest, features: shifted }).map(({ id }) => id)).toEqual(['all'])
  })

  it('has an id of its content, whatever its layout', () => {
    const one = rulesOf('text', head + rule('adjust: 5'), world).id
    expect(one).toMatch(/^1\.0\.0#[0-9a-f]{8}$/)
    expect(rulesOf('text', `# why\n${head}${rule('adjust:    5')}`, world).id).toBe(one)
    expect(rulesOf('text', head + rule('adjust: 6'), world).id).not.toBe(one)
  })

  it('names each mistake, its rule and the nearest right name', () => {
    const text = `${head}${rule('adjust: 5', 'good')}${rule('adjust: 5', 'bad').replace('amount >', 'amuont >')}`
    const said = () => rulesOf('my.yaml', text, world)
    expect(said).toThrow(
      'my.yaml: rules.1 (bad).when at 1:1: there is no "feature.amuont"; did you mean feature.amount?',
    )
  })

  it.each([
    ['adjust: 5, outcome: review', 'rules.0 (a) needs either an outcome or an adjust'],
    ['tags: []', 'rules.0 (a) needs either an outcome or an adjust'],
    ['outcome: reviw', 'did you mean review?'],
    ['outcme: review', 'has no key "outcme"; did you mean outcome?'],
    ['adjust: 5, from: 2026-02-30', 'from must be a day'],
    ['adjust: 5, from: 2026-02-03, until: 2026-02-03', 'until must be after `from`'],
    ['adjust: 5, scope: { chanel: [pos] }', 'has no key "chanel"; did you mean channel?'],
    ['adjust: 5, scope: { channel: [poss] }', 'did you mean pos?'],
    ['adjust: 5, tests: [{ given: { feature.amuont: 3 }, expect: hit }]', 'did you mean feature.amount?'],
    ['adjust: 5, tests: [{ given: { feature.amount: x }, expect: hit }]', '"feature.amount" is a number'],
  ])('%s: %s', (more, said) => {
    expect(() => rulesOf('text', head + rule(more), world)).toThrow(said)
  })

  it('refuses two rules of one id', () => {
    expect(() => rulesOf('text', head + rule('adjust: 5') + rule('adjust: 6'), world)).toThrow(
      'must differ in id',
    )
  })

  it('runs the tests beside the rules', () => {
    const tests = 'tests: [{ given: { feature.amount: 11 }, expect: hit }, { given: {}, expect: hit }]'
    const rules = rulesOf('text', head + rule(`adjust: 5, ${tests}`), world)
    expect(failuresOf(rules, world)).toEqual([{ rule: 'a', test: 1, given: {}, expected: 'hit' }])
    expect(() => assertTestsPass('my.yaml', rules, world)).toThrow('my.yaml: a, test 2: should hit on {}')
  })
})

describe('rules/example.yaml', () => {
  const path = 'rules/example.yaml'
  const world = { features: loadFeatures('features.yaml').names, parts: ['champion'] }

  it('passes its own tests, a hit and a miss for each rule', () => {
    const rules = loadRules(path, world)
    assertTestsPass(path, rules, world)
    for (const { tests } of rules.file.rules) {
      expect(new Set(tests.map(({ expect }) => expect))).toEqual(new Set(['hit', 'miss']))
    }
  })

  it('fails them when a threshold moves', () => {
    const text = readFileSync(path, 'utf8').replace(
      'customer_merchants_1h >= 3',
      'customer_merchants_1h >= 4',
    )
    expect(failuresOf(rulesOf(path, text, world), world).map(({ rule }) => rule)).toEqual(['card-testing'])
  })
})
