import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import type { Comparison } from '../../../src/core/evaluation/comparison.ts'
import { metricNames, metrics } from '../../../src/core/evaluation/metrics.ts'
import { change, count, money, quantity, range } from '../../../src/report/format.ts'
import { renderReport, writeReport } from '../../../src/report/report.ts'
import type { Replayed } from '../../../src/report/setting.ts'
import { aDecisionTable, compared, metricOf } from '../../helpers/decision-tables.ts'
import { markupOf } from '../../helpers/markup.ts'

const comparison = compared(aDecisionTable(), { maturityDays: 2 })
const replayed: Replayed = {
  source: 'payments.csv',
  payments: 1_004,
  duplicates: 4,
  rejected: 17,
  candidates: ['champion', 'challenger'].map((name) => ({
    name,
    model: `${name}@1.0.0`,
    model_sha256: `a1b2${name}`,
    feature_hash: 'f3f4f5',
    policy: '1.0.0#abcdef01',
    thresholds: { challenge: 450, review: 520, decline: 1_000 },
  })),
}
const warning = 'labels take longer than a week'
const page = renderReport(comparison, replayed, [warning])

/** What a reader sees. */
const textOf = (html: string): string =>
  html
    .replaceAll(/<style>[\s\S]*?<\/style>/g, '')
    .replaceAll(/<[^>]+>/g, ' ')
    .replaceAll('&#39;', "'")
    .replaceAll(/\s+/g, ' ')
const text = textOf(page)

