/**
 * Loaded before a member (`node --import`): each run of the graph in the model's own thread takes so many milliseconds
 * longer as the file says that WEIR_TEST_HELD_MODEL names, at most until the file is gone; no file, no delay.
 */
import { readFileSync } from 'node:fs'
import { isMainThread } from 'node:worker_threads'
import { InferenceSession } from 'onnxruntime-node'

const file = process.env['WEIR_TEST_HELD_MODEL'] ?? ''
const nap = new Int32Array(new SharedArrayBuffer(4))

/** Milliseconds; 0 when there is no file. */
function delay(): number {
  try {
    return Number(readFileSync(file, 'utf8'))
  } catch {
    return 0
  }
}

if (!isMainThread) {
  const { prototype } = InferenceSession as unknown as { prototype: InferenceSession }
  const run = prototype.run as (...given: unknown[]) => Promise<unknown>
  prototype.run = function (this: InferenceSession, ...given: unknown[]) {
    const began = performance.now()
    while (performance.now() - began < delay()) Atomics.wait(nap, 0, 0, 20)
    return run.apply(this, given)
  } as InferenceSession['run']
}
