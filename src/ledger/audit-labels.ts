import type { Codec } from '../adapters/avro.ts'
import type { Log, LogRecord } from '../core/ports.ts'
import type { Label } from '../core/types.ts'
import { checkRecords } from '../stream/decoded.ts'
import { countCode, emptyLabels, type Finding, type LabelAccount, type Range } from './account.ts'
import { AnswerStream } from './answer-stream.ts'
import { lettersOf, type Skip } from './readers.ts'

export interface LabelAuditOptions {
  readonly log: Pick<Log, 'bounds' | 'read'>
  readonly topics: { readonly labels: string; readonly dead_letters: string }
  readonly labels: Codec<Label>
  readonly onFinding: (finding: Finding) => void
}

/**
 * Goes through one partition of labels: what can be read was taken, all else has a dead letter. What a label added to its
 * merchant, terminal and device is no concern of the ledger.
 */
export async function auditLabels(options: LabelAuditOptions, range: Range): Promise<LabelAccount> {
  const { log, topics, labels } = options
  const { partition, from, to } = range
  const input = { topic: topics.labels, partition }
  const account = { ...range, ...emptyLabels() }
  const find = (kind: Finding['kind'], offset: number, what: string) =>
    options.onFinding({ kind, ...input, offset, what })
  const skips: Skip[] = []
  const tooMany = (offset: number, what: string) => {
    account.double++
    find('double', offset, what)
  }
  const letters = new AnswerStream({
    log,
    at: { topic: topics.dead_letters, partition },
    from,
    // Records that cannot be read at all are told by the audit of transactions, which sees them too.
    read: lettersOf(
      input,
      (skip) => skips.push(skip),
      () => {},
    ),
    onDisorder: () => {},
    onLate: (offset) => tooMany(offset, 'has a dead letter too many, or out of order'),
  })
  const isGone = (offset: number) =>
    letters.isCut && offset < (letters.answers.first ?? Number.POSITIVE_INFINITY)
  for await (const records of log.read(input, from, to)) {
    await letters.answers.reach((records.at(-1) as LogRecord).offset)
    const checked = await checkRecords(labels, records)
    for (const [i, { offset }] of records.entries()) {
      const codes = letters.answers.take(offset)
      account.records++
      account.dead_letters += codes.length
      for (const code of codes) countCode(account.codes, code)
      if (codes.length > 1) tooMany(offset, `has ${codes.length} dead letters`)
      if (codes.length > 0) continue
      if (skips.some((skip) => offset >= skip.offset && offset < skip.next)) account.skipped++
      else if (checked[i]?.ok) account.taken++
      else if (isGone(offset)) account.unproven++
      else {
        account.missing++
        find('missing', offset, 'is a label that cannot be read, and has no dead letter')
      }
    }
  }
  await letters.answers.close()
  return account
}
