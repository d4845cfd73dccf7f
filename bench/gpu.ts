import { mkdirSync, writeFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { listModels, type ModelPackage, readPackage } from '../src/adapters/model-package.ts'
import { loadOnnxModel } from '../src/adapters/onnx-model.ts'
import { grouped, note, print, printTable } from '../src/cli/output.ts'
import { WeirError } from '../src/core/errors.ts'
import {
  type Parity,
  type Placement,
  parityOf,
  placementOf,
  rowsLike,
  type Speed,
  speedOf,
} from './gpu-measure.ts'
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

interface Measured {
  readonly model: string
  readonly megabytes: number
  readonly placement: Placement
  readonly parity: Parity
  /** By rows in a call, then by where it ran. */
  readonly speeds: readonly { readonly batch: number; readonly of: Record<string, Speed> }[]
}

/** Every package of a folder on a GPU and on the CPU of the same machine: the same scores? how fast? */
export async function benchGpu(options: GpuBenchOptions): Promise<void> {
  const { models, provider } = options
  const found: Measured[] = []
  for (const listing of await listModels(models)) {
    if (listing.error !== null) throw listing.error
    const files = await readPackage(listing.dir, listing)
    if (found.length === 0) await requireProvider(files, provider)
    found.push(await measure(files, options))
  }
  if (found.length === 0) throw new Error(`no packages in ${models}`)
  report(found, options)
}

/** @throws Error that says why the provider does not run here. */
async function requireProvider(files: ModelPackage, provider: string): Promise<void> {
  try {
    await loadOnnxModel(files, { providers: [provider], threads: 1 }, () => {})
  } catch (error) {
    if (!(error instanceof WeirError)) throw error
    throw new Error(`${error.message}. docs/models.md#providers says what ${provider} needs`)
  }
}

async function measure(files: ModelPackage, options: GpuBenchOptions): Promise<Measured> {
  const { name, version } = files.manifest
  const model = `${name}@${version}`
  const { provider, rows, batches, seconds, seed } = options
  note(`${model}: ${grouped(rows)} rows on ${provider} and on cpu`)
  const features = rowsLike(files.golden, rows, seed)
  const placement = await placementOf(files, provider)
  const parity = await parityOf(files, provider, features, rows)
  const all = availableParallelism()
  const executions = { [provider]: 1, 'cpu, 1 thread': 1, [`cpu, ${all} threads`]: all }
  const speeds = batches.map((batch) => ({ batch, of: {} as Record<string, Speed> }))
  for (const [place, threads] of Object.entries(executions)) {
    const providers = [place === provider ? provider : 'cpu']
    for (const { batch, of } of speeds) {
      of[place] = await speedOf(files, { providers, threads }, features, batch, seconds)
      note(`  ${place}: ${grouped(batch)} rows in ${of[place].ms.toFixed(2)} ms`)
    }
  }
  const megabytes = files.graphs.reduce((sum, { length }) => sum + length, 0) / 1e6
  return { model, megabytes, placement, parity, speeds }
}

function report(found: readonly Measured[], { provider, json }: GpuBenchOptions): void {
  const scientific = (value: number) => value.toExponential(1)
  printTable(
    [
      'MODEL',
      'MB',
      `NODES ON ${provider.toUpperCase()}`,
      'ON CPU',
      'RAW',
      'PROBABILITY',
      'RISK SCORES',
      'LOAD MS',
      'FIRST CALL MS',
    ],
    found.map(({ model, megabytes, placement, parity }) => [
      model,
      megabytes.toFixed(1),
      ...[provider, 'cpu'].map((place) => String(placement[place]?.length ?? 0)),
      scientific(parity.raw),
      scientific(parity.probability),
      String(parity.risk_scores),
      parity.load_ms.toFixed(0),
      parity.first_call_ms.toFixed(0),
    ]),
    'numbers',
  )
  print('\nRAW, PROBABILITY: largest difference between the two; RISK SCORES: how many differ.')
  for (const { model, speeds } of found) {
    if (speeds.length === 0) continue
    const places = Object.keys(speeds[0]?.of ?? {})
    print('')
    printTable(
      [model, ...places.flatMap((place) => [`${place.toUpperCase()}: ROWS/S`, 'MS A CALL'])],
      speeds.map(({ batch, of }) => [
        grouped(batch),
        ...places.flatMap((place) => {
          const speed = of[place] as Speed
          return [grouped(Math.round(speed.rows_per_second)), speed.ms.toFixed(2)]
        }),
      ]),
      'numbers',
    )
  }
  const results = JSON.stringify(found)
  const folder = join(import.meta.dirname, 'results')
  mkdirSync(folder, { recursive: true })
  const path = join(folder, `gpu-${Date.now()}.json`)
  writeFileSync(path, `${results}\n`)
  note(path)
  if (json) print(results)
}
