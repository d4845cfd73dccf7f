import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createCelReader } from '../../../src/config/cel.ts'
import { compileCondition, type RuleInput } from '../../../src/core/rules/closures.ts'
import { listBit, ruleNames, transactionFields } from '../../../src/core/rules/names.ts'
import type { Transaction } from '../../../src/core/types.ts'

const names = ruleNames(['customer_count_10m', 'amount', 'geo_speed'], ['champion', 'anomaly'])
const reader = createCelReader(names)

/** What is known of a payment, by the names of CEL; all else is missing. */
type Known = Readonly<Record<string, string | number | boolean>>

function inputOf(known: Known): RuleInput {
  const fields = Object.keys(transactionFields).map((field) => [field, known[`transaction.${field}`] ?? null])
  const number = (name: string) => Number(known[name] ?? Number.NaN)
  return {
    transaction: Object.fromEntries(fields) as Transaction,
    features: Float32Array.from(
      ['feature.customer_count_10m', 'feature.amount', 'feature.geo_speed'].map(number),
    ),
    score: number('score'),
    riskScore: number('risk_score'),
    parts: ['part.champion', 'part.anomaly'].map(number),
    listed: known['listed.watch.device'] === true ? listBit('watch', 'device') : 0,
  }
}

function holds(text: string, known: Known): boolean {
  const tree = reader.read(text)
  if (typeof tree === 'string') throw new Error(`${text}: ${tree}`)
  return compileCondition(tree)(inputOf(known))
}

describe('conditions', () => {
  it.each<[string, Known, boolean]>([
    ['feature.customer_count_10m >= 3', { 'feature.customer_count_10m': 3 }, true],
    ['feature.customer_count_10m >= 3', { 'feature.customer_count_10m': 2 }, false],
    ['feature.amount == 3 && 3 == feature.amount', { 'feature.amount': 3 }, true],
    ['feature.amount in [1, 2]', { 'feature.amount': 2 }, true],
    ['feature.amount in [-1.5, 2.5]', { 'feature.amount': -1.5 }, true],
    ['transaction.country in ["DE", "FR"]', { 'transaction.country': 'FR' }, true],
    ['transaction.country in ["DE", "FR"]', { 'transaction.country': 'IT' }, false],
    ['!(transaction.country in ["DE"])', { 'transaction.country': 'IT' }, true],
    ['transaction.amount_minor % 10000 == 0', { 'transaction.amount_minor': 20_000 }, true],
    ['transaction.amount_minor / 100 == 2', { 'transaction.amount_minor': 299 }, true],
    ['transaction.amount_minor / 100.0 == 2.5', { 'transaction.amount_minor': 250 }, true],
    ['feature.amount * 2 > score + 1', { 'feature.amount': 1, score: 0.5 }, true],
    ['-feature.amount < -1', { 'feature.amount': 2 }, true],
    ['transaction.description.contains("gift")', { 'transaction.description': 'a gift card' }, true],
    ['transaction.merchant_name.startsWith("A")', { 'transaction.merchant_name': 'Atlas' }, true],
    ['transaction.merchant_name.endsWith("A")', { 'transaction.merchant_name': 'Atlas' }, false],
    [
      'transaction.customer_id == transaction.counterparty_id',
      { 'transaction.customer_id': 'c', 'transaction.counterparty_id': 'c' },
      true,
    ],
    ['risk_score >= 500 || part.anomaly > 0.9', { risk_score: 100, 'part.anomaly': 0.95 }, true],
    ['part.champion > 0.9', { 'part.anomaly': 0.95 }, false],
    ['listed.watch.device', { 'listed.watch.device': true }, true],
    ['listed.watch.ip', { 'listed.watch.device': true }, false],
    ['true', {}, true],
  ])('%s of %j is %s', (text, known, expected) => expect(holds(text, known)).toBe(expected))

  it.each([
    'feature.amount == 3',
    'feature.amount != 3',
    'feature.amount < 3',
    'feature.amount <= 3',
    'feature.amount > 3',
    'feature.amount >= 3',
    'feature.amount in [3]',
    'feature.amount != feature.geo_speed',
    'feature.amount * 0 == 0',
    'score > 0.5',
    'risk_score < 500',
    'part.anomaly < 2',
    'transaction.latitude < 90',
    'transaction.utc_offset_minutes != 0',
    'transaction.country == "DE"',
    'transaction.country != "DE"',
    'transaction.country in ["DE"]',
    'transaction.country.startsWith("D")',
    'transaction.country != transaction.channel',
    'has(feature.amount)',
    'has(transaction.country)',
    'transaction.amount_minor / 0 >= 0',
  ])('%s is false where it is missing', (text) => {
    expect(holds(text, { 'transaction.amount_minor': 1 })).toBe(false)
  })

  it('asks has() whether a value is there', () => {
    expect(holds('has(feature.amount)', { 'feature.amount': 0 })).toBe(true)
    expect(holds('has(transaction.country)', { 'transaction.country': '' })).toBe(true)
    expect(holds('!has(transaction.device_id) || score > 0.5', { score: 0 })).toBe(true)
  })
})

