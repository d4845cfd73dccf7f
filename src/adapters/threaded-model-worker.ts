import { parentPort, workerData } from 'node:worker_threads'
import { WeirError } from '../core/errors.ts'
import type { Explanations, Scores } from '../core/ports.ts'
import { readManifest, readPackage } from './model-package.ts'
import { loadOnnxModel } from './onnx-model.ts'
import type { Answer, Batch, ThreadData } from './threaded-model.ts'

const { dir, sha256, ...execution } = workerData as ThreadData
const model = await loadOnnxModel(await readPackage(dir, await readManifest(dir)), execution, () => {})
if (model.sha256 !== sha256) {
  throw new WeirError('WEIR_MODEL_HASH', `the package in ${dir} was changed while it was being loaded`, {
    cure: 'try again when nobody writes there',
  })
}

// One after the other: by their order alone it is told which answer is whose.
let last: Promise<void> = Promise.resolve()
parentPort?.on('message', (batch: Batch | null) => {
  last = last.then(async () => {
    if (batch === null) {
      parentPort?.close()
      return
    }
    const memory = batch.features.buffer as ArrayBuffer
    parentPort?.postMessage({ memory, ...(await answer(batch)) } satisfies Answer, [memory])
  })
})
parentPort?.postMessage('ready')

async function answer(batch: Batch): Promise<{ result: Scores | Explanations } | { error: Error }> {
  const { wanted, features, rows } = batch
  try {
    if (wanted === 'scores') return { result: await model.score(features, rows) }
    return { result: await model.explain(features, rows, [...Array(rows).keys()]) }
  } catch (error) {
    return { error: error as Error }
  }
}
