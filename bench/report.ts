import { print, printTable } from '../src/cli/output.ts'
import type { Measured } from './backlog.ts'
import type { Compared } from './comparison.ts'
import type { Latency } from './latency.ts'
import { median, spread } from './median.ts'
import { aboutOf, type ContestantName } from './options.ts'

/** A contestant's turns over the backlog, and its latency by rate. */
export interface Result {
  /** Payments in its backlog. */
  readonly events: number
  readonly turns: readonly (Omit<Measured, 'window'> & {
    readonly batch: number
    /** Null: it decides nothing. */
    readonly compared: Compared | null
  })[]
  /** Null: it could not keep up. */
  readonly latency: ReadonlyMap<number, Latency | null>
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

const stateOf = (name: ContestantName): string => {
  const { protects } = aboutOf(name)
  if (protects === null) return 'none'
  return protects ? 'protected' : 'unprotected'
}

export function printResults(results: Results): void {
  printTable(
    ['CONTESTANT', 'STATE', 'PAYMENTS', ...names.map((name) => figures[name].head)],
    [...results].map(([contestant, { events, turns }]) => [
      contestant,
      stateOf(contestant),
      String(events),
      ...names.map((name) => {
        const values = turns.map((turn) => turn[name])
        return spread(values, figures[name].digits)
      }),
    ]),
  )
  printLatency(results)
  printCompared(results)
  const lines = Object.entries(ratios(results)).map(([name, ratio]) => [`weir / ${name}`, ratio.toFixed(3)])
  if (lines.length === 0) return
  print('')
  printTable(['APPLICATION CPU PER PAYMENT', 'RATIO'], lines)
}

function printLatency(results: Results): void {
  const timed = [...results].flatMap(([contestant, { latency }]) =>
    [...latency].map(([rate, found]) => [
      contestant,
      String(rate),
      ...(found === null
        ? ['cannot keep up', '', '', '']
        : [found.p50_ms, found.p99_ms, found.p99_9_ms, found.max_ms].map(String)),
    ]),
  )
  if (timed.length === 0) return
  print('')
  printTable(['CONTESTANT', 'PAYMENTS/S', 'P50 MS', 'P99 MS', 'P99.9 MS', 'MAX MS'], timed)
}

/** In the last turn. */
function printCompared(results: Results): void {
  const rows = [...results].flatMap(([contestant, { turns }]) => {
    const compared = turns.at(-1)?.compared ?? null
    if (compared === null) return []
    const { decisions, unscored, scores, cells, differing } = compared
    return [[contestant, String(decisions), String(unscored), String(scores), `${differing} of ${cells}`]]
  })
  if (rows.length === 0) return
  print('')
  printTable(
    [
      'BESIDE WEIR ALONE',
      'DECISIONS',
      'NO SCORE',
      'OTHER SCORES',
      'OTHER VALUES OF MERCHANT, TERMINAL, DEVICE',
    ],
    rows,
  )
}

/** What programs get: medians of the turns; latency at the highest rate, and by rate; ratios. */
export function resultsOf(results: Results) {
  const found = Object.fromEntries(
    [...results].map(([contestant, { events, turns, latency }]) => {
      const medians = Object.fromEntries(
        names.map((name) => [name, rounded(median(turns.map((turn) => turn[name])))]),
      )
      const { p50_ms = null, p99_ms = null, p99_9_ms = null } = latency.get(Math.max(...latency.keys())) ?? {}
      return [
        contestant,
        {
          state: stateOf(contestant),
          payments: events,
          ...medians,
          p50_ms,
          p99_ms,
          p99_9_ms,
          latency: Object.fromEntries(latency),
          turns: turns.map((turn) => ({ ...roundedAll(turn), compared: turn.compared })),
        },
      ]
    }),
  )
  const cpu = ratios(results)
  const { floor = null, 'floor-grouped': grouped = null } = cpu
  return {
    contestants: found,
    ratios: cpu,
    ratio: floor,
    ratio_grouped: grouped,
    p99_ratios: p99Ratios(results),
  }
}

/** Application CPU of weir over that of each other contestant, medians. */
function ratios(results: Results): Readonly<Record<string, number>> {
  const cpu = (name: ContestantName) =>
    median((results.get(name) as Result).turns.map(({ cpu_s_per_100k }) => cpu_s_per_100k))
  if (!results.has('weir')) return {}
  const others = [...results.keys()].filter((name) => name !== 'weir')
  return Object.fromEntries(others.map((name) => [name, rounded(cpu('weir') / cpu(name))]))
}

/** By contestant and rate; those that could not keep up left out. */
function p99Ratios(results: Results): Readonly<Record<string, Readonly<Record<string, number>>>> {
  const weir = results.get('weir')?.latency
  const ofOne = ({ latency }: Result) =>
    Object.fromEntries(
      [...latency].flatMap(([rate, theirs]) => {
        const ours = weir?.get(rate) ?? null
        return ours === null || theirs === null ? [] : [[rate, rounded(ours.p99_ms / theirs.p99_ms)]]
      }),
    )
  const others = [...results].filter(([name]) => name !== 'weir')
  return Object.fromEntries(others.map(([name, result]) => [name, ofOne(result)]))
}

const roundedAll = (turn: Result['turns'][number]) =>
  Object.fromEntries(names.map((name) => [name, rounded(turn[name])]))

const rounded = (value: number): number => Math.round(value * 1_000) / 1_000
