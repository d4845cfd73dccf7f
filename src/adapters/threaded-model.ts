import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import { type ErrorCode, WeirError } from '../core/errors.ts'
import type { CompiledFeatures } from '../core/features/compile.ts'
import type { Explanations, Model, Scores } from '../core/ports.ts'
import { type AdmissionOptions, readFitting } from './model-admission.ts'
import { describeModel, type Execution, forbidTf32 } from './onnx-model.ts'

/** What the thread is told to load. */
export interface ThreadData extends Execution {
  /** Folder of the package. */
  readonly dir: string
  /** The package that was read: another one must not take its place between. */
  readonly sha256: string
}

/** A batch for the thread. */
export interface Batch {
  readonly wanted: 'scores' | 'explanations'
  readonly features: Float32Array
  readonly rows: number
}

/** An error as a message carries it: of a WeirError nothing but the words would arrive. */
export interface Failure {
  readonly error: Error
  readonly code?: ErrorCode
  readonly cure?: string | undefined
}

/** What the thread says first: where its graphs run, or why the model is refused. */
export type Admission = { readonly places: readonly string[] } | Failure

/** Its answer to a batch, whose memory comes back with it. */
export type Answer = { readonly memory: ArrayBuffer } & ({ readonly result: Scores | Explanations } | Failure)

/** A model in a thread of its own: the same bits, while this thread goes on with the next batch. */
export interface ThreadedModel extends Model {
  /** Resolves when the thread has admitted it; what is asked waits till then. Rejects with the WEIR_MODEL_* error. */
  readonly ready: Promise<void>
  close(): Promise<void>
}

/** What is known at once, while the thread still loads the model. */
export interface Threaded {
  readonly model: ThreadedModel
  /** See Admitted. */
  readonly features: CompiledFeatures
}

/**
 * Reads a package and lets a thread load it and hold it against its golden rows: so its graphs are in memory once.
 *
 * @throws the WEIR_MODEL_* error of its files. That of its graphs comes from `ready`.
 */
export async function openThreadedModel(dir: string, options: AdmissionOptions): Promise<Threaded> {
  const { providers, threads, log } = options
  const { files, features } = await readFitting(dir, options.features)
  providers.forEach(forbidTf32)
  const workerData: ThreadData = { dir, sha256: files.sha256, providers, threads }
  const thread = new Worker(new URL('./threaded-model-worker.ts', import.meta.url), { workerData })
  return { model: { ...describeModel(files), ...speakTo(thread, log) }, features }
}

type Spoken = Required<Pick<ThreadedModel, 'ready' | 'score' | 'explain' | 'close'>>

function speakTo(thread: Worker, log: AdmissionOptions['log']): Spoken {
  const ready = Promise.withResolvers<void>()
  // Whoever opened it may fail before it asks.
  ready.promise.catch(() => {})
  const exited = once(thread, 'exit')
  // It rejects where the thread dies of an error, which whoever asks is told.
  exited.catch(() => {})
  const waiting: { resolve(result: Scores | Explanations): void; reject(error: Error): void }[] = []
  // Memory for batches to come: new memory for each would be collected long after.
  const spare: ArrayBuffer[] = []
  let isAdmitted = false
  let isClosing = false
  let died: Error | null = null
  const die = (error: Error) => {
    died ??= error
    ready.reject(error)
    for (const asked of waiting.splice(0)) asked.reject(error)
  }

  function admit(said: Admission): void {
    if ('error' in said) {
      die(failureOf(said))
      return
    }
    isAdmitted = true
    for (const place of said.places) log?.(place)
    ready.resolve()
  }

  function take(answer: Answer): void {
    spare.push(answer.memory)
    const asked = waiting.shift()
    if ('result' in answer) asked?.resolve(answer.result)
    else asked?.reject(failureOf(answer))
  }

  // While it begins, has an answer due, or ends, the program waits for it.
  thread.on('message', (said: Admission | Answer) => {
    if (isAdmitted) take(said as Answer)
    else admit(said as Admission)
    if (waiting.length === 0 && !isClosing) thread.unref()
  })
  thread.on('error', die)
  thread.on('exit', () => die(new Error('the thread of the model has ended')))

  function ask<T extends Scores | Explanations>(
    wanted: Batch['wanted'],
    rows: number,
    length: number,
    fill: (copy: Float32Array) => void,
  ): Promise<T> {
    if (died !== null) return Promise.reject(died)
    const { promise, resolve, reject } = Promise.withResolvers<Scores | Explanations>()
    waiting.push({ resolve, reject })
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
    ready: ready.promise,
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
      isClosing = true
      thread.ref()
      // Not terminate(): in the middle of a batch that would take the whole process down.
      thread.postMessage(null)
      await exited
    },
  }
}

const failureOf = ({ error, code, cure }: Failure): Error =>
  code === undefined ? error : new WeirError(code, error.message, cure === undefined ? {} : { cure })
