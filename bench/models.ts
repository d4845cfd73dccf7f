import { listModels, readPackage } from '../src/adapters/model-package.ts'
import { loadOnnxModel } from '../src/adapters/onnx-model.ts'

// Processor time of scoring, microseconds a row, of every package in a folder: node bench/models.ts [models]
const batches = [1, 64, 500, 2000]
const leastSeconds = 0.5

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
    costs[`${rows} rows`] = await cost(() => model.score(batch, rows), rows)
  }
  lines[`${name}@${version}`] = costs
}
console.table(lines)

/** Microseconds of processor time a row, all threads; the first call does not count. */
async function cost(score: () => Promise<unknown>, rows: number): Promise<number> {
  await score()
  const began = process.cpuUsage()
  let used = 0
  let scored = 0
  while (used < leastSeconds * 1e6) {
    await score()
    scored += rows
    const { user, system } = process.cpuUsage(began)
    used = user + system
  }
  return Math.round((used / scored) * 10) / 10
}
