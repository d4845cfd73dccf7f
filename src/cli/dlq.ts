import type { Command } from 'commander'
import { type Connection, openSchemas, withConnection } from '../apps/connect.ts'
import type { Config } from '../config/schema.ts'
import { shortName, sourceName } from '../core/redrive.ts'
import { findLetter, marksFrom, parseLetterName, type Selection } from '../dlq/letters.ts'
import { listLetters } from '../dlq/listing.ts'
import { type ShownLetter, showLetter } from '../dlq/shown.ts'
import { shown } from '../files/shown.ts'
import { configOf, count, wantsJson } from './flags.ts'
import { grouped, print, printJson, printTable, startProgress, styled } from './output.ts'
import { addSelection, letterHelp, registerRedrive } from './redrive.ts'

export function registerDlq(program: Command): void {
  const dlq = program
    .command('dlq')
    .description('dead letters: what was refused, why, and how to put it back')

  addSelection(dlq.command('list').description('count dead letters by code and show the newest'))
    .option('--limit <n>', 'how many of the newest', count, 20)
    .action(async (flags: Selection & { limit: number }, command: Command) => {
      const { config } = configOf(command)
      await withConnection(config, (connection) => list(connection, config, flags, wantsJson(command)))
    })

  dlq
    .command('show <letter>')
    .description('one dead letter: what was wrong, the cure, and what can be read of the record')
    .addHelpText('after', `\n${letterHelp}`)
    .action(async (name: string, _, command: Command) => {
      const { config } = configOf(command)
      await withConnection(config, (connection) => show(connection, config, name, wantsJson(command)))
    })

  registerRedrive(dlq)
}

async function list(
  { log }: Connection,
  config: Config,
  flags: Selection & { limit: number },
  json: boolean,
): Promise<void> {
  const progress = startProgress('dead letters', Number.POSITIVE_INFINITY)
  const found = await listLetters(log, config.topics.dead_letters, flags, flags.limit, progress.add)
  progress.stop()
  const newest = found.newest.map(({ letter, mark }) => ({
    letter: shortName(letter),
    time: letter.record.timestamp,
    code: letter.code,
    source: sourceName(letter),
    message: letter.message,
    redriven: mark?.time ?? null,
  }))
  if (json) return printJson({ codes: found.codes, newest })
  if (found.codes.length === 0) return print('no dead letters')
  printTable(
    ['CODE', 'LETTERS', 'REDRIVEN'],
    found.codes.map(({ code, letters, redriven }) => [shown(code), grouped(letters), grouped(redriven)]),
    'numbers',
  )
  if (newest.length === 0) return
  print('')
  printTable(
    ['LETTER', 'CODE', 'RECORD', 'WHAT IS WRONG'],
    newest.map(({ letter, code, source, message, redriven }) => [
      letter,
      shown(code),
      shown(source),
      `${shown(message)}${redriven === null ? '' : styled('green', ' (redriven)')}`,
    ]),
  )
}

async function show({ log }: Connection, config: Config, name: string, json: boolean): Promise<void> {
  const topic = config.topics.dead_letters
  const letter = await findLetter(log, topic, parseLetterName(name))
  const { offset } = letter.record
  const marks = await marksFrom(log, letter.at, offset, (await log.bounds(letter.at)).end)
  const one = await showLetter(letter, marks.get(offset) ?? null, openSchemas(config))
  if (json) return printJson(one)
  const { message, cure, headers, value, unread, ...rest } = one satisfies ShownLetter
  const lines: [string, unknown][] = [
    ...Object.entries(rest),
    ...Object.entries(headers).map(([header, text]): [string, unknown] => [`header ${header}`, text]),
    ...(typeof value === 'object' ? Object.entries(value ?? {}) : [['value', value] as [string, unknown]]),
    ...(unread === null ? [] : [['not read', unread] as [string, unknown]]),
  ]
  printTable(
    ['', ''],
    lines.map(([field, text]) => [
      shown(field),
      shown(typeof text === 'string' ? text : JSON.stringify(text)),
    ]),
  )
  print('')
  print(`${styled('red', 'wrong:')} ${message}`)
  print(`${styled('green', 'cure:')} ${cure}`)
}
