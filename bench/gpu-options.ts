import { parseArgs } from 'node:util'
import { whole } from './options.ts'

export interface GpuBenchOptions {
  /** Folder of packages, all of which are measured. */
  readonly models: string
  /** What is measured against `cpu`, as in `models.providers`. */
  readonly provider: string
  /** Rows whose scores are compared. */
  readonly rows: number
  readonly batches: readonly number[]
  /** Each speed is measured for so long at least. */
  readonly seconds: number
  readonly seed: number
  readonly json: boolean
}

export const gpuUsage = `npm run bench -- gpu [MODELS] [options]     (default: the packages in models/)

  --provider P    what is held against cpu (cuda)
  --rows N        rows whose scores are compared (20000)
  --batches A,B   rows in a call, for speed (1,16,128,512,2000,8000); "none": no speeds
  --seconds N     how long a speed is measured, at least (1)
  --seed N        of the rows (1)
  --json          the results as one line of JSON, last
  --help`

/** @throws Error that says what is wrong with the command line. */
export function readGpuOptions(args: readonly string[]): GpuBenchOptions | 'help' {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      provider: { type: 'string', default: 'cuda' },
      rows: { type: 'string', default: '20000' },
      batches: { type: 'string', default: '1,16,128,512,2000,8000' },
      seconds: { type: 'string', default: '1' },
      seed: { type: 'string', default: '1' },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) return 'help'
  const { provider, batches, json } = values
  return {
    models: positionals[0] ?? 'models',
    provider,
    rows: whole('rows', values.rows),
    batches: batches === 'none' ? [] : batches.split(',').map((batch) => whole('batches', batch)),
    seconds: whole('seconds', values.seconds),
    seed: whole('seed', values.seed),
    json,
  }
}
