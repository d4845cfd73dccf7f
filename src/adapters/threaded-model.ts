import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import type { Explanations, Model, Scores } from '../core/ports.ts'
import type { Execution } from './onnx-model.ts'

/** What the thread is told to load. */
export interface ThreadData extends Execution {
  /** Folder of the package. */
  readonly dir: string
  /** The package that was admitted: another one must not take its place between. */
  readonly sha256: string
}

/** A batch for the thread, and its answer. */
export interface Batch {
  readonly wanted: 'scores' | 'explanations'
  readonly features: Float32Array
  readonly rows: number
}
/** The memory of the batch comes back with it. */
export type Answer = { readonly memory: ArrayBuffer } & (
  | { readonly result: Scores | Explanations }
  | { readonly error: Error }
)

/** An admitted model in a thread of its own: the same bits, while this thread goes on with the next batch. */
export interface ThreadedModel extends Model {
  close(): Promise<void>
}

/** @throws the WEIR_MODEL_* error of the loading. */
export async function openThreadedModel(
  model: Model,
  dir: string,
  execution: Execution,
): Promise<ThreadedModel> {
  const workerData: ThreadData = { ...execution, dir, sha256: model.sha256 }
  const thread = new Worker(new URL('./threaded-model-worker.ts', import.meta.url), { workerData })
  // Rejects when the thread fails before it has loaded the model.
  await once(thread, 'message')
  const exited = once(thread, 'exit')
  // It rejects where the thread dies of an error, which whoever asks is told.
  exited.catch(() => {})
  const waiting: { resolve(result: Scores | Explanations): void; reject(error: Error): void }[] = []
  // Memory for batches to come: new memory for each would be collected long after.
  const spare: ArrayBuffer[] = []
  thread.on('message', (answer: Answer) => {
    spare.push(answer.memory)
    const asked = waiting.shift()
    if ('result' in answer) asked?.resolve(answer.result)
    else asked?.reject(answer.error)
    if (waiting.length === 0) thread.unref()
  })
  let died: Error | null = null
  thread.on('error', (error: Error) => {
    died = error
    for (const asked of waiting.splice(0)) asked.reject(error)
  })
  // Only after a listener has been put on: that makes the program wait for the thread again.
  thread.unref()
  function ask<T extends Scores | Explanations>(
    wanted: Batch['wanted'],
    rows: number,
    length: number,
    fill: (copy: Float32Array) => void,
  ): Promise<T> {
    if (died !== null) return Promise.reject(died)
    const { promise, resolve, reject } = Promise.withResolvers<Scores | Explanations>()
    waiting.push({ resolve, reject })
    // While an answer is due, the program waits for it.
    thread.ref()
    const bytes = length * Float32Array.BYTES_PER_ELEMENT
    const last = spare.pop()
    const memory = last !== undefined && last.byteLength >= bytes ? last : new ArrayBuffer(bytes)
    const features = new Float32Array(memory, 0, length)
    fill(features)
    // Handed over: to clone it would cost more.
    thread.postMessage({ wanted, features, rows } satisfies Batch, [memory])
    return promise as Promise<T>
  }

  return {
    ...model,
    score: (features, rows) => ask('scores', rows, features.length, (copy) => copy.set(features)),
    explain(features, rows, which) {
      const width = rows === 0 ? 0 : features.length / rows
      // Only what is asked about goes over.
      return ask('explanations', which.length, which.length * width, (copy) => {
        for (const [i, row] of which.entries())
          copy.set(features.subarray(row * width, (row + 1) * width), i * width)
      })
    },
    async close() {
      // Not terminate(): in the middle of a batch that would take the whole process down.
      thread.ref()
      thread.postMessage(null)
      await exited
    },
  }
}
