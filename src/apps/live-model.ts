import type { Logger } from 'pino'
import type { ThreadedModel } from '../adapters/threaded-model.ts'
import { createTimedModel } from '../adapters/timed-model.ts'
import type { CompiledFeatures } from '../core/features/compile.ts'
import type { Model } from '../core/ports.ts'
import type { Probe } from '../http/server.ts'
import type { Metrics } from '../observability/metrics.ts'

export interface LiveModel {
  /** The one in the thread, with a time limit: onnxruntime keeps its thread busy while it runs. */
  readonly model: Model
  /** Of /readyz. */
  readonly probe: Probe
  close(): Promise<void>
}

export interface LiveModelOptions {
  /** Loads in its thread meanwhile. */
  readonly model: ThreadedModel
  readonly features: CompiledFeatures
  readonly deadlineMs: number
}

/**
 * The model as a member uses it: one that does not answer holds nobody up, and is named in the log, in a metric and by
 * the probe until it answers again.
 */
export function createLiveModel(
  { model: thread, features, deadlineMs }: LiveModelOptions,
  logger: Logger,
  { modelFit }: Pick<Metrics, 'modelFit'>,
): LiveModel {
  let answers = true
  modelFit.set(1)
  const timed = createTimedModel(thread, features.names.length, deadlineMs, (doesAnswer) => {
    answers = doesAnswer
    modelFit.set(answers ? 1 : 0)
    if (answers) logger.info('the model answers in time again')
    else logger.error(late)
  })
  const late = `model ${thread.id} gives no answer within models.deadline_ms (${deadlineMs} ms)`
  return {
    model: timed,
    probe: () => ({ ok: answers, detail: answers ? thread.id : late }),
    async close() {
      timed.close()
      // One that does not answer would not hear it either: it ends with the process.
      if (answers) await thread.close()
    },
  }
}
