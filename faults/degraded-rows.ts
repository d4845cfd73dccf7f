import type { DegradedRow } from '../src/core/policy.ts'
import type { Decision, Transaction } from '../src/core/types.ts'
import type { Evidence } from './verifier/evidence.ts'
import type { Installation } from './verifier/installation.ts'
import { plainAvro } from './verifier/plain-avro.ts'

const avro = {
  transaction: plainAvro<Transaction>('transaction.avsc'),
  decision: plainAvro<Decision>('decision.avsc'),
}

export interface DegradedOutcomes {
  /** Decisions without states by outcome. */
  readonly counts: Readonly<Record<string, number>>
  /** Those that the policy's rows do not give, in words. */
  readonly wrong: readonly string[]
}

/** Holds each decision made without states against the rows of the policy file, read here and not by weir's code. */
export function degradedOutcomes(
  { records }: Pick<Evidence, 'records'>,
  { active: { policy, features } }: Pick<Installation, 'active'>,
): DegradedOutcomes {
  const counts: Record<string, number> = {}
  const wrong: string[] = []
  for (const [partition, answers] of records.decisions.entries()) {
    const payments = new Map(records.transactions[partition]?.map(({ offset, value }) => [offset, value]))
    for (const { value } of answers) {
      const { decision_id, status, outcome } = avro.decision.read(value)
      if (status !== 'degraded') continue
      const offset = Number(decision_id.slice(decision_id.lastIndexOf('-') + 1))
      const { amount_minor, currency, channel } = avro.transaction.read(payments.get(offset) ?? null)
      const amount = (amount_minor * (features.factors.get(currency) ?? Number.NaN)) / 100
      const wanted = outcomeOf(policy.file.degraded, channel, amount)
      counts[String(outcome)] = (counts[String(outcome)] ?? 0) + 1
      if (outcome !== wanted)
        wrong.push(`${decision_id}: ${channel} of ${amount} has ${outcome}, the policy says ${wanted}`)
    }
  }
  return { counts, wrong }
}

function outcomeOf(rows: readonly DegradedRow[], channel: string, amount: number): string | undefined {
  for (const row of rows) {
    if (row.channel !== undefined && !row.channel.includes(channel)) continue
    if (row.amount_at_least !== undefined && amount < row.amount_at_least) continue
    return row.outcome
  }
  return undefined
}
