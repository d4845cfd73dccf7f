import type { Logger } from 'pino'
import { type ErrorCode, WeirError } from '../core/errors.ts'
import type { LaneId, LogRecord } from '../core/ports.ts'
import type { Decision } from '../core/types.ts'
import type { ControlObserver } from '../stream/control-follower.ts'
import type { LaneObserver, StageSeconds } from '../stream/lane.ts'
import type { DecisionObserver } from '../stream/transactions.ts'
import type { Metrics } from './metrics.ts'

/** What members of a group do to each other all day. */
const takeovers: ReadonlySet<ErrorCode> = new Set(['WEIR_LOG_FENCED', 'WEIR_STORE_NOT_OWNER'])

/** False for what passes by itself. */
export function isSevere(error: unknown): boolean {
  return !(error instanceof WeirError && (error.retriable || takeovers.has(error.code)))
}

/** Puts metrics and log lines on a scorer from outside: no code that decides knows of them. */
export function createObserver(
  metrics: Metrics,
  logger: Logger,
): Required<Omit<LaneObserver, 'reached'>> & Required<DecisionObserver> & Required<ControlObserver> {
  const of = ({ kind, partition }: LaneId) => ({ lane: `${kind}${partition}` })
  const chunk = (lane: LaneId, records: readonly LogRecord[], seconds: StageSeconds) => {
    for (const [stage, spent] of Object.entries(seconds)) metrics.stageSeconds.of({ stage }).observe(spent)
    if (lane.kind !== 't') return
    metrics.chunkRecords.of().observe(records.length)
    const now = Date.now()
    const endToEnd = metrics.endToEndSeconds.of()
    for (let i = 0; i < records.length; i++) {
      endToEnd.observe((now - (records[i] as LogRecord).timestamp) / 1000)
    }
  }
  return {
    worked: chunk,
    rebuilt(lane, records) {
      metrics.rebuiltEvents.inc(records)
      logger.info({ ...of(lane), records }, 'states rebuilt from the log')
    },
    restored(lane, states) {
      metrics.restoredStates.inc(states)
      logger.info({ ...of(lane), states }, 'states restored from the changelog')
    },
    degraded(lane, records, seconds) {
      chunk(lane, records, seconds)
      metrics.degraded.inc({ missing: 'store' })
      logger.warn(
        { ...of(lane), records: records.length },
        'decided without states, by the degraded table of the policy',
      )
    },
    historyCut(lane, first) {
      logger.error(
        { ...of(lane), first },
        'the store is empty and the log begins late: states lack what was before',
      )
    },
    lost(lane, error) {
      logger[isSevere(error) ? 'error' : 'warn'](
        { ...of(lane), error },
        'lane lost, it will be taken up again',
      )
    },
    decided(decisions) {
      const { counts, scores } = tally(decisions)
      return () => {
        for (const [status, byOutcome] of Object.entries(counts)) {
          for (const [outcome, count] of Object.entries(byOutcome)) {
            metrics.transactions.inc({ outcome, status }, count)
          }
        }
        for (const [model, of] of scores) {
          const series = metrics.score.of({ model })
          for (let i = 0; i < of.length; i++) series.observe(of[i] as number)
        }
      }
    },
    rejected(rejections) {
      for (const { code } of rejections) metrics.deadLetters.inc({ code })
    },
    controlChanged({ offset, rules, policy, lists }) {
      metrics.controlOffset.set(offset)
      metrics.listEntries.set(lists.size)
      const active = { offset, rules: rules?.id ?? null, policy: policy.id, list_entries: lists.size }
      logger.info(active, 'changes on the control topic have taken effect')
    },
    controlRefused({ offset, control, cause }) {
      const { control_id = null, kind = 'unreadable', author = null } = control ?? {}
      metrics.controlRefused.inc({ kind })
      const change = { offset, control_id, kind, author, error: cause }
      logger.error(change, 'a change on the control topic was refused and changes nothing')
    },
    controlFailed(error) {
      logger.warn({ error }, 'the control topic cannot be read: rules and lists stay as they were')
    },
    modelFailed(error) {
      metrics.degraded.inc({ missing: 'model' })
      logger.error({ error }, 'the model gave no scores; decided by the degraded table of the policy')
    },
  }
}

/** What is counted of decisions: how many by status and outcome, and the scores by model. */
function tally(decisions: readonly Decision[]) {
  const counts: Record<string, Record<string, number>> = {}
  const scores = new Map<string, number[]>()
  for (let i = 0; i < decisions.length; i++) {
    const { outcome, status, score, model } = decisions[i] as Decision
    counts[status] ??= {}
    counts[status][outcome ?? 'none'] = (counts[status][outcome ?? 'none'] ?? 0) + 1
    if (score === null) continue
    const ofModel = scores.get(model)
    if (ofModel === undefined) scores.set(model, [score])
    else ofModel.push(score)
  }
  return { counts, scores }
}
