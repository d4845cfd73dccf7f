import { parseArgs } from 'node:util'
import { whole } from './options.ts'

export interface HttpBenchOptions {
  /** Payments that are decided before, so that customers have a past. */
  readonly events: number
  readonly customers: number
  readonly seed: number
  /** Requests a second. */
  readonly rate: number
  /** Length of a round. */
  readonly seconds: number
  readonly rounds: number
  readonly json: boolean
}

export const httpUsage = `npm run bench -- http [options]     what POST /v1/score takes, beside a round to Redis

  --events N      payments that are decided before (20000)
  --customers N   who make them (2000)
  --seed N        of the generated payments (1)
  --rate N        requests a second (200)
  --seconds N     length of a round (15)
  --rounds N      (3)
  --json          the results as one line of JSON, last
  --help`

/** @throws Error that says what is wrong with the command line. */
export function readHttpOptions(args: readonly string[]): HttpBenchOptions | 'help' {
  const { values } = parseArgs({
    args: [...args],
    options: {
      events: { type: 'string', default: '20000' },
      customers: { type: 'string', default: '2000' },
      seed: { type: 'string', default: '1' },
      rate: { type: 'string', default: '200' },
      seconds: { type: 'string', default: '15' },
      rounds: { type: 'string', default: '3' },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) return 'help'
  const { json, help: _, ...numbers } = values
  const entries = Object.entries(numbers).map(([name, text]) => [name, whole(name, text)])
  return { ...Object.fromEntries(entries), json } as HttpBenchOptions
}
