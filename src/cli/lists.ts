import { Argument, type Command } from 'commander'
import { withConnection } from '../apps/connect.ts'
import { type Author, publishChange } from '../apps/control.ts'
import { absentOf, entriesOfFile, publishLists, readLists } from '../apps/lists.ts'
import { isActiveRule } from '../apps/rules.ts'
import { readSnooze } from '../config/control-texts.ts'
import type { ListChange } from '../core/lists.ts'
import { type ListName, type ListType, listNames, listTypes } from '../core/verdict.ts'
import { shown } from '../files/shown.ts'
import { addAuthor, configOf, count, timeToCome, wantsJson } from './flags.ts'
import { grouped, note, print, printJson, printTable, styled } from './output.ts'

const example = `
Examples:
  weir lists add deny device d-17 --author ana --reason "mule phone" --expires 2030-12-31
  weir lists add deny ip 203.0.113.0/24 --author ana --final
  weir lists import blocked.csv --author ana        columns list, type, value, strength, expires, reason
  weir lists snooze card-testing customer c-42 --until 2030-12-01 --author ana`

export function registerLists(program: Command): void {
  const lists = program
    .command('lists')
    .description('allow, deny and watch lists, and rules that are silent for one customer or device')
    .addHelpText('after', example)

  lists
    .command('show')
    .description('what stands on the lists now')
    .addArgument(new Argument('[list]', 'only this one').choices(listNames))
    .option('--limit <n>', 'how many entries of each list', count, 50)
    .action(async (only: ListName | undefined, { limit }: { limit: number }, command: Command) => {
      const { config } = configOf(command)
      const book = await withConnection(config, (connection) => readLists(connection, config))
      const names = only === undefined ? listNames : [only]
      if (wantsJson(command)) {
        return printJson(Object.fromEntries(names.map((list) => [list, [...book.entries(list)]])))
      }
      const rows = names.flatMap((list) => [...book.entries(list)].slice(-limit))
      if (rows.length === 0) return print('nothing stands on a list')
      printTable(
        ['LIST', 'TYPE', 'VALUE', 'STRENGTH', 'EXPIRES', 'BY', 'REASON'],
        rows.map(({ list, type, value, strength, expires, who, reason }) => [
          list,
          type,
          shown(value),
          list === 'deny' ? strength : '',
          expires === null ? '' : new Date(expires).toISOString(),
          shown(who),
          shown(reason),
        ]),
      )
      print(`${grouped(rows.length)} of ${grouped(book.size)} entries`)
    })

  addAuthor(
    entryArguments(
      lists.command('add').description('put an entry on a list; one of the same value is replaced'),
    )
      .option('--reason <text>', 'why it stands there', '')
      .option('--expires <time>', 'until when, ISO 8601 (default: until it is removed)', timeToCome)
      .option('--final', 'on deny: no allow entry overrides it', false),
  ).action(
    async (
      list: ListName,
      type: ListType,
      value: string,
      flags: Author & { reason: string; expires?: number; final: boolean },
      command: Command,
    ) => {
      const { reason, expires = null, final, author } = flags
      const strength = final ? 'final' : 'overridable'
      const entry = { op: 'add', list, type, value, strength, expires, reason, who: author } as const
      await send([entry], flags, command)
    },
  )

  addAuthor(entryArguments(lists.command('remove').description('take an entry off a list'))).action(
    async (list: ListName, type: ListType, value: string, flags: Author, command: Command) => {
      await send([{ op: 'remove', list, type, value }], flags, command)
    },
  )

  addAuthor(
    lists
      .command('import')
      .description(
        'put the entries of a file on the lists; none where one is wrong. If it is cut off, run it again',
      )
      .argument('<file>', 'CSV, JSON Lines, Avro or Parquet'),
  ).action(async (path: string, flags: Author, command: Command) => {
    await send(await entriesOfFile(path, flags.author), flags, command)
  })

  addAuthor(
    lists
      .command('snooze')
      .description('keep one rule silent for one customer, device, merchant … until a time')
      .argument('<rule>', 'id of the rule')
      .addArgument(new Argument('<type>', 'of what').choices(listTypes))
      .argument('<value>', 'which one')
      .requiredOption('--until <time>', 'ISO 8601', timeToCome)
      .option('--reason <text>', 'why', ''),
  ).action(
    async (
      rule: string,
      type: ListType,
      value: string,
      { until, reason, author, comment }: Author & { until: number; reason: string },
      command: Command,
    ) => {
      const { config } = configOf(command)
      const body = JSON.stringify({ rule, type, value, until, reason })
      readSnooze(body)
      const change = { kind: 'snooze', name: rule, version: '1', body, author, comment }
      const [control_id, isActive] = await withConnection(config, async (connection) => [
        await publishChange(connection, config, change),
        // It is published: who may not look, or cannot, does without the warning.
        await isActiveRule(connection, config, rule).catch(() => true),
      ])
      if (!isActive) note(`warning: no rule ${shown(rule)} is active: it is silent once there is one`)
      if (wantsJson(command)) return printJson({ control_id, topic: config.topics.control })
      print(`${styled('green', 'published')}  ${rule} is silent for ${type} ${shown(value)}`)
    },
  )
}

const entryArguments = (command: Command): Command =>
  command
    .addArgument(new Argument('<list>', 'which list').choices(listNames))
    .addArgument(new Argument('<type>', 'what the value is').choices(listTypes))
    .argument('<value>', 'identifier, token, address or range, e-mail hash, country')

async function send(
  changes: readonly ListChange[],
  { author, comment }: Author,
  command: Command,
): Promise<void> {
  const { config } = configOf(command)
  const absent = await withConnection(config, async (connection) => {
    const absent = await absentOf(connection, config, changes).catch(() => [])
    await publishLists(connection, config, changes, { author, comment })
    return absent
  })
  for (const { list, type, value } of absent) {
    note(`warning: ${type} ${shown(value)} does not stand on the ${list} list: nothing changes by it`)
  }
  if (wantsJson(command)) printJson({ changes: changes.length, topic: config.topics.control })
  else
    print(
      `${styled('green', 'published')}  ${grouped(changes.length)} ${changes.length === 1 ? 'change' : 'changes'}`,
    )
}
