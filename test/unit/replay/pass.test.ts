import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { loadConfig } from '../../../src/config/load.ts'
import type { Finding } from '../../../src/core/labels-view.ts'
import type { Decision, Label } from '../../../src/core/types.ts'
import { parseCandidate } from '../../../src/replay/candidate-spec.ts'
import { type Candidates, openCandidates } from '../../../src/replay/candidates.ts'
import type { DecidedChunk, Truth } from '../../../src/replay/decided-chunk.ts'
import { historiesOf, knownBy, newTally, Pass } from '../../../src/replay/pass.ts'
import { generatedSource, type HistoryItem } from '../../../src/replay/source.ts'

const { config } = loadConfig({ env: { WEIR_CONFIG: '/dev/null' } })
const source = generatedSource({ events: 12_000, seed: 3, partitions: 4 })
const always = Number.POSITIVE_INFINITY
let items: HistoryItem[]
let candidates: Candidates

beforeAll(async () => {
  items = []
  for await (const batch of source.items()) items.push(...batch)
  candidates = await openCandidates(config, [
    { name: 'champion', thresholds: {} },
    parseCandidate('strict:challenge=300,decline=900'),
  ])
})
afterAll(() => candidates.close())

async function* inBatches(labels: readonly Label[]) {
  yield labels.slice(0, 10)
  yield labels.slice(10)
}

interface Passed {
  /** By candidate. */
  readonly decisions: Decision[][]
  readonly truths: (Truth | null)[]
  readonly rejected: string[]
  readonly tally: ReturnType<typeof newTally>
}

async function run(
  history: readonly HistoryItem[],
  {
    batch = 1_000,
    cutOff = always,
    only = [0, 1],
    limit = always,
    known = new Map<string, Finding[]>(),
  } = {},
): Promise<Passed> {
  const chosen = only.map((i) => candidates.all[i] as Candidates['all'][number])
  const passed: Passed = { decisions: chosen.map(() => []), truths: [], rejected: [], tally: newTally() }
  const pass = new Pass({
    topic: 'payments',
    candidates: chosen,
    histories: historiesOf(chosen),
    known,
    cutOff,
    limit,
    tally: passed.tally,
    onDecided({ decisions, truths }: DecidedChunk) {
      for (const [c, ofCandidate] of decisions.entries()) passed.decisions[c]?.push(...ofCandidate)
      passed.truths.push(...truths)
    },
    onRejected: (at, reason) => passed.rejected.push(`${at}: ${reason}`),
  })
  for (let at = 0; at < history.length; at += batch) await pass.take(history.slice(at, at + batch))
  await pass.settle()
  return passed
}

const bytes = (decisions: readonly Decision[] = []) =>
  decisions.map((decision) => ({ ...decision, features: decision.features.toString('base64') }))