describe('mistakes are told with their place', () => {
  it.each([
    ['feature.amuont > 1', 'at 1:1: there is no "feature.amuont"; did you mean feature.amount?'],
    ['score > 0.5 &&\n  featur.amount > 1', 'at 2:3: there is no "featur"'],
    ['has(feature.amuont)', 'at 1:5: there is no "feature.amuont"; did you mean feature.amount?'],
    ['listed.watch.devise', 'at 1:1: there is no "listed.watch.devise"; did you mean listed.watch.device?'],
    ['feature.amount', 'at 1:1: is a double, not a condition: compare it with something'],
    ['feature.amount > "x"', 'at 1:1: no such overload: double > string'],
    ['transaction.country == null', 'at 1:1: no such overload: string == null'],
    ['feature.amount >', 'at 1:17: unexpected token: EOF'],
    ['feature.amount = 3', 'at 1:16: unexpected character: ='],
    ['transaction.country.startWith("D")', 'did you mean startsWith?'],
    ['transaction.country.startsWith(3)', 'startsWith is written TEXT.startsWith(TEXT)'],
    ['abs(feature.amount) > 1', 'rules do not have abs()'],
    [
      'transaction.country.matches("D+")',
      'rules do not have matches(); there are has, startsWith, endsWith, contains',
    ],
    ['[1, 2].exists(x, x > 1)', 'at 1:1: rules do not have'],
    ['score > 0.5 ? true : false', 'rules do not have ? and :'],
    ['feature["amount"] > 1', 'rules do not have [...]'],
    ['transaction.country > "DE"', 'texts have == and != only'],
    ['listed.watch.ip == true', 'write the condition alone'],
    ['has(listed.watch.ip)', 'listed.watch.ip is never missing'],
    ['score in [score]', 'a list has numbers or texts only'],
    ['feature.amount > 9007199254740993', 'beyond the whole numbers'],
    ['b"a" == b"a"', 'rules have numbers, texts, true and false only'],
    ['1u == 1u', 'rules have numbers, texts, true and false only'],
  ])('%s', (text, said) => expect(reader.read(text)).toContain(said))
})

/** CEL texts, each with the names that it needs to be there. */
interface Piece {
  readonly text: string
  readonly needs: readonly string[]
}

const numberNames = ['feature.amount', 'feature.geo_speed', 'transaction.amount_minor', 'score', 'risk_score']
const textNames = ['transaction.country', 'transaction.channel', 'transaction.device_id']
const texts = ['DE', 'D', 'pos', '']

