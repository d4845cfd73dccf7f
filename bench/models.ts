import { listModels, readPackage } from '../src/adapters/model-package.ts'
import { loadOnnxModel } from '../src/adapters/onnx-model.ts'
import { processorTime } from './processor-time.ts'

// Processor time of scoring, microseconds a row, of every package in a folder: node bench/models.ts [models]
const batches = [1, 64, 500, 2000]

const [root = 'models'] = process.argv.slice(2)
const lines: Record<string, Record<string, number>> = {}
for (const listing of await listModels(root)) {
  if (listing.error !== null) throw listing.error
  const files = await readPackage(listing.dir, listing)
  const { name, version, columns } = files.manifest
  const model = await loadOnnxModel(files, { providers: ['cpu'], threads: 1 }, () => {})
  const { features } = files.golden
  const costs: Record<string, number> = {}
  for (const rows of batches) {
    const batch = Float32Array.from(
      { length: rows * columns.length },
      (_, i) => features[i % features.length] as number,
    )
    const cost = await processorTime(async () => {
      await model.score(batch, rows)
      return rows
    })
    costs[`${rows} rows`] = Math.round(cost * 10) / 10
  }
  lines[`${name}@${version}`] = costs
}
console.table(lines)
