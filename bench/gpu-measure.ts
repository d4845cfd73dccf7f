import { createHash } from 'node:crypto'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { InferenceSession, Tensor } from 'onnxruntime-node'
import type { Golden, ModelPackage } from '../src/adapters/model-package.ts'
import { type Execution, loadOnnxModel, type OnnxModel } from '../src/adapters/onnx-model.ts'
import { median } from './median.ts'

/**
 * Rows as many as wanted, row-major: each cell is that of a golden row drawn for it, so that every value is one that
 * the feature had, missing among them, while no two rows are the same.
 */
export function rowsLike({ features, rows }: Golden, wanted: number, seed: number): Float32Array {
  const columns = features.length / rows
  let state = seed >>> 0
  return Float32Array.from({ length: wanted * columns }, (_, i) => {
    // A linear congruential generator (Numerical Recipes); its low bits are poor.
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    const row = Math.floor((state / 2 ** 32) * rows)
    return features[row * columns + (i % columns)] as number
  })
}

/** Operators by the provider that runs them, one entry a node. */
export type Placement = Readonly<Record<string, readonly string[]>>

/** Where ONNX Runtime puts the nodes: what a provider lacks runs on cpu without a word. By its own profiler. */
export async function placementOf({ manifest, graphs }: ModelPackage, provider: string): Promise<Placement> {
  const folder = mkdtempSync(join(tmpdir(), 'weir-bench-'))
  const found: Record<string, string[]> = {}
  try {
    for (const [i, { input, rows_at_once: rowsAtOnce }] of manifest.parts.entries()) {
      const session = await InferenceSession.create(graphs[i] as Buffer, {
        executionProviders: [provider],
        enableProfiling: true,
        profileFilePrefix: join(folder, `${i}`),
        logSeverityLevel: 4,
      })
      const shape = [rowsAtOnce ?? 1, ...input.shape.slice(1)] as number[]
      const cells = new Float32Array(shape.reduce((product, size) => product * size, 1))
      await session.run({ [input.name]: new Tensor('float32', cells, shape) })
      session.endProfiling()
      await session.release()
    }
    for (const name of readdirSync(folder)) {
      for (const { name: what, args } of JSON.parse(readFileSync(join(folder, name), 'utf8'))) {
        if (!what.endsWith('_kernel_time')) continue
        const place = args.provider.replace('ExecutionProvider', '').toLowerCase()
        found[place] = [...(found[place] ?? []), args.op_name]
      }
    }
  } finally {
    rmSync(folder, { recursive: true })
  }
  return found
}

/** How the scores of a provider differ from those of cpu with one thread, and what its start took. */
export interface Parity {
  readonly rows: number
  /** Largest difference of raw scores, of any part. */
  readonly raw: number
  readonly probability: number
  /** How many risk scores differ. */
  readonly risk_scores: number
  /** Of the provider's raw scores: another run has the same bits where it has the same digest. */
  readonly sha256: string
  readonly load_ms: number
  /** With all rows, in calls as the package says. */
  readonly first_call_ms: number
}

export async function parityOf(
  files: ModelPackage,
  provider: string,
  features: Float32Array,
  rows: number,
): Promise<Parity> {
  const began = performance.now()
  const model = await loadOnnxModel(files, { providers: [provider], threads: 1 }, () => {})
  const loaded = performance.now()
  await model.raw(features, Math.min(rows, 64))
  const called = performance.now()
  const cpu = await loadOnnxModel(files, { providers: ['cpu'], threads: 1 }, () => {})
  const [mine, its] = [await scoresOf(model, features, rows), await scoresOf(cpu, features, rows)]
  const digest = createHash('sha256')
  for (const part of mine.raw) digest.update(part)
  return {
    rows,
    raw: Math.max(...mine.raw.map((part, i) => farthest(part, its.raw[i] as Float64Array))),
    probability: farthest(mine.probabilities, its.probabilities),
    risk_scores: mine.risks.filter((risk, row) => risk !== its.risks[row]).length,
    sha256: digest.digest('hex'),
    load_ms: loaded - began,
    first_call_ms: called - loaded,
  }
}

async function scoresOf(model: OnnxModel, features: Float32Array, rows: number) {
  const raw = await model.raw(features, rows)
  const { probabilities } = await model.score(features, rows)
  return { raw, probabilities, risks: Array.from(probabilities, model.riskScore) }
}

const farthest = (mine: Float64Array, its: Float64Array): number =>
  mine.reduce((most, score, row) => Math.max(most, Math.abs(score - (its[row] as number))), 0)

export interface Speed {
  /** Of one call, median, by the clock. */
  readonly ms: number
  readonly rows_per_second: number
  readonly calls: number
}

/** With the graphs called for all rows at once, whatever the manifest says of `rows_at_once`. */
export function unpadded(files: ModelPackage): ModelPackage {
  const { manifest } = files
  const parts = manifest.parts.map((part) => ({ ...part, rows_at_once: null }))
  return { ...files, manifest: { ...manifest, parts } }
}

/** Of calls with so many rows each; the first does not count. */
export async function speedOf(
  files: ModelPackage,
  execution: Execution,
  features: Float32Array,
  batch: number,
  seconds: number,
): Promise<Speed> {
  const model = await loadOnnxModel(files, execution, () => {})
  const width = files.manifest.columns.length
  const rows = features.length / width
  if (batch > rows) throw new Error(`--batches ${batch}: there are only ${rows} rows (--rows)`)
  const calls: number[] = []
  for (let from = 0, spent = -1; spent < seconds * 1_000; from += batch) {
    if (from + batch > rows) from = 0
    const began = performance.now()
    await model.raw(features.subarray(from * width, (from + batch) * width), batch)
    const took = performance.now() - began
    if (spent < 0) spent = 0
    else {
      spent += took
      calls.push(took)
    }
  }
  const ms = median(calls)
  return { ms, rows_per_second: (batch / ms) * 1_000, calls: calls.length }
}
