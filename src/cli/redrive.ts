import { type Command, Option } from 'commander'
import { type Connection, withConnection } from '../apps/connect.ts'
import { loadFeatures } from '../config/definitions.ts'
import type { Config } from '../config/schema.ts'
import { WeirError } from '../core/errors.ts'
import { shortName, sourceName } from '../core/redrive.ts'
import { findLetter, parseLetterName, rangesOf, type Selection } from '../dlq/letters.ts'
import { mendedRecord, stillRefused } from '../dlq/mended.ts'
import { createPrepare, type Prepare } from '../dlq/prepare.ts'
import { type Outcome, redrive } from '../dlq/redrive.ts'
import { shown } from '../files/shown.ts'
import { withRates } from '../stream/scorer.ts'
import { configOf, position, refuseFlags, wantsJson } from './flags.ts'
import { grouped, print, printJson, printTable, startProgress } from './output.ts'

export const letterHelp =
  'A letter is named as dlq list shows it (0-17), or by its record: payments.transactions.v1-0-123.'

/** Flags that say which dead letters. */
export function addSelection(command: Command): Command {
  return command
    .addOption(new Option('--from <place>', 'a moment, or an offset for each partition').argParser(position))
    .addOption(new Option('--to <place>', 'likewise; not part of it').argParser(position))
    .option('--code <code>', 'only those with this error code')
    .option('--topic <name>', 'only those of records of this topic')
}

/** @param dlq the command that it belongs to. */
export function registerRedrive(dlq: Command): void {
  addSelection(
    dlq
      .command('redrive [letter]')
      .description(
        'put dead letters back on their topics, each once, as they were or --with a mended record',
      ),
  )
    .option('--all', 'all of the topic, where no other flag says which')
    .option('--with <file>', 'the mended record of one letter: a JSON object with the fields of its contract')
    .option('--dry-run', 'only say what would happen', false)
    .addHelpText(
      'after',
      `\n${letterHelp}\nExample: weir dlq redrive --code WEIR_RECORD_UNKNOWN_SCHEMA --dry-run`,
    )
    .action(async (name: string | undefined, flags: RedriveFlags, command: Command) => {
      const { config } = configOf(command)
      requireOneWay(name, flags, command)
      await withConnection(brief(config), (connection) =>
        putBack(connection, config, name, flags, wantsJson(command)),
      )
    })
}

interface RedriveFlags extends Selection {
  readonly all?: true
  readonly with?: string
  readonly dryRun: boolean
}

/** @throws WeirError WEIR_CLI_USAGE where it is not said, or said twice, which letters are meant. */
function requireOneWay(
  name: string | undefined,
  { from, to, code, topic, all, with: file }: RedriveFlags,
  command: Command,
) {
  const isSelection = [from, to, code, topic, all].some((flag) => flag !== undefined)
  if (name !== undefined) refuseFlags(command, ['from', 'to', 'code', 'topic', 'all'], 'with one letter')
  else if (file !== undefined) {
    throw new WeirError('WEIR_CLI_USAGE', '--with mends one letter', {
      cure: 'name it: weir dlq redrive 0-17 --with mended.json',
    })
  } else if (!isSelection) {
    throw new WeirError('WEIR_CLI_USAGE', 'it is not said which dead letters', {
      cure: 'name one, or select some by --code, --topic, --from or --to, or take --all',
    })
  }
}

/** While a killed redrive leaves a transaction open, readers of the inputs wait: not for long. */
const brief = (config: Config): Config => ({
  ...config,
  kafka: { ...config.kafka, transaction_timeout_ms: Math.min(10_000, config.kafka.transaction_timeout_ms) },
})

