import { parseArgs } from 'node:util'

/** What the bench knows of a contestant. */
interface About {
  /** Whether a crash leaves the states as the committed log has them; null: it keeps none. */
  readonly protects: boolean | null
  /** What it writes: its decisions, or the payments themselves. */
  readonly answers: 'decisions' | 'transactions'
  /** Payments of a backlog turn at most, where it could not do them all in reasonable time. */
  readonly most: number
  /** Whether payments lie on topics of its own between input and decision. */
  readonly relays?: true
}

const all = Number.POSITIVE_INFINITY

/** floor and floor-grouped: see floor.ts. weir: the process that `weir stream` starts; -changelog: with `topics.features`. */
const contestants = {
  floor: { protects: null, answers: 'transactions', most: all },
  'floor-grouped': { protects: null, answers: 'transactions', most: all },
  weir: { protects: true, answers: 'decisions', most: all },
  'weir-changelog': { protects: true, answers: 'decisions', most: all },
  naive: { protects: false, answers: 'decisions', most: 20_000 },
  python: { protects: false, answers: 'decisions', most: all },
  'kafka-streams': { protects: true, answers: 'decisions', most: all },
  quix: { protects: true, answers: 'decisions', most: 100_000, relays: true },
} as const satisfies Readonly<Record<string, About>>
export type ContestantName = keyof typeof contestants

export const aboutOf = (name: ContestantName): About => contestants[name]

export const isWeir = (name: string): name is 'weir' | 'weir-changelog' => name.startsWith('weir')
export const isFloor = (name: string): name is 'floor' | 'floor-grouped' => name.startsWith('floor')
const names = Object.keys(contestants) as ContestantName[]

export interface BenchOptions {
  readonly contestants: readonly ContestantName[]
  /** Payments in the backlog. */
  readonly events: number
  /** Records in a transaction at most. */
  readonly batch: number
  /** Turns of each contestant over the backlog. */
  readonly rounds: number
  readonly partitions: number
  readonly seed: number
  /** Of the generated payments. */
  readonly customers: number
  /** Payments come from this file instead of the generator. */
  readonly file: string | undefined
  readonly map: string | undefined
  /** Payments a second at which latency is measured, one run each. */
  readonly rates: readonly number[]
  /** Length of a latency run. */
  readonly seconds: number
  /** Payments a second of a replay beside weir in a further latency run; 0: no such run. */
  readonly beside: number
  /** Milliseconds by which each answer of broker and Redis reaches a contestant late; 0: none. */
  readonly distance: number
  /** Primaries of a Redis Cluster that holds the states; 1: one server that is of none. */
  readonly shards: number
  readonly json: boolean
  /** Whether weir runs under the profiler of V8. */
  readonly profile: boolean
}

export const usage = `npm run bench -- [CONTESTANT...] [options]   (default: floor floor-grouped weir; all: every one)
contestants: ${names.join(' ')}

npm run bench -- replay --help                            what replay costs, beside ONNX Runtime and pandas
npm run bench -- gpu --help                               models on a GPU and on the CPU
npm run bench -- rules --help                             what rules cost a payment
npm run bench -- http --help                              what one score over HTTP takes
npm run bench -- start --help                             how long a start takes
npm run bench -- scale --help                             what a deployment does at a rate: a simulation
npm run bench -- sizes --help                             bytes of a payment on every link

  --events N      payments in the backlog, the first half to warm up (400000); ${names
    .filter((name) => aboutOf(name).most < all)
    .map((name) => `${name}: ${aboutOf(name).most}`)
    .join(', ')} at most
  --batch N       records in a transaction at most (2000)
  --rounds N      turns of each contestant, A B A B (3)
  --partitions N  of every topic (4)
  --seed N        of the generated payments (1)
  --customers N   who make the generated payments (2000)
  --file F        payments from a .csv, .jsonl or .avro file, also .gz, instead of generated ones
  --map M         mapping of that file, or the name of one in mappings/
  --rates A,B     payments a second for latency (500,2000); "none": no latency runs
  --seconds N     length of a latency run (15)
  --beside N      measure weir's latency once more, beside a replay of the backlog at N payments/s
  --distance N    each answer of broker and Redis reaches a contestant N ms late, as over a network
  --shards N      the states lie in a Redis Cluster of N primaries (1: no cluster); for floor and weir
  --profile       profile weir: top functions and shares by layer; its CPU figures are then too high
  --json          the results as one line of JSON, last
  --help`

/** @throws Error that says what is wrong with the command line. */
export function readOptions(args: readonly string[]): BenchOptions | 'help' {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      events: { type: 'string', default: '400000' },
      batch: { type: 'string', default: '2000' },
      rounds: { type: 'string', default: '3' },
      partitions: { type: 'string', default: '4' },
      seed: { type: 'string', default: '1' },
      customers: { type: 'string', default: '2000' },
      file: { type: 'string' },
      map: { type: 'string' },
      rates: { type: 'string', default: '500,2000' },
      seconds: { type: 'string', default: '15' },
      beside: { type: 'string' },
      distance: { type: 'string' },
      shards: { type: 'string', default: '1' },
      json: { type: 'boolean', default: false },
      profile: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) return 'help'
  const { file, map, json, profile, rates, beside, distance } = values
  const chosen = positionals.length === 0 ? names.slice(0, 3) : positionals.flatMap(contestantsOf)
  const shards = whole('shards', values.shards)
  if (shards > 1 && distance !== undefined) throw new Error('--shards and --distance do not go together')
  if (shards > 1 && !chosen.every((name) => isWeir(name) || isFloor(name)))
    throw new Error('--shards: only floor and weir know Redis Cluster')
  return {
    contestants: chosen,
    events: whole('events', values.events),
    batch: whole('batch', values.batch),
    rounds: whole('rounds', values.rounds),
    partitions: whole('partitions', values.partitions),
    seed: whole('seed', values.seed),
    customers: whole('customers', values.customers),
    rates: rates === 'none' ? [] : rates.split(',').map((rate) => whole('rates', rate)),
    seconds: whole('seconds', values.seconds),
    beside: beside === undefined ? 0 : whole('beside', beside),
    distance: distance === undefined ? 0 : whole('distance', distance),
    shards,
    file,
    map,
    json,
    profile,
  }
}

function contestantsOf(name: string): readonly ContestantName[] {
  if (name === 'all') return names
  const found = names.find((one) => one === name)
  if (found === undefined) throw new Error(`${name} is none of ${names.join(', ')}, all`)
  return [found]
}

/** @throws Error when the text is no whole number from 1. */
export function whole(name: string, text: string): number {
  const value = Number(text)
  if (!Number.isSafeInteger(value) || value < 1)
    throw new Error(`--${name} ${text}: give a whole number from 1`)
  return value
}
