import { mkdirSync, writeFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
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
  unpadded,
} from './gpu-measure.ts'
import type { GpuBenchOptions } from './gpu-options.ts'

interface Measured {
  readonly model: string
  readonly megabytes: number
  readonly placement: Placement
  readonly parity: Parity
  readonly speeds: readonly SpeedsOf[]
}

interface SpeedsOf {
  readonly rows: number
  /** Whether the graph got as many rows a call as the package says (`rows_at_once`), or all of them. */
  readonly as_packaged: boolean
  /** By where it ran. */
  readonly of: Record<string, Speed>
}

/** Every package of a folder on a GPU and on the CPU of the same machine: the same scores? how fast? */
export async function benchGpu(options: GpuBenchOptions): Promise<void> {
  const { models, provider } = options
  const found: Measured[] = []
  let startMs = 0
  for (const listing of await listModels(models)) {
    if (listing.error !== null) throw listing.error
    const files = await readPackage(listing.dir, listing)
    if (found.length === 0) startMs = await startProvider(files, provider)
    found.push(await measure(files, options))
  }
  if (found.length === 0) throw new Error(`no packages in ${models}`)
  report(found, startMs, options)
}

/**
 * The first model of the process, loaded and called once.
 *
 * @returns how long that took, milliseconds.
 * @throws Error that says why the provider does not run here.
 */
async function startProvider(files: ModelPackage, provider: string): Promise<number> {
  const began = performance.now()
  try {
    const model = await loadOnnxModel(files, { providers: [provider], threads: 1 }, () => {})
    await model.raw(files.golden.features, files.golden.rows)
  } catch (error) {
    if (!(error instanceof WeirError)) throw error
    throw new Error(`${error.message}. docs/models.md#providers says what ${provider} needs`)
  }
  return performance.now() - began
}

async function measure(files: ModelPackage, options: GpuBenchOptions): Promise<Measured> {
  const { name, version } = files.manifest
  const model = `${name}@${version}`
  const { provider, rows, seed } = options
  note(`${model}: ${grouped(rows)} rows on ${provider} and on cpu`)
  const features = rowsLike(files.golden, rows, seed)
  const placement = await placementOf(files, provider)
  const parity = await parityOf(files, provider, features, rows)
  const speeds = await speedsOf(files, features, options)
  const megabytes = files.graphs.reduce((sum, { length }) => sum + length, 0) / 1e6
  return { model, megabytes, placement, parity, speeds }
}

async function speedsOf(
  files: ModelPackage,
  features: Float32Array,
  { provider, batches, seconds }: GpuBenchOptions,
): Promise<SpeedsOf[]> {
  const all = availableParallelism()
  const executions = { [provider]: 1, 'cpu, 1 thread': 1, [`cpu, ${all} threads`]: all }
  const speeds: SpeedsOf[] = batches.map((rows) => ({ rows, as_packaged: false, of: {} }))
  const pads = files.manifest.parts.some((part) => part.rows_at_once !== null)
  if (pads && batches.length > 0) speeds.push({ rows: Math.max(...batches), as_packaged: true, of: {} })
  for (const [place, threads] of Object.entries(executions)) {
    const providers = [place === provider ? provider : 'cpu']
    for (const { rows, as_packaged, of } of speeds) {
      const measured = as_packaged ? files : unpadded(files)
      of[place] = await speedOf(measured, { providers, threads }, features, rows, seconds)
      note(`  ${place}: ${grouped(rows)} rows in ${of[place].ms.toFixed(2)} ms`)
    }
  }
  return speeds
}

function report(found: readonly Measured[], startMs: number, { provider, json }: GpuBenchOptions): void {
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
  print(
    `${provider} began in ${startMs.toFixed(0)} ms: the first model of the process, loaded and called once.`,
  )
  for (const { model, speeds } of found) {
    if (speeds.length === 0) continue
    const places = Object.keys(speeds[0]?.of ?? {})
    print('')
    printTable(
      [model, ...places.flatMap((place) => [`${place.toUpperCase()}: ROWS/S`, 'MS A CALL'])],
      speeds.map(({ rows, as_packaged, of }) => [
        as_packaged ? `${grouped(rows)}, as packaged` : grouped(rows),
        ...places.flatMap((place) => {
          const speed = of[place] as Speed
          return [grouped(Math.round(speed.rows_per_second)), speed.ms.toFixed(2)]
        }),
      ]),
      'numbers',
    )
  }
  const results = JSON.stringify({ start_ms: startMs, models: found })
  const folder = join(import.meta.dirname, 'results')
  mkdirSync(folder, { recursive: true })
  const path = join(folder, `gpu-${Date.now()}.json`)
  writeFileSync(path, `${results}\n`)
  note(path)
  if (json) print(results)
}
