/** What became of alerts: those that decisions call for, and those that are there. */
export interface AlertAccount {
  /** Decisions that call for one. */
  expected: number
  /** Alerts on consumed offsets. */
  found: number
  missing: number
  /** Alerts too many on one decision. */
  double: number
  /** Alerts that no decision calls for. */
  stray: number
  /** Decisions whose policy is not at hand, or whose alert would be among those that were deleted. */
  unproven: number
}

/**
 * What became of consumed offsets. Of each account
 * records + gaps_answered + double = decisions + dead_letters + skipped + missing + unproven.
 */
export interface Account {
  /** Input records in the range that the log still has. */
  records: number
  /** Offsets without a record: markers of transactions, or what compaction has taken. */
  gaps: number
  /** Those of them that have an answer: a record was there when it was decided. */
  gaps_answered: number
  decisions: number
  /** Among the decisions. */
  duplicates: number
  degraded: number
  dead_letters: number
  /** Dead letters by code. */
  codes: Record<string, number>
  /** Records in declared skips (`weir reset --skip-to`). */
  skipped: number
  /** Records without any answer. */
  missing: number
  /** Answers too many: to a record that has one already. */
  double: number
  /** Answers that lie before one to an earlier record. */
  out_of_order: number
  /** Answers to what was never there, or that cannot be read. */
  stray: number
  /** Records without an answer, from before the first answer that retention has left. */
  unproven: number
  alerts: AlertAccount
}

/** What was looked at. */
export interface Range {
  readonly partition: number
  /** Offsets from `from` up to, not including, `to`. */
  readonly from: number
  readonly to: number
  /** The first offset that the log still has: what was before it cannot be proven. */
  readonly first: number
}

export interface PartitionAccount extends Range, Account {}

/** Of labels: each was taken, or has a dead letter. */
export interface LabelCounts {
  records: number
  taken: number
  dead_letters: number
  codes: Record<string, number>
  skipped: number
  /** Labels that are refused, and have no dead letter. */
  missing: number
  double: number
  unproven: number
}

export interface LabelAccount extends Range, LabelCounts {}

export const kindsOfFinding = [
  'missing',
  'double',
  'out of order',
  'stray',
  'alert missing',
  'alert double',
  'alert stray',
] as const

/** Something that does not add up. */
export interface Finding {
  readonly kind: (typeof kindsOfFinding)[number]
  readonly topic: string
  readonly partition: number
  /** Of the input record; of the output where it belongs to none. */
  readonly offset: number
  readonly what: string
}

export function emptyAccount(): Account {
  return {
    records: 0,
    gaps: 0,
    gaps_answered: 0,
    decisions: 0,
    duplicates: 0,
    degraded: 0,
    dead_letters: 0,
    codes: {},
    skipped: 0,
    missing: 0,
    double: 0,
    out_of_order: 0,
    stray: 0,
    unproven: 0,
    alerts: { expected: 0, found: 0, missing: 0, double: 0, stray: 0, unproven: 0 },
  }
}

export const emptyLabels = (): LabelCounts => ({
  records: 0,
  taken: 0,
  dead_letters: 0,
  codes: {},
  skipped: 0,
  missing: 0,
  double: 0,
  unproven: 0,
})

export function countCode(codes: Record<string, number>, code: string): void {
  codes[code] = (codes[code] ?? 0) + 1
}

/** Adds all numbers, nested ones too, into the first account. */
function addTo(sum: Record<string, unknown>, one: Record<string, unknown>): void {
  for (const [name, value] of Object.entries(one)) {
    if (typeof value === 'number') sum[name] = ((sum[name] as number | undefined) ?? 0) + value
    else {
      sum[name] ??= {}
      addTo(sum[name] as Record<string, unknown>, value as Record<string, unknown>)
    }
  }
}

/** @param empty what the sum of none is; all are added into it. */
export function sumOf<T extends object>(empty: T, accounts: readonly (T & Range)[]): T {
  for (const { partition, from, to, first, ...numbers } of accounts) {
    addTo(empty as Record<string, unknown>, numbers as Record<string, unknown>)
  }
  return empty
}
