import { type MessagePort, parentPort, workerData } from 'node:worker_threads'
import { WeirError } from '../core/errors.ts'
import type { Explanations, Scores } from '../core/ports.ts'
import { loadProven } from './model-admission.ts'
import { readManifest, readPackage } from './model-package.ts'
import type { OnnxModel } from './onnx-model.ts'
import type { Admission, Answer, Batch, Failure, ThreadData } from './threaded-model.ts'

const port = parentPort as MessagePort

async function load({ dir, sha256, ...execution }: ThreadData): Promise<void> {
  const places: string[] = []
  const files = await readPackage(dir, await readManifest(dir))
  if (files.sha256 !== sha256) {
    throw new WeirError('WEIR_MODEL_HASH', `the package in ${dir} was changed while it was being loaded`, {
      cure: 'try again when nobody writes there',
    })
  }
  serve(await loadProven(files, { ...execution, log: (place) => places.push(place) }))
  port.postMessage({ places } satisfies Admission)
}

function serve(model: OnnxModel): void {
  // One after the other: by their order alone it is told which answer is whose.
  let last: Promise<void> = Promise.resolve()
  port.on('message', (batch: Batch | null) => {
    last = last.then(async () => {
      if (batch === null) {
        port.close()
        return
      }
      const memory = batch.features.buffer as ArrayBuffer
      port.postMessage({ memory, ...(await answer(model, batch)) } satisfies Answer, [memory])
    })
  })
}

async function answer(
  model: OnnxModel,
  { wanted, features, rows }: Batch,
): Promise<{ result: Scores | Explanations } | Failure> {
  try {
    if (wanted === 'scores') return { result: await model.score(features, rows) }
    return { result: await model.explain(features, rows, [...Array(rows).keys()]) }
  } catch (error) {
    return told(error)
  }
}

function told(error: unknown): Failure {
  if (!(error instanceof WeirError)) return { error: error as Error }
  const { code, cure } = error
  return { error, code, cure }
}

try {
  await load(workerData as ThreadData)
} catch (error) {
  port.postMessage(told(error) satisfies Admission)
}
