import { readManifest, readPackage } from '../src/adapters/model-package.ts'
import { loadOnnxModel } from '../src/adapters/onnx-model.ts'
import type { Config } from '../src/config/schema.ts'
import { type Candidate, folderOf } from '../src/replay/candidates.ts'
import { historiesOf, newTally, Pass, type PassOptions } from '../src/replay/pass.ts'
import type { HistoryItem } from '../src/replay/source.ts'

/** What one turn took. */
export interface Turn {
  readonly rows: number
  readonly seconds: number
  /** All threads of the process. */
  readonly cpu_s: number
}

export async function timed(run: () => Promise<number>): Promise<Turn> {
  const [began, cpuBegan] = [performance.now(), process.cpuUsage()]
  const rows = await run()
  const { user, system } = process.cpuUsage(cpuBegan)
  return { rows, seconds: (performance.now() - began) / 1_000, cpu_s: (user + system) / 1e6 }
}

/** A pass of `weir replay` over a whole history from no states on. Nothing of it may be refused. */
export const wholePass = (
  topic: string,
  candidates: readonly Candidate[],
  onDecided: PassOptions['onDecided'],
): Pass =>
  new Pass({
    topic,
    candidates,
    histories: historiesOf(candidates),
    known: new Map(),
    cutOff: Number.POSITIVE_INFINITY,
    limit: Number.POSITIVE_INFINITY,
    tally: newTally(),
    onDecided,
    onRejected(at, reason) {
      throw new Error(`${at}: ${reason}`)
    },
  })

/**
 * One pass of `weir replay` over history that is in memory, from no states to the decisions.
 *
 * @param onRows gets the features of each chunk.
 * @returns how many payments were decided by the model.
 */
export async function replayOnce(
  items: readonly HistoryItem[],
  candidates: readonly Candidate[],
  onRows: (rows: Float32Array) => void = () => {},
): Promise<number> {
  let [payments, scored] = [0, 0]
  const pass = wholePass('transactions', candidates, ({ arrivals, rows, decisions: [ofChampion = []] }) => {
    payments += arrivals.length
    for (const { status } of ofChampion) if (status !== 'degraded') scored++
    onRows(rows)
  })
  await pass.take(items)
  await pass.settle()
  if (scored !== payments) throw new Error(`the model failed for ${payments - scored} payments`)
  return payments
}

const batches = [250, 500, 1_000, 2_000, 4_000, 8_000]

/**
 * ONNX Runtime with the session that replay has, and nothing else: features that are there already, in batches of the
 * size at which a trial was fastest.
 */
export async function onnxAlone(config: Config, features: Float32Array) {
  const dir = await folderOf(config.models.champion, config)
  const { providers, threads } = config.models
  const files = await readPackage(dir, await readManifest(dir))
  const model = await loadOnnxModel(files, { providers, threads }, () => {})
  const width = files.manifest.columns.length

  async function score(batch: number, rows: number): Promise<number> {
    for (let from = 0; from < rows; from += batch) {
      const some = Math.min(batch, rows - from)
      await model.raw(features.subarray(from * width, (from + some) * width), some)
    }
    return rows
  }

  const rows = features.length / width
  const trial = Math.min(rows, 20_000)
  await score(trial, trial)
  const costs: number[] = []
  for (const batch of batches) costs.push((await timed(() => score(batch, trial))).cpu_s)
  const batch = batches[costs.indexOf(Math.min(...costs))] as number
  return { batch, width, run: () => timed(() => score(batch, rows)) }
}
