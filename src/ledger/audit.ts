import type { Contracts } from '../adapters/avro-contracts.ts'
import type { Config } from '../config/schema.ts'
import { callsForAlert } from '../core/decide.ts'
import type { CompiledFeatures } from '../core/features/compile.ts'
import type { PolicyFile } from '../core/policy.ts'
import type { Log } from '../core/ports.ts'
import type { Transaction } from '../core/types.ts'
import { partOf } from '../replay/ranges.ts'
import type { Position } from '../replay/topic-source.ts'
import { answeredTransactions } from '../stream/answered.ts'
import { withRates } from '../stream/scorer.ts'
import {
  type Account,
  emptyAccount,
  emptyLabels,
  type Finding,
  type LabelAccount,
  type LabelCounts,
  type PartitionAccount,
  type Range,
  sumOf,
} from './account.ts'
import { auditLabels } from './audit-labels.ts'
import { auditPartition } from './audit-partition.ts'
import type { Fate } from './book.ts'
import type { Decided } from './readers.ts'

export interface AuditOptions {
  readonly config: Config
  readonly log: Pick<Log, 'partitions' | 'bounds' | 'committed' | 'read' | 'offsetAt'>
  readonly contracts: Contracts
  readonly features: CompiledFeatures
  /** Those that decisions may name: that of the configuration, and others. */
  readonly policies: readonly { readonly file: PolicyFile; readonly id: string }[]
  /** Of the transactions; default: all that the group has consumed. */
  readonly from?: Position | undefined
  readonly to?: Position | undefined
  /** Told each offset, in order but for those without an answer, which come at the end of their partition. */
  readonly onFate?: (fate: Fate) => void
  /** Told the number of records gone through and how many offsets there are, now and then. */
  readonly onProgress?: (done: number, of: number) => void
}

export interface Audit {
  /** True when every consumed offset has one answer, and every alert is where it belongs. */
  readonly holds: boolean
  readonly partitions: readonly PartitionAccount[]
  readonly total: Account
  readonly labels: {
    readonly partitions: readonly LabelAccount[]
    readonly total: LabelCounts
  }
  /** The first of what does not add up. */
  readonly findings: readonly Finding[]
  /** All of it. */
  readonly finding_count: number
}

const mostFindings = 100

/**
 * The offset ledger: that every offset that the group has consumed ended in exactly one of decision, dead letter and
 * declared skip. Reads committed records beside live traffic, outside any group, a few batches at a time; writes nothing.
 *
 * @throws WeirError WEIR_LOG_* when the log cannot be read.
 */
export async function auditLedger(options: AuditOptions): Promise<Audit> {
  const { config, contracts, features, log, policies, onFate = () => {}, onProgress = () => {} } = options
  const { topics } = config
  const byId = new Map(policies.map(({ id, file }) => [id, { file }]))
  const findings: Finding[] = []
  let findingCount = 0
  const onFinding = (finding: Finding) => {
    findingCount++
    if (findings.length < mostFindings) findings.push(finding)
  }
  const ranges = await rangesOf(options)
  const labelRanges = await labelRangesOf(options)
  const offsets = ranges.reduce((sum, { from, to }) => sum + to - from, 0)
  let done = 0
  const parts = {
    log,
    topics,
    contracts,
    transactions: withRates(contracts.transactions, features),
    callsForAlert(decision: Decided, transaction: Transaction | null) {
      const policy = byId.get(decision.policy)
      return policy === undefined ? null : callsForAlert(decision, transaction, features, policy)
    },
    onFinding,
    onFate,
    onRecords(count: number) {
      done += count
      onProgress(done, offsets)
    },
  }
  const partitions: PartitionAccount[] = []
  for (const range of ranges) partitions.push(await auditPartition(parts, range))
  const labels: LabelAccount[] = []
  for (const range of labelRanges) {
    labels.push(await auditLabels({ log, topics, labels: contracts.labels, onFinding }, range))
  }
  return {
    holds: findingCount === 0,
    partitions,
    total: sumOf(emptyAccount(), partitions),
    labels: { partitions: labels, total: sumOf(emptyLabels(), labels) },
    findings,
    finding_count: findingCount,
  }
}

/** What was consumed: up to where the group stands, or its outputs do where somebody has set the group back. */
async function rangesOf({ config, log, contracts, from, to }: AuditOptions): Promise<Range[]> {
  const { transactions: topic, decisions, dead_letters, entity_updates, partitions } = config.topics
  const topics = { decisions, deadLetters: dead_letters, entityUpdates: entity_updates }
  const ranges: Range[] = []
  // Members read no others: those that were added since are for `weir rekey`.
  for (let partition = 0; partition < partitions; partition++) {
    const at = { topic, partition }
    const committed = (await log.committed(config.group, at)) ?? 0
    const answered = await answeredTransactions({ log, topics, decisions: contracts.decisions }, at)
    const { first, end } = await log.bounds(at)
    const consumed = Math.min(end, Math.max(first, committed, answered.next ?? 0))
    ranges.push({ partition, ...(await partOf(log, at, [first, consumed], from, to)), first })
  }
  return ranges
}

async function labelRangesOf({ config, log }: AuditOptions): Promise<Range[]> {
  const { labels: topic, partitions } = config.topics
  const ranges: Range[] = []
  for (let partition = 0; partition < partitions; partition++) {
    const at = { topic, partition }
    const committed = (await log.committed(config.group, at)) ?? 0
    const { first, end } = await log.bounds(at)
    ranges.push({ partition, from: first, to: Math.min(end, Math.max(first, committed)), first })
  }
  return ranges
}
