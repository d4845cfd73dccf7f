import { listModels, readPackage } from '../src/adapters/model-package.ts'
import { loadOnnxModel, type OnnxModel } from '../src/adapters/onnx-model.ts'
import { processorTime } from './processor-time.ts'

export const explainUsage = `npm run bench -- explain [MODELS]

Processor time of explaining, microseconds a row, of every package in a folder (default: models), and what that is for
100,000 payments of which 1.2 % are not approved. The rows are the golden ones, 25 at once.`

const atOnce = 25
const rounds = 5
/** What `npm start` does not approve of. */
const notApproved = 0.012

/** Prints a line a package. */
export async function benchExplain([root = 'models']: readonly string[]): Promise<void> {
  const lines: Record<string, object> = {}
  for (const listing of await listModels(root)) {
    if (listing.error !== null) throw listing.error
    const files = await readPackage(listing.dir, listing)
    const { name, version } = files.manifest
    const model = await loadOnnxModel(files, { providers: ['cpu'], threads: 1 }, () => {})
    const { features, rows } = files.golden
    const costs: number[] = []
    for (let round = 0; round < rounds; round++) costs.push(await costOf(model, features, rows))
    const [least, median] = [Math.min(...costs), costs.toSorted((a, b) => a - b)[rounds >> 1] as number]
    const { exact } = await model.explain(features, rows, [0])
    lines[`${name}@${version}`] = {
      'Shapley values': exact ? 'exact' : 'estimated',
      'us a row': Math.round(median),
      least: Math.round(least),
      'CPU s per 100,000': Number(((median / 1e6) * 100_000 * notApproved).toFixed(2)),
    }
  }
  console.table(lines)
}

async function costOf(model: OnnxModel, features: Float32Array, rows: number): Promise<number> {
  const batches = Math.floor(rows / atOnce)
  return processorTime(async (turn) => {
    const which = Array.from({ length: atOnce }, (_, i) => (turn % batches) * atOnce + i)
    await model.explain(features, rows, which)
    return atOnce
  })
}