describe('a pass', () => {
  it('decides every payment once, whatever the size of the batches', async () => {
    const whole = await run(items)
    const pieces = await run(items, { batch: 77 })
    const payments = items.filter(({ kind }) => kind === 'transaction')
    expect(whole.decisions[0]).toHaveLength(payments.length)
    expect(new Set(whole.decisions[0]?.map(({ decision_id }) => decision_id)).size).toBe(payments.length)
    expect(bytes(pieces.decisions[0])).toEqual(bytes(whole.decisions[0]))
  })

  it('gives each candidate what it would get alone; another threshold changes outcomes, not scores', async () => {
    const [both, first, second] = [
      await run(items),
      await run(items, { only: [0] }),
      await run(items, { only: [1] }),
    ]
    expect(bytes(both.decisions[0])).toEqual(bytes(first.decisions[0]))
    expect(bytes(both.decisions[1])).toEqual(bytes(second.decisions[0]))
    const [champion, strict] = both.decisions as [Decision[], Decision[]]
    expect(strict.map(({ score }) => score)).toEqual(champion.map(({ score }) => score))
    for (const { risk_score, outcome } of strict) {
      if (risk_score === null) continue
      expect(outcome === 'approve').toBe(risk_score < 300)
      expect(outcome === 'decline').toBe(risk_score >= 900)
    }
  })

  it('knows of a payment what was known on the day that was asked for', async () => {
    const all = await run(items)
    const labels = items.flatMap((item) => (item.kind === 'label' ? [item.label] : []))
    const cutOff = labels[Math.floor(labels.length / 2)]?.observed_time as number
    const { truths } = await run(items, { cutOff })
    expect(truths.filter((truth) => truth !== null).length).toBeLessThan(
      all.truths.filter((truth) => truth !== null).length,
    )
    for (const truth of truths) if (truth !== null) expect(truth.observed_time).toBeLessThanOrEqual(cutOff)
    // The same where labels lie apart from the payments.
    const alone = items.map((item) => (item.kind === 'transaction' ? { ...item, labels: [] } : item))
    const apart = await run(alone, { cutOff, known: await knownBy(cutOff, inBatches(labels)) })
    const factsOf = (truth: Truth | null) => truth && [truth.fraud, truth.observed_time, truth.fraud_type]
    expect(apart.truths.map(factsOf)).toEqual(truths.map(factsOf))
  })

  it('with a limit takes the first so many, refused ones not counted', async () => {
    const spoilt = items.map((item, i): HistoryItem => {
      if (item.kind !== 'transaction' || i % 5 > 0) return item
      return { ...item, transaction: { ...item.transaction, currency: 'XAU' } }
    })
    const whole = await run(spoilt)
    for (const [limit, batch] of [
      [1, 7],
      [1_234, 1_000],
      [5_000, 12_000],
    ]) {
      const first = await run(spoilt, { limit, batch })
      expect(first.tally.payments).toBe(limit)
      expect(bytes(first.decisions[0])).toEqual(bytes(whole.decisions[0]?.slice(0, limit)))
      expect(first.rejected).toEqual(whole.rejected.slice(0, first.rejected.length))
    }
  })

  it('names a payment that the feature file cannot compare', async () => {
    const [first] = items.filter((item) => item.kind === 'transaction')
    const foreign = { ...first, transaction: { ...first?.transaction, currency: 'XAU' } } as HistoryItem
    const { rejected, tally, decisions } = await run([foreign, ...items.slice(0, 10)])
    expect(rejected).toEqual([
      `transaction ${first?.transaction.transaction_id}: currency: the feature file has no rate for XAU`,
    ])
    expect(tally.rejected).toBe(1)
    expect(decisions[0]).toHaveLength(tally.payments)
  })
})

describe('a candidate', () => {
  it.each<[string, string]>([
    ['strict', 'begins with no name'],
    ['strict:modle=x', 'there is no "modle"; did you mean model?'],
    ['strict:model=', 'model has no value'],
    ['strict:challenge=2000', '2000 is no risk score'],
  ])('%s is refused: %s', (text, message) => {
    expect(() => parseCandidate(text)).toThrow(message)
  })

  it('with a name that is taken, a model of other features or a wrong policy is refused by name', async () => {
    const open = (text: string) =>
      openCandidates(config, [{ name: 'champion', thresholds: {} }, parseCandidate(text)])
    await expect(open('champion:challenge=300')).rejects.toThrow('two candidates have the name champion')
    await expect(open('other:features=features-handbook.yaml')).rejects.toThrow(
      /^candidate other: The model was trained on features/,
    )
    await expect(open('other:challenge=999,review=10')).rejects.toThrow(
      'candidate other: policy file: thresholds',
    )
  })

  it('scores in its thread to the bits of this thread', async () => {
    const { model, features } = (candidates.all[0] as Candidates['all'][number]).active
    const { loadActiveSet } = await import('../../../src/apps/active-set.ts')
    const here = await loadActiveSet(config, () => {})
    const rows = Float32Array.from({ length: 300 * features.names.length }, (_, i) => (i * 7919) % 97)
    expect(await model.score(rows, 300)).toEqual(await here.model.score(rows, 300))
  })
})
