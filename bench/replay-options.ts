import { parseArgs } from 'node:util'
import { whole } from './options.ts'

export interface ReplayBenchOptions {
  /** Payments that replay and ONNX Runtime get. */
  readonly events: number
  /** Payments that pandas gets; 0: without pandas. */
  readonly pandasEvents: number
  readonly rounds: number
  readonly seed: number
  /** Sizes of the replays whose memory is looked at. */
  readonly memory: readonly number[]
  readonly json: boolean
}

export const replayUsage = `npm run bench -- replay [options]

  --events N         generated payments for replay and ONNX Runtime (200000)
  --pandas-events N  for pandas, with as many payments a customer (20000); "none": without pandas
  --rounds N         turns of each contestant, A B C A B C (5)
  --seed N           of the generated payments (1)
  --memory A,B       sizes of \`weir replay --events\` whose memory is looked at (100000,1000000); "none"
  --json             the results as one line of JSON, last
  --help`

/** @throws Error that says what is wrong with the command line. */
export function readReplayOptions(args: readonly string[]): ReplayBenchOptions | 'help' {
  const { values } = parseArgs({
    args: [...args],
    options: {
      events: { type: 'string', default: '200000' },
      'pandas-events': { type: 'string', default: '20000' },
      rounds: { type: 'string', default: '5' },
      seed: { type: 'string', default: '1' },
      memory: { type: 'string', default: '100000,1000000' },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) return 'help'
  const { memory, json } = values
  return {
    events: whole('events', values.events),
    pandasEvents: values['pandas-events'] === 'none' ? 0 : whole('pandas-events', values['pandas-events']),
    rounds: whole('rounds', values.rounds),
    seed: whole('seed', values.seed),
    memory: memory === 'none' ? [] : memory.split(',').map((size) => whole('memory', size)),
    json,
  }
}
