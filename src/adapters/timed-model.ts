import { WeirError } from '../core/errors.ts'
import type { Model } from '../core/ports.ts'
import { Deadline, TimeoutError } from './deadline.ts'

export interface TimedModel extends Model {
  /** No longer asks a model that does not answer whether it does again. */
  close(): void
}

/**
 * A model that nobody waits for longer than a time limit: a call that takes longer rejects with WEIR_MODEL_UNAVAILABLE,
 * as do all others until the model answers in time again. What it answers late, nobody sees.
 *
 * @param model runs elsewhere than on this thread: what keeps this one busy lets no time pass.
 * @param columns of a row.
 * @param deadlineMs of one call: to score a chunk, or to say why.
 * @param told when it no longer answers, and when it does again.
 */
export function createTimedModel(
  model: Model,
  columns: number,
  deadlineMs: number,
  told: (answers: boolean) => void,
): TimedModel {
  const row = new Float32Array(columns).fill(Number.NaN)
  let asked = 0
  let last: Promise<unknown> = Promise.resolve()
  async function ask(): Promise<void> {
    const place = ++asked
    // One at a time: a slow model would never get to the end of those that wait.
    await last
    // Whatever it says of such a row is an answer.
    if (place === asked) last = model.score(row, 1).catch(() => {})
    await last
  }
  const deadline = new Deadline(deadlineMs, ask, (isAway) => told(!isAway))
  async function within<T>(call: () => Promise<T>): Promise<T> {
    try {
      return await deadline.within(call)
    } catch (cause) {
      if (!(cause instanceof TimeoutError)) throw cause
      throw new WeirError('WEIR_MODEL_UNAVAILABLE', `model ${model.id}: ${cause.message}`, {
        cure: 'give the member more CPU, a faster model or smaller chunks, or raise models.deadline_ms and kafka.session_timeout_ms',
        retriable: true,
        cause,
      })
    }
  }
  const { explain } = model
  return {
    ...model,
    score: (features, rows) => within(() => model.score(features, rows)),
    ...(explain !== undefined && {
      explain: (features, rows, which) => within(() => explain(features, rows, which)),
    }),
    close: () => deadline.close(),
  }
}