async function putBack(
  connection: Connection,
  config: Config,
  name: string | undefined,
  flags: RedriveFlags,
  json: boolean,
): Promise<void> {
  const { log } = connection
  const topic = config.topics.dead_letters
  const letter = name === undefined ? null : await findLetter(log, topic, parseLetterName(name))
  const ranges =
    letter === null
      ? await rangesOf(log, topic, flags)
      : [{ ...letter.at, from: letter.record.offset, to: letter.record.offset + 1 }]
  const progress = startProgress('dead letters', Number.POSITIVE_INFINITY)
  const tally = new Tally()
  await redrive({
    log,
    ranges,
    selection: flags,
    prepare: prepareOf(connection, config, flags.with),
    dryRun: flags.dryRun,
    clock: Date.now,
    onOutcomes(outcomes) {
      progress.add(outcomes.length)
      outcomes.forEach((outcome) => {
        tally.add(outcome)
      })
    },
  }).finally(() => progress.stop())
  if (json)
    printJson({ dry_run: flags.dryRun, ...tally.counts, refused_by: tally.refusedBy, letters: tally.first })
  else tally.print(flags.dryRun)
  const [only] = tally.first
  if (letter !== null && only?.state === 'refused') {
    throw stillRefused(flags.with ?? `the dead letter ${only.letter}`, {
      code: only.code ?? '',
      message: only.why ?? '',
    })
  }
}

function prepareOf({ log, contracts }: Connection, config: Config, file: string | undefined): Prepare {
  const { topics } = config
  const transactions = withRates(contracts.transactions, loadFeatures(config.features))
  const inputs = [
    { topic: topics.transactions, codec: transactions },
    { topic: topics.labels, codec: contracts.labels },
    { topic: topics.entity_updates, codec: contracts.entityUpdates },
  ]
  if (file === undefined) return createPrepare(log, inputs)
  return createPrepare(log, inputs, (letter) => {
    const { topic } = letter.source
    if (topic === topics.labels) {
      return mendedRecord(file, letter, { schema: 'label.avsc', codec: contracts.labels })
    }
    if (topic === topics.transactions) {
      return mendedRecord(file, letter, { schema: 'transaction.avsc', codec: transactions })
    }
    throw new WeirError('WEIR_CLI_USAGE', `records of ${topic} are weir's own and cannot be mended`, {
      cure: 'redrive it as it is, once its cause is gone',
    })
  })
}

const mostTold = 50

/** Counts what became of letters, and keeps the first of each state in words. */
class Tally {
  readonly counts = { redriven: 0, before: 0, refused: 0 }
  readonly refusedBy: Record<string, number> = {}
  readonly first: {
    letter: string
    source: string
    state: Outcome['state']
    topic: string | null
    partition: number | null
    code: string | null
    why: string | null
  }[] = []

  add({ letter, state, to, refusal }: Outcome): void {
    const isTold = this.counts[state]++ < mostTold
    if (refusal !== null) this.refusedBy[refusal.code] = (this.refusedBy[refusal.code] ?? 0) + 1
    if (!isTold) return
    this.first.push({
      letter: shortName(letter),
      source: sourceName(letter),
      state,
      topic: to?.topic ?? null,
      partition: to?.partition ?? null,
      code: refusal?.code ?? null,
      why: refusal?.message ?? null,
    })
  }

  print(dryRun: boolean): void {
    const words = {
      redriven: dryRun ? 'would be put back' : 'put back',
      before: 'put back before',
      refused: 'would be dead letters again',
    }
    if (this.first.length > 0) {
      printTable(
        ['LETTER', 'RECORD', '', ''],
        this.first.map(({ letter, source, state, topic, partition, code, why }) => [
          letter,
          shown(source),
          words[state],
          state === 'redriven'
            ? shown(`${topic}, partition ${partition}`)
            : why === null
              ? ''
              : `${shown(why)} (${code})`,
        ]),
      )
      print('')
    }
    const { redriven, before, refused } = this.counts
    print(
      `${grouped(redriven)} ${words.redriven}, ${grouped(before)} ${words.before}, ${grouped(refused)} ${words.refused}`,
    )
  }
}
