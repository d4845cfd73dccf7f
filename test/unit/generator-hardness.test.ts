import { expect, it } from 'vitest'
import type { Transaction } from '../../src/core/types.ts'
import { minorUnitsPerCent } from '../../src/generator/catalogue.ts'
import { generate } from '../../src/generator/generate.ts'

interface Row {
  readonly t: Transaction
  readonly fraud: boolean
}

const events = 200_000
const folds = 5

const numbers: Record<string, (t: Transaction) => number | null> = {
  amount_minor: (t) => t.amount_minor,
  amount_eur: (t) => t.amount_minor / (minorUnitsPerCent[t.currency] ?? 1),
  amount_roundness: (t) => (t.amount_minor % 1000 === 0 ? 2 : t.amount_minor % 100 === 0 ? 1 : 0),
  hour_utc: (t) => Math.floor(t.event_time / 3_600_000) % 24,
  hour_local: (t) => Math.floor(t.event_time / 3_600_000 + (t.utc_offset_minutes ?? 0) / 60) % 24,
  weekday: (t) => (Math.floor(t.event_time / 86_400_000) + 3) % 7,
  event_time: (t) => t.event_time,
  mcc: (t) => (t.mcc === null ? null : Number(t.mcc)),
  latitude: (t) => t.latitude,
  longitude: (t) => t.longitude,
  utc_offset_minutes: (t) => t.utc_offset_minutes,
  card_last4: (t) => (t.card_last4 === null ? null : Number(t.card_last4)),
  transaction_number: (t) => Number.parseInt(t.transaction_id.split('-n')[1] as string, 36),
}

const categories = [
  'customer_id',
  'currency',
  'type',
  'channel',
  'entry_mode',
  'merchant_id',
  'merchant_name',
  'mcc',
  'terminal_id',
  'device_id',
  'ip',
  'country',
  'utc_offset_minutes',
  'card_token',
  'card_bin',
  'counterparty_id',
  'description',
] as const

/** Area under the ROC curve by mid-ranks (Mann-Whitney U), either direction: 0.5 to 1. */
function auc(rows: readonly Row[], scores: readonly number[]): number {
  const order = rows.map((_, i) => i).sort((a, b) => (scores[a] as number) - (scores[b] as number))
  let rankSum = 0
  for (let from = 0, to = 0; from < order.length; from = to) {
    while (to < order.length && scores[order[to] as number] === scores[order[from] as number]) to++
    for (let i = from; i < to; i++) if (rows[order[i] as number]?.fraud) rankSum += (from + to + 1) / 2
  }
  const frauds = rows.filter((row) => row.fraud).length
  const area = (rankSum - (frauds * (frauds + 1)) / 2) / (frauds * (rows.length - frauds))
  return Math.max(area, 1 - area)
}

/** Fraud rate of the value in the other folds, drawn to the mean by ten pseudo-rows. */
function targetMeans(rows: readonly Row[], value: (t: Transaction) => unknown): number[] {
  const mean = rows.filter((row) => row.fraud).length / rows.length
  const seen = new Map<unknown, { count: number[]; frauds: number[] }>()
  rows.forEach(({ t, fraud }, i) => {
    const key = value(t)
    const at = seen.get(key) ?? { count: Array(folds).fill(0), frauds: Array(folds).fill(0) }
    seen.set(key, at)
    ;(at.count[i % folds] as number)++
    if (fraud) (at.frauds[i % folds] as number)++
  })
  const others = (counts: number[], fold: number) =>
    counts.reduce((sum, count, i) => (i === fold ? sum : sum + count), 0)
  return rows.map(({ t }, i) => {
    const { count, frauds } = seen.get(value(t)) as { count: number[]; frauds: number[] }
    return (others(frauds, i % folds) + 10 * mean) / (others(count, i % folds) + 10)
  })
}

it('no field alone tells fraud from honest', () => {
  const rows: Row[] = []
  for (const record of generate({ seed: 1, events, duplicateRate: 0 })) {
    if (record.kind === 'transaction') rows.push({ t: record.transaction, fraud: record.fraudType !== null })
  }
  const areas: Record<string, number> = {}
  for (const [name, number] of Object.entries(numbers)) {
    areas[name] = auc(
      rows,
      rows.map(({ t }) => number(t) ?? -1e9),
    )
  }
  for (const name of categories)
    areas[`${name} (target mean)`] = auc(
      rows,
      targetMeans(rows, (t) => t[name]),
    )
  const shown = Object.entries(areas)
    .sort(([, a], [, b]) => b - a)
    .map(([name, area]) => `${area.toFixed(3)} ${name}`)
  expect(Math.max(...Object.values(areas))).toBeLessThan(0.8)
  expect(shown).toMatchInlineSnapshot(`
    [
      "0.780 card_token (target mean)",
      "0.773 merchant_id (target mean)",
      "0.756 merchant_name (target mean)",
      "0.727 ip (target mean)",
      "0.724 device_id (target mean)",
      "0.723 customer_id (target mean)",
      "0.692 entry_mode (target mean)",
      "0.671 mcc (target mean)",
      "0.657 channel (target mean)",
      "0.646 terminal_id (target mean)",
      "0.627 latitude",
      "0.621 amount_minor",
      "0.614 longitude",
      "0.610 type (target mean)",
      "0.609 amount_eur",
      "0.581 card_bin (target mean)",
      "0.574 counterparty_id (target mean)",
      "0.568 description (target mean)",
      "0.568 card_last4",
      "0.557 amount_roundness",
      "0.552 country (target mean)",
      "0.537 hour_local",
      "0.533 mcc",
      "0.521 currency (target mean)",
      "0.517 utc_offset_minutes (target mean)",
      "0.517 hour_utc",
      "0.511 utc_offset_minutes",
      "0.506 weekday",
      "0.502 transaction_number",
      "0.502 event_time",
    ]
  `)
})
