import type { Command } from 'commander'
import { withConnection } from '../apps/connect.ts'
import { loadFeatures, readPolicy } from '../config/definitions.ts'
import { WeirError } from '../core/errors.ts'
import { refuseOverlap } from '../files/outputs.ts'
import { type Column, createTable, type Table } from '../files/table.ts'
import type { Account, Finding } from '../ledger/account.ts'
import { type Audit, auditLedger } from '../ledger/audit.ts'
import type { Fate } from '../ledger/book.ts'
import { accountColumns, accountRow, fateColumns } from '../ledger/rows.ts'
import type { Position } from '../replay/topic-source.ts'
import { configOf, position, refuseBackwards, wantsJson } from './flags.ts'
import { grouped, note, print, printTable, startProgress, styled } from './output.ts'

interface Flags {
  readonly from?: Position
  readonly to?: Position
  readonly policy?: string
  readonly out?: string
  readonly offsets?: string
}

export function registerAudit(program: Command): void {
  program
    .command('audit')
    .description('prove that every consumed payment ended in one decision, dead letter or declared skip')
    .option('--from <where>', 'first payments: a time, or an offset for each partition', position)
    .option('--to <where>', 'up to there, not included (default: all that the group has consumed)', position)
    .option('--policy <files>', 'policies that decisions name beside the configured one, with commas between')
    .option('--out <file>', 'a row for each partition: .csv, .json or .parquet')
    .option('--offsets <file>', 'a row for each offset, likewise')
    .addHelpText(
      'after',
      `
Reads what is committed, beside live traffic, and changes nothing. Ends with 1 when something does not add up.

Examples:
  weir audit
  weir audit --from 2026-11-26T00:00Z --out ledger.csv --offsets offsets.parquet`,
    )
    .action(async (flags: Flags, command: Command) => {
      refuseBackwards(flags)
      const { audit, seconds } = await withTables(flags, (tables) => runAudit(flags, command, tables))
      if (wantsJson(command)) print(JSON.stringify(audit))
      else show(audit)
      note(`${grouped(audit.total.records)} records in ${seconds.toFixed(1)} s`)
      if (!audit.holds) throw breach(audit)
    })
}

interface Tables {
  readonly out: Table | undefined
  readonly offsets: Table | undefined
}

/** Opens what is to be written before anything is read; all of it appears, or nothing. */
async function withTables<T>({ out, offsets }: Flags, use: (tables: Tables) => Promise<T>): Promise<T> {
  const outputs = [
    { flag: '--out', path: out },
    { flag: '--offsets', path: offsets },
  ]
  refuseOverlap([], outputs)
  const opened: Table[] = []
  const open = (path: string | undefined, columns: readonly Column[]) => {
    if (path === undefined) return undefined
    const table = createTable(path, columns)
    opened.push(table)
    return table
  }
  try {
    const result = await use({ out: open(out, accountColumns), offsets: open(offsets, fateColumns) })
    for (const table of opened) table.finish()
    return result
  } catch (error) {
    for (const table of opened) table.abandon()
    throw error
  }
}

async function runAudit(
  { policy, from, to }: Flags,
  command: Command,
  tables: Tables,
): Promise<{ readonly audit: Audit; readonly seconds: number }> {
  const { config } = configOf(command)
  const policies = [config.policy, ...(policy?.split(',') ?? [])].map(readPolicy)
  const features = loadFeatures(config.features)
  const progress = startProgress('records', Number.POSITIVE_INFINITY)
  let reported = 0
  const onProgress = (done: number, of: number) => {
    progress.reach(done / of)
    progress.add(done - reported)
    reported = done
  }
  const onFate = (fate: Fate) => tables.offsets?.add({ ...fate })
  const audit = await withConnection(config, ({ log, contracts }) =>
    auditLedger({ config, log, contracts, features, policies, from, to, onFate, onProgress }),
  )
  const { seconds } = progress.stop()
  for (const row of audit.partitions) tables.out?.add(accountRow(row))
  return { audit, seconds }
}

function show({ partitions, total, labels, findings, finding_count }: Audit): void {
  const head = [
    'RECORDS',
    'GAPS',
    'DECISIONS',
    'DUPLICATES',
    'DEGRADED',
    'DEAD LETTERS',
    'SKIPPED',
    'MISSING',
    'DOUBLE',
  ]
  const cells = (account: Account) =>
    [
      account.records,
      account.gaps,
      account.decisions,
      account.duplicates,
      account.degraded,
      account.dead_letters,
      account.skipped,
      account.missing,
      account.double,
    ].map(grouped)
  printTable(
    ['PARTITION', ...head],
    [
      ...partitions.map((one) => [`${one.partition}: ${one.from} to ${one.to}`, ...cells(one)]),
      ['total', ...cells(total)],
    ],
    'numbers',
  )
  for (const [code, count] of Object.entries(total.codes)) print(`${code}: ${grouped(count)}`)
  const { alerts } = total
  print(
    `alerts: ${grouped(alerts.found)} of ${grouped(alerts.expected)} that decisions call for, ${grouped(alerts.missing)} missing, ${grouped(alerts.double)} double, ${grouped(alerts.stray)} stray`,
  )
  const { total: ofLabels } = labels
  print(
    `labels: ${grouped(ofLabels.records)}, of which ${grouped(ofLabels.taken)} taken, ${grouped(ofLabels.dead_letters)} dead letters, ${grouped(ofLabels.skipped)} skipped, ${grouped(ofLabels.missing)} missing, ${grouped(ofLabels.double)} double`,
  )
  for (const line of unproven({ partitions, total, labels })) print(line)
  for (const finding of findings) print(styled('red', inWords(finding)))
  if (finding_count > findings.length) print(`and ${grouped(finding_count - findings.length)} more`)
}

/** What cannot be proven, and why. */
function unproven({ partitions, total, labels }: Pick<Audit, 'partitions' | 'total' | 'labels'>): string[] {
  const lines = partitions
    .filter(({ first, from }) => first > 0 && from === first)
    .map(
      ({ partition, first }) =>
        `partition ${partition} begins at ${first}: what was before it cannot be proven`,
    )
  if (total.unproven > 0)
    lines.push(`${grouped(total.unproven)} records are older than the first answer that is left: not proven`)
  if (labels.total.unproven > 0)
    lines.push(
      `${grouped(labels.total.unproven)} labels are older than the first dead letter that is left: not proven`,
    )
  if (total.alerts.unproven > 0)
    lines.push(
      `${grouped(total.alerts.unproven)} decisions name a policy that is not at hand (--policy), or are older than the first alert that is left: their alerts are not proven`,
    )
  if (total.gaps_answered > 0)
    lines.push(`${grouped(total.gaps_answered)} records that were answered are no longer on the log`)
  if (partitions.every(({ from, to }) => from === to)) lines.push('nothing was consumed in this range')
  return lines
}

const inWords = ({ kind, topic, partition, offset, what }: Finding): string =>
  `${kind}: ${topic}-${partition}-${offset} ${what}`

function breach({ findings, finding_count }: Audit): WeirError {
  const [first] = findings as [Finding]
  return new WeirError(
    'WEIR_AUDIT_DIFFERS',
    `${finding_count === 1 ? 'one thing does' : `${grouped(finding_count)} things do`} not add up, first ${inWords(first)}`,
    {
      cure: 'docs/exactly-once.md tells what each finding means; `weir replay --verify` looks at the answers themselves',
    },
  )
}
