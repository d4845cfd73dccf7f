import { join } from 'node:path'
import type { Logger } from 'pino'
import { openThreadedModel } from '../adapters/threaded-model.ts'
import { createTimedModel } from '../adapters/timed-model.ts'
import type { Config } from '../config/schema.ts'
import type { ActiveSet } from '../core/decide.ts'
import type { Model } from '../core/ports.ts'
import type { Probe } from '../http/server.ts'
import type { Metrics } from '../observability/metrics.ts'

export interface LiveModel {
  /** The admitted one, in a thread of its own and with a time limit: onnxruntime keeps its thread busy while it runs. */
  readonly model: Model
  /** Of /readyz. */
  readonly probe: Probe
  close(): Promise<void>
}

/**
 * The model as a member uses it: one that does not answer holds nobody up, and is named in the log, in a metric and by
 * the probe until it answers again.
 *
 * @throws the WEIR_MODEL_* error of the loading in the thread.
 */
export async function openLiveModel(
  { directory, champion, providers, threads, deadline_ms }: Config['models'],
  { model: admitted, features }: Pick<ActiveSet, 'model' | 'features'>,
  logger: Logger,
  { modelFit }: Pick<Metrics, 'modelFit'>,
): Promise<LiveModel> {
  const dir = join(directory, ...champion.split('@'))
  const thread = await openThreadedModel(admitted, dir, { providers, threads })
  let answers = true
  modelFit.set(1)
  const timed = createTimedModel(thread, features.names.length, deadline_ms, (doesAnswer) => {
    answers = doesAnswer
    modelFit.set(answers ? 1 : 0)
    if (answers) logger.info('the model answers in time again')
    else logger.error(late)
  })
  const late = `model ${admitted.id} gives no answer within models.deadline_ms (${deadline_ms} ms)`
  return {
    model: timed,
    probe: () => ({ ok: answers, detail: answers ? admitted.id : late }),
    async close() {
      timed.close()
      // One that does not answer would not hear it either: it ends with the process.
      if (answers) await thread.close()
    },
  }
}