describe('a report', () => {
  test('is well-formed HTML, with one title and a heading for every part', () => {
    const { mistakes, names } = markupOf(page)
    expect(mistakes).toEqual([])
    expect(names.filter((name) => name === 'title')).toHaveLength(1)
    expect(names.filter((name) => name === 'h1')).toHaveLength(1)
    const headings = [...page.matchAll(/<h2>(.*?)<\/h2>/g)].map(([, heading]) => heading)
    expect(headings).toEqual([
      'In short',
      'What was compared, and on what',
      'What becomes of each payment',
      'Newly caught, newly hit',
      'Money over time',
      'Where it differs',
      'All figures',
      'Scores',
      'What cannot be known',
      'Rows left out',
      'Words',
    ])
  })

  test('needs no script, and nothing from elsewhere', () => {
    expect(page).not.toMatch(/<script|<iframe|<link|<img|javascript:|https?:|@import|@font-face/i)
    expect(page).not.toMatch(/\son\w+=/i)
    expect([...page.matchAll(/url\((.*?)\)/g)].every(([, target]) => target?.startsWith('#'))).toBe(true)
  })

  test('draws every chart, with ids of its own', () => {
    expect(page.match(/<svg/g)).toHaveLength(12)
    const ids = [...page.matchAll(/ id="(.*?)"/g)].map(([, id]) => id)
    expect(new Set(ids).size).toBe(ids.length)
    const used = [...page.matchAll(/url\(#(.*?)\)/g)].map(([, id]) => id)
    expect(ids).toEqual(expect.arrayContaining(used))
  })

  test.each(metricNames)('has every figure of %s', (name) => {
    const { champion, candidate, difference } = metricOf(comparison, name)
    const { unit } = metrics[name]
    expect(text).toContain(quantity(champion.value, unit))
    expect(text).toContain(quantity(candidate.value, unit))
    expect(text).toContain(change(difference.value, unit))
    if (difference.interval !== null) expect(text).toContain(range(difference.interval, unit, change))
  })

  test('tells what was compared, what changed, and what was left out', () => {
    for (const cell of comparison.matrix)
      expect(text).toContain(`${count(cell.payments)} ${money(cell.value, null)}`)
    for (const { payments, value } of Object.values(comparison.changes)) {
      expect(text).toContain(`${count(payments)} ${money(value, null)}`)
    }
    expect(text).toContain('a1b2challenger')
    expect(text).toContain('Fraud value caught, EUR')
    expect(text).toContain('Payments by outcome, amounts in EUR')
    expect(text).toContain('450, 520, never')
    expect(text).toContain('17 rows of payments.csv could not be read')
    expect(text).toContain('4 payments came more than once')
    expect(text).toContain(warning)
    expect(text).not.toMatch(/NaN|undefined|null|Infinity|\[object/)
  })

  test.each([
    [300, 0, 0, 200, '300.00 EUR more fraud money would have been caught, and 200.00 EUR less good money'],
    [300, 0, 200, 0, '300.00 EUR more fraud money would have been caught, but 200.00 EUR more good money'],
    [0, 300, 0, 200, '300.00 EUR less fraud money would have been caught, but 200.00 EUR less good money'],
    [0, 300, 200, 0, '300.00 EUR less fraud money would have been caught, and 200.00 EUR more good money'],
    [0, 0, 200, 0.1, 'as much fraud money would have been caught, and 199.90 EUR more good money'],
  ])('begins with what it comes to: caught %d, missed %d, hit %d, released %d', (...row) => {
    const [caught, missed, hit, released, sentence] = row
    const amount = (value: number) => ({ payments: 1, value })
    const changes = {
      newly_caught: amount(caught),
      newly_missed: amount(missed),
      newly_hit: amount(hit),
      newly_released: amount(released),
    }
    const told = textOf(renderReport({ ...comparison, changes }, replayed, []))
    expect(told.replaceAll(' ,', ',')).toContain(sentence)
    expect(told).toContain('1 fraud (')
    expect(told).toContain('1 good payment (')
  })

  test('says whether the difference is shown', () => {
    const shown = { value: 12_340.5, interval: [8_000, 16_000], bounds: null } as const
    const perhaps = { value: 12_340.5, interval: [-10, 16_000], bounds: null } as const
    const none = { value: 12_340.5, interval: null, bounds: null }
    const card = (difference: typeof shown | typeof perhaps | typeof none) => {
      const rows = comparison.metrics.map((row) =>
        row.metric === 'fraud_value_caught' ? { ...row, difference } : row,
      )
      const [first = ''] = renderReport({ ...comparison, metrics: rows }, replayed, []).match(
        /<h3>Fraud money caught[\s\S]*?<\/div>/,
      ) as string[]
      return textOf(first)
    }
    expect(card(shown)).toMatch(
      /\+12,341 EUR more fraud money is caught.*\+8,000 to \+16,000 The difference is shown/,
    )
    expect(card(perhaps)).toMatch(/−10\.00 to \+16,000 The difference is not shown: it may be chance/)
    expect(card(none)).toContain('Without an interval: chance is not ruled out')
  })

  test('is the same for the same comparison', () => {
    expect(renderReport(comparison, replayed, [warning])).toBe(page)
  })

  test('escapes text that comes from data', () => {
    const evil = `<script>alert("1")</script>&'`
    const renamed = JSON.parse(
      JSON.stringify(comparison)
        .replaceAll('"challenger"', JSON.stringify(evil))
        .replaceAll('"value":"a"', `"value":${JSON.stringify(evil)}`),
    ) as Comparison
    const html = renderReport(renamed, { ...replayed, source: evil }, [evil])
    expect(markupOf(html).mistakes).toEqual([])
    expect(html).not.toContain('<script')
    expect(html).toContain('&lt;script&gt;alert(')
    expect(html.match(/<svg/g)).toHaveLength(12)
  })

  test('of one that is compared with itself has figures and no differences', () => {
    const [champion] = aDecisionTable().candidates
    const alone = compared({ ...aDecisionTable(), candidates: [champion, champion] as never })
    const html = renderReport(alone, replayed, [])
    expect(markupOf(html).mistakes).toEqual([])
    expect(html).toContain('What champion would do')
    expect(html.split('<h2>Words')[0]).not.toMatch(/newly|Difference|not shown/)
    expect(html.match(/<svg/g)).toHaveLength(10)
  })

  test('stands without labels and without intervals', () => {
    const table = aDecisionTable({ fraudShare: 0 })
    const html = renderReport(compared(table, { resamples: 0 }), replayed, [])
    expect(markupOf(html).mistakes).toEqual([])
    expect(textOf(html)).not.toMatch(/NaN|undefined|null|Infinity/)
  })

  test('is written whole or not at all', () => {
    const folder = mkdtempSync(join(tmpdir(), 'weir-report-'))
    try {
      writeReport(join(folder, 'new', 'r.html'), comparison, replayed, [warning])
      expect(readFileSync(join(folder, 'new', 'r.html'), 'utf8')).toBe(page)
      expect(readdirSync(join(folder, 'new'))).toEqual(['r.html'])
      writeFileSync(join(folder, 'file'), '')
      const within = join(folder, 'file', 'r.html')
      expect(() => writeReport(within, comparison, replayed, [])).toThrow(`cannot write ${within}`)
    } finally {
      rmSync(folder, { recursive: true })
    }
  })
})
