import { parseArgs } from 'node:util'
import { grouped, note, print, printTable } from '../src/cli/output.ts'
import { whole } from './options.ts'
import { type ScaleModel, type ScaleRun, sharesOf, simulate } from './scale-model.ts'

/** What is measured, and by what: docs/scaling.md. */
const defaults = {
  rate: '100000',
  partitions: '24',
  members: 'needed',
  customers: '1000000',
  skew: '0.7',
  batch: '2000',
  'event-us': '29',
  'transaction-us': '3000',
  'partition-us': '40',
  'redis-ms': '1',
  'commit-ms': '6',
  'tail-ms': '6',
  'session-ms': '10000',
  'rebalance-ms': '2000',
  'p99-ms': '250',
  seconds: '30',
  'death-at': '5',
  seed: '1',
} as const

export const scaleUsage = `npm run bench -- scale [options]     simulates partitions, members, Redis and transactions at a rate

  --rate A,B          payments a second (${defaults.rate})
  --partitions N      of every topic (${defaults.partitions})
  --members N         or "needed": the fewest that keep to the p99 without one of them (${defaults.members})
  --p99-ms N          of what is needed (${defaults['p99-ms']})
  --customers N       (${defaults.customers})
  --skew S            the k-th customer makes payments in proportion to k^-S (${defaults.skew})
  --batch N           records of a chunk at most (${defaults.batch})
  --event-us N        CPU of a payment (${defaults['event-us']})
  --transaction-us N  CPU of a transaction (${defaults['transaction-us']})
  --partition-us N    CPU of each partition that it writes to (${defaults['partition-us']})
  --redis-ms N        a round trip (${defaults['redis-ms']})
  --commit-ms N       from the end of the work to the reader of the answer, at least (${defaults['commit-ms']})
  --tail-ms N         and on average so much more, exponential (${defaults['tail-ms']})
  --session-ms N      until a death is noticed (${defaults['session-ms']})
  --rebalance-ms N    and until others have its partitions (${defaults['rebalance-ms']})
  --seconds N         simulated, twice: without a death and, three times as long, with one (${defaults.seconds})
  --death-at N        second of the death (${defaults['death-at']})
  --seed N            (${defaults.seed})
  --json              the results as one line of JSON, last
  --help`

/** Prints what a deployment does at each rate, in ordinary operation and after the death of a member. */
export function benchScale(args: readonly string[]): void {
  const texts = Object.fromEntries(
    Object.entries(defaults).map(([name, value]) => [name, { type: 'string' as const, default: value }]),
  )
  const { values } = parseArgs({
    args: [...args],
    options: {
      ...texts,
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) {
    print(scaleUsage)
    return
  }
  const text = (name: keyof typeof defaults) => (values as Record<string, unknown>)[name] as string
  const number = (name: keyof typeof defaults) => least0(name, text(name))
  const model = (rate: number): Omit<ScaleModel, 'members'> => ({
    rate,
    partitions: whole('partitions', text('partitions')),
    customers: whole('customers', text('customers')),
    skew: number('skew'),
    batch: whole('batch', text('batch')),
    eventUs: number('event-us'),
    transactionUs: number('transaction-us'),
    partitionUs: number('partition-us'),
    redisMs: number('redis-ms'),
    commitMs: number('commit-ms'),
    tailMs: number('tail-ms'),
    sessionMs: number('session-ms'),
    rebalanceMs: number('rebalance-ms'),
    seconds: whole('seconds', text('seconds')),
    deathAt: null,
    seed: whole('seed', text('seed')),
  })
  const rates = text('rate')
    .split(',')
    .map((rate) => whole('rate', rate))
  const found = rates.map((rate) => {
    const given = model(rate)
    const shares = sharesOf(given)
    const members =
      text('members') === 'needed'
        ? membersFor(given, shares, number('p99-ms'))
        : whole('members', text('members'))
    const usual = simulate({ ...given, members }, shares)
    const after = simulate(
      { ...given, members, seconds: 3 * given.seconds, deathAt: number('death-at') },
      shares,
    )
    return { rate, partitions: given.partitions, members, usual, death: members === 1 ? null : after }
  })
  printTable(
    [
      'PAYMENTS/S',
      'PARTITIONS',
      'MEMBERS',
      'BUSY',
      'BUSIEST',
      'CHUNK',
      'TX/S',
      'MARKERS/S',
      'P50 MS',
      'P99 MS',
      'BACKLOG AFTER A DEATH',
      'CAUGHT UP S',
    ],
    found.map(rowOf),
    'numbers',
  )
  for (const { rate, usual } of found) {
    if (!keepsUp(usual))
      note(
        `${grouped(rate)} payments/s: cannot keep up, ${(usual.lagMs / 1_000).toFixed(1)} s behind at the end`,
      )
  }
  if (values.json) print(JSON.stringify(found))
}

interface Found {
  readonly rate: number
  readonly partitions: number
  readonly members: number
  readonly usual: ScaleRun
  readonly death: ScaleRun | null
}

function rowOf({ rate, partitions, members, usual, death }: Found): string[] {
  const percent = (share: number) => `${(share * 100).toFixed(0)} %`
  return [
    grouped(rate),
    String(partitions),
    String(members),
    percent(usual.busy),
    percent(usual.busiest),
    usual.chunk.toFixed(0),
    usual.transactionsPerSecond.toFixed(0),
    grouped(Math.round(usual.markersPerSecond)),
    usual.p50.toFixed(0),
    usual.p99.toFixed(0),
    death === null ? '' : grouped(death.backlog),
    death === null ? '' : death.caughtUpMs === null ? 'not' : (death.caughtUpMs / 1_000).toFixed(1),
  ]
}

/** Nothing waits for longer than a second at the end of a run. */
const keepsUp = ({ lagMs }: ScaleRun): boolean => lagMs < 1_000

/** The fewest members that keep up, within the p99, when one of them is missing. */
function membersFor(model: Omit<ScaleModel, 'members'>, shares: Float64Array, p99Ms: number): number {
  const fewest = Math.max(1, Math.ceil((model.rate * model.eventUs) / 1e6))
  for (let without = fewest; without < model.partitions; without++) {
    const run = simulate({ ...model, members: without, seconds: 10 }, shares)
    if (keepsUp(run) && run.p99 <= p99Ms) return without + 1
  }
  const at = `${model.rate} payments a second`
  throw new Error(`--partitions ${model.partitions}: no number of members keeps to ${p99Ms} ms at ${at}`)
}

function least0(name: string, text: string): number {
  const value = Number(text)
  if (text === '' || !Number.isFinite(value) || value < 0)
    throw new Error(`--${name} ${text}: give a number from 0`)
  return value
}