const numberLeaf = fc.oneof(
  fc.constantFrom(...numberNames).map((name): Piece => ({ text: name, needs: [name] })),
  fc.integer({ min: 0, max: 4 }).map((value): Piece => ({ text: String(value), needs: [] })),
  fc.constantFrom('0.5', '2.0', '3.25').map((text): Piece => ({ text, needs: [] })),
)
const number: fc.Arbitrary<Piece> = fc.oneof(
  { depthSize: 'small', maxDepth: 3 },
  numberLeaf,
  fc.tuple(fc.constantFrom('+', '-', '*'), numberLeaf, numberLeaf).map(
    ([operator, a, b]): Piece => ({
      text: `(${a.text} ${operator} ${b.text})`,
      needs: [...a.needs, ...b.needs],
    }),
  ),
  fc
    .tuple(fc.constantFrom('/', '%'), numberLeaf, fc.constantFrom('3', '2.0'))
    .map(([operator, a, b]): Piece => ({ text: `(${a.text} ${operator} ${b})`, needs: a.needs })),
  numberLeaf.map(({ text, needs }): Piece => ({ text: `-(${text})`, needs })),
)
const text = fc.oneof(
  fc.constantFrom(...textNames).map((name): Piece => ({ text: name, needs: [name] })),
  fc.constantFrom(...texts).map((value): Piece => ({ text: JSON.stringify(value), needs: [] })),
)
const truth = fc.oneof(
  fc.tuple(fc.constantFrom('==', '!=', '<', '<=', '>', '>='), number, number).map(
    ([operator, a, b]): Piece => ({
      text: `${a.text} ${operator} ${b.text}`,
      needs: [...a.needs, ...b.needs],
    }),
  ),
  fc.tuple(fc.constantFrom('==', '!='), text, text).map(
    ([operator, a, b]): Piece => ({
      text: `${a.text} ${operator} ${b.text}`,
      needs: [...a.needs, ...b.needs],
    }),
  ),
  fc
    .tuple(number, fc.constantFrom('[1, 2]', '[0.5, 3.25]'))
    .map(([a, list]): Piece => ({ text: `${a.text} in ${list}`, needs: a.needs })),
  fc.constantFrom(...textNames).map((name): Piece => ({ text: `${name} in ["DE", "pos"]`, needs: [name] })),
  fc.tuple(fc.constantFrom('startsWith', 'endsWith', 'contains'), fc.constantFrom(...textNames), text).map(
    ([test, name, part]): Piece => ({
      text: `${name}.${test}(${part.text})`,
      needs: [name, ...part.needs],
    }),
  ),
  fc.constant<Piece>({ text: 'listed.watch.device', needs: [] }),
)

/** A condition for weir, and the same for the library: each comparison only where all that it names is there. */
interface Pair {
  readonly ours: string
  readonly guarded: string
}
const isThere = (name: string) => (name.includes('.') ? `has(${name})` : 'true')
const leaf = fc.oneof(
  truth.map(
    ({ text, needs }): Pair => ({
      ours: text,
      guarded: `(${[...needs.map(isThere), text].join(' && ')})`,
    }),
  ),
  fc
    .constantFrom(...numberNames.slice(0, 3), ...textNames)
    .map((name): Pair => ({ ours: `has(${name})`, guarded: `has(${name})` })),
)
const { condition } = fc.letrec<{ condition: Pair }>((tie) => ({
  condition: fc.oneof(
    { depthSize: 'small', maxDepth: 4 },
    leaf,
    tie('condition').map(({ ours, guarded }): Pair => ({ ours: `!(${ours})`, guarded: `!(${guarded})` })),
    fc.tuple(fc.constantFrom('&&', '||'), tie('condition'), tie('condition')).map(
      ([operator, a, b]): Pair => ({
        ours: `(${a.ours} ${operator} ${b.ours})`,
        guarded: `(${a.guarded} ${operator} ${b.guarded})`,
      }),
    ),
  ),
}))

const value = fc.constantFrom(-1, 0, 0.5, 1, 2, 3, 3.25)
const whole = fc.constantFrom(0, 1, 2, 3, 300)
const known = fc.record(
  {
    'feature.amount': value,
    'feature.geo_speed': value,
    'transaction.amount_minor': whole,
    'transaction.country': fc.constantFrom(...texts),
    'transaction.channel': fc.constantFrom(...texts),
    'transaction.device_id': fc.constantFrom(...texts),
    'listed.watch.device': fc.boolean(),
    score: value,
    risk_score: whole,
  },
  { requiredKeys: ['score', 'risk_score'] },
)

/** As the library wants it: whole numbers as bigint, what is missing left out. */
function contextOf(values: Known): Record<string, unknown> {
  const context: Record<string, Record<string, unknown>> = { transaction: {}, feature: {} }
  for (const [path, value] of Object.entries(values)) {
    const [root, field] = path.split('.') as [string, string | undefined]
    if (root === 'listed' || field === undefined) continue
    const cel = path === 'transaction.amount_minor' ? BigInt(value as number) : value
    ;(context[root] as Record<string, unknown>)[field] = cel
  }
  return {
    ...context,
    listed: { watch: { device: values['listed.watch.device'] ?? false } },
    score: values['score'],
    risk_score: BigInt(values['risk_score'] as number),
  }
}

it('hits where the evaluator of the library hits, when each comparison is guarded by has()', () => {
  let hits = 0
  fc.assert(
    fc.property(condition, known, ({ ours, guarded }, values) => {
      const expected = reader.environment.evaluate(guarded, contextOf(values))
      if (expected) hits++
      expect(holds(ours, values)).toBe(expected)
    }),
    { numRuns: 5_000, seed: 7 },
  )
  expect(hits).toBeGreaterThan(500)
})
