import { print, printTable } from '../src/cli/output.ts'
import type { Measured } from './backlog.ts'
import type { Latency } from './latency.ts'
import { median, spread } from './median.ts'
import type { ContestantName } from './options.ts'

/** A contestant's turns over the backlog, and its latency by rate. */
export interface Result {
  readonly turns: readonly (Omit<Measured, 'window'> & { readonly batch: number })[]
  readonly latency: ReadonlyMap<number, Latency>
}

export type Results = ReadonlyMap<ContestantName, Result>

const figures = {
  events_per_second: { head: 'EVENTS/S', digits: 0 },
  cpu_s_per_100k: { head: 'CPU S/100K', digits: 2 },
  broker_cpu_s_per_100k: { head: 'BROKER', digits: 2 },
  redis_cpu_s_per_100k: { head: 'REDIS', digits: 2 },
  rss_mib: { head: 'RSS MIB', digits: 0 },
  batch: { head: 'BATCH', digits: 0 },
} as const

type Figure = keyof typeof figures
const names = Object.keys(figures) as Figure[]

export function printResults(results: Results): void {
  printTable(
    ['CONTESTANT', ...names.map((name) => figures[name].head)],
    [...results].map(([contestant, { turns }]) => [
      contestant,
      ...names.map((name) => {
        const values = turns.map((turn) => turn[name])
        return spread(values, figures[name].digits)
      }),
    ]),
  )
  const timed = [...results].flatMap(([contestant, { latency }]) =>
    [...latency].map(([rate, { p50_ms, p99_ms, max_ms }]) => [
      contestant,
      ...[rate, p50_ms, p99_ms, max_ms].map(String),
    ]),
  )
  if (timed.length > 0) {
    print('')
    printTable(['CONTESTANT', 'PAYMENTS/S', 'P50 MS', 'P99 MS', 'MAX MS'], timed)
  }
  const { ratio, ratio_grouped } = ratios(results)
  if (ratio !== null) print(`\nweir / floor          ${ratio.toFixed(2)}   application CPU per payment`)
  if (ratio_grouped !== null) print(`weir / floor-grouped  ${ratio_grouped.toFixed(2)}`)
}

/** One line for programs: medians of the turns; latency at the highest rate, and by rate. */
export function printResultsJson(results: Results): void {
  const contestants = Object.fromEntries(
    [...results].map(([contestant, { turns, latency }]) => {
      const medians = Object.fromEntries(
        names.map((name) => [name, rounded(median(turns.map((turn) => turn[name])))]),
      )
      const { p50_ms = null, p99_ms = null } = latency.get(Math.max(...latency.keys())) ?? {}
      return [
        contestant,
        { ...medians, p50_ms, p99_ms, latency: Object.fromEntries(latency), turns: turns.map(roundedAll) },
      ]
    }),
  )
  print(JSON.stringify({ contestants, ...ratios(results) }))
}

/** Application CPU of weir over that of the floors, medians; null where one is missing. */
function ratios(results: Results) {
  const cpu = (name: ContestantName) => {
    const turns = results.get(name)?.turns ?? []
    return turns.length === 0 ? null : median(turns.map(({ cpu_s_per_100k }) => cpu_s_per_100k))
  }
  const to = (name: ContestantName) => {
    const [weir, floor] = [cpu('weir'), cpu(name)]
    return weir === null || floor === null ? null : rounded(weir / floor)
  }
  return { ratio: to('floor'), ratio_grouped: to('floor-grouped') }
}

const roundedAll = (turn: Result['turns'][number]) =>
  Object.fromEntries(names.map((name) => [name, rounded(turn[name])]))

const rounded = (value: number): number => Math.round(value * 1_000) / 1_000
