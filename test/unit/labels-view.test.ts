import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { viewAt, viewsOf } from '../../src/core/labels-view.ts'
import { aLabel } from '../helpers/contracts.ts'

const label = fc.record({
  fraud: fc.boolean(),
  source: fc.constantFrom('analyst', 'customer', 'chargeback', 'issuer', 'early_fraud_warning'),
  state: fc.constantFrom('reported', 'confirmed', 'reversed'),
  fraud_type: fc.constantFrom(null, 'card_testing', 'takeover'),
})

/** At times of their own. */
const labels = fc
  .array(label, { maxLength: 10 })
  .map((all) => all.map((one, i) => aLabel({ ...one, effective_time: 0, observed_time: 10 * (i + 1) })))

test('what was known on a day is the same whatever came later', () => {
  fc.assert(
    fc.property(labels, fc.nat(120), (all, day) => {
      expect(viewAt(all, day)).toEqual(
        viewAt(
          all.filter(({ observed_time }) => observed_time <= day),
          Number.POSITIVE_INFINITY,
        ),
      )
    }),
  )
})

test('the order in which labels come to the log does not matter', () => {
  const shuffled = labels.chain((all) =>
    fc.tuple(fc.constant(all), fc.shuffledSubarray(all, { minLength: all.length, maxLength: all.length })),
  )
  fc.assert(
    fc.property(shuffled, ([all, mixed]) => {
      expect(viewsOf(mixed)).toEqual(viewsOf(all))
    }),
  )
})

test('a label that is said again changes nothing', () => {
  fc.assert(
    fc.property(labels, (all) => {
      expect(viewsOf(all.flatMap((one) => [one, one]))).toEqual(viewsOf(all))
    }),
  )
})

test('views follow each other in time, and each changes what is held', () => {
  fc.assert(
    fc.property(labels, (all) => {
      const views = viewsOf(all)
      views.slice(1).forEach((view, i) => {
        expect(view.fraud).toBe(!views[i]?.fraud)
        expect(view.observed_time).toBeGreaterThan(views[i]?.observed_time as number)
      })
      for (const { observed_time, fraud } of views) expect(viewAt(all, observed_time)?.fraud).toBe(fraud)
    }),
  )
})

test('a reversal takes back the word of its own source only', () => {
  const said = (source: string, state: string, observed_time: number, fraud = state !== 'reversed') =>
    aLabel({ source, state, fraud, effective_time: 0, observed_time })
  const warned = said('issuer', 'reported', 10)
  const charged = said('chargeback', 'confirmed', 20)
  const dropped = said('chargeback', 'reversed', 30)
  expect(viewAt([warned, charged, dropped], 40)).toMatchObject({
    fraud: true,
    source: 'issuer',
    observed_time: 10,
  })
  const withdrawn = said('early_fraud_warning', 'reversed', 40)
  expect(viewAt([warned, charged, dropped, withdrawn], 40)).toMatchObject({ fraud: false, observed_time: 40 })
  expect(viewAt([warned, charged, dropped, withdrawn], 39)).toMatchObject({ fraud: true })
})

test('the examples of docs/labels.md', () => {
  const page = readFileSync(new URL('../../docs/labels.md', import.meta.url), 'utf8')
  const rows = [...page.matchAll(/^\| (2026-.*) \|$/gm)].map(([, row = '']) =>
    row.split('|').map((cell) => cell.trim()),
  )
  const isLabel = (cells: readonly string[]) => cells[3] === 'yes' || cells[3] === 'no'
  const said = rows.filter(isLabel).map(([observed = '', source = '', state = '', fraud]) =>
    aLabel({
      source,
      state,
      fraud: fraud === 'yes',
      effective_time: 0,
      observed_time: Date.parse(observed),
    }),
  )
  const known = rows.filter((cells) => !isLabel(cells))
  expect([said.length, known.length]).toEqual([7, 8])
  for (const [on = '', ...wanted] of known) {
    const view = viewAt(said, Date.parse(on))
    const since = view === null ? '' : new Date(view.observed_time).toISOString().slice(0, 10)
    const held =
      view === null
        ? ['unlabelled', '', '']
        : [view.fraud ? 'fraud' : 'good', since, `${view.state} ${view.source}`]
    expect([on, ...held]).toEqual([on, ...wanted])
  }
})
