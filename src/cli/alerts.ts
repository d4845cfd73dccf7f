import { userInfo } from 'node:os'
import { type Command, InvalidArgumentError, Option } from 'commander'
import { actOnCase, type CaseRequest } from '../apps/case-action.ts'
import { listCases } from '../apps/cases.ts'
import { withConnection } from '../apps/connect.ts'
import { type Desk, openDesk } from '../apps/desk.ts'
import type { Config } from '../config/schema.ts'
import { dispositions } from '../core/cases.ts'
import { WeirError } from '../core/errors.ts'
import { showCase, showList } from './case.ts'
import { configOf, count, wantsJson } from './flags.ts'
import { print, printJson } from './output.ts'

interface ListFlags {
  readonly budget?: number
  readonly day?: string
  readonly all: boolean
}

interface ActionFlags {
  readonly who?: string
  readonly text?: string
  readonly as?: CaseRequest['disposition']
}

export function registerAlerts(program: Command): void {
  const alerts = program
    .command('alerts')
    .description('cases of alerts: what is to be worked on, and what people found')
    .addHelpText('after', '\nExample: weir alerts list --budget 20, then weir alerts dispose CASE --as fraud')

  alerts
    .command('list')
    .description('the working list: open cases by expected loss, those beyond the budget of their day marked')
    .option('--budget <k>', 'cases a day (default: cases.per_day)', count)
    .option('--day <day>', 'only cases that were opened on this UTC day: 2026-01-15', isoDayFlag)
    .option('--all', 'closed ones, too', false)
    .action(async ({ budget, day, all }: ListFlags, command: Command) => {
      const { config } = configOf(command)
      const perDay = budget ?? config.cases.per_day
      const listed = await withDesk(config, (desk) =>
        listCases(desk, { perDay, day: day ?? null, closed: all }, Date.now()),
      )
      if (wantsJson(command))
        printJson(
          listed.map(({ case: one, day, isOverBudget }) => ({ day, over_budget: isOverBudget, ...one })),
        )
      else showList(listed)
    })

  alerts
    .command('show <case>')
    .description(
      'one case: its alerts with reasons, the payments around them, notes; any of its alerts names it',
    )
    .option(
      '--narrate',
      'in the language of the setting narrative.language, by its language model where one is set',
      false,
    )
    .action(async (id: string, { narrate }: { narrate: boolean }, command: Command) => {
      const { config } = configOf(command)
      const narrator = narrate ? config.narrative : null
      await withDesk(config, (desk) => showCase(desk, id, narrator, wantsJson(command)))
    })

  addAction(alerts, 'take', 'take a case to work on it')
  addAction(alerts, 'release', 'give a case back')
  addAction(alerts, 'note', 'write a note on a case').requiredOption(
    '--text <text>',
    'the note; no card numbers',
  )
  addAction(alerts, 'dispose', 'close a case; fraud and good label the payment of each of its alerts as well')
    .option('--text <text>', 'why; no card numbers')
    .addOption(new Option('--as <disposition>', 'what it was').choices(dispositions).makeOptionMandatory())
}

function addAction(alerts: Command, action: CaseRequest['action'], description: string): Command {
  return alerts
    .command(`${action} <case>`)
    .description(description)
    .option('--who <name>', 'who does it (default: the user of this process)')
    .action(async (id: string, { who, text, as }: ActionFlags, command: Command) => {
      const { config } = configOf(command)
      const by = who ?? userName()
      const request = { id, action, who: by, text: text ?? null, disposition: as ?? null }
      const done = await withDesk(config, (desk) => actOnCase(desk, request, Date.now()))
      const { case: one, isNew, labels } = done
      if (wantsJson(command)) return printJson({ case: one, is_new: isNew, labels })
      const state = one.disposition ?? (one.taken_by === null ? one.status : `taken by ${one.taken_by}`)
      print(
        `${one.case_id}: ${state}${isNew ? '' : ', as it was'}${labels === 0 ? '' : `; ${labels} labels written`}`,
      )
    })
}

const withDesk = <T>(config: Config, use: (desk: Desk) => Promise<T>): Promise<T> =>
  withConnection(config, async (connection) => use(await openDesk(config, connection)))

function isoDayFlag(text: string): string {
  if (/^\d{4}-\d\d-\d\d$/.test(text) && !Number.isNaN(Date.parse(text))) return text
  throw new InvalidArgumentError('Write a day as 2026-01-15.')
}

/** A container may run as a user id that has no name. */
function userName(): string {
  try {
    return userInfo().username
  } catch {
    throw new WeirError('WEIR_CLI_USAGE', 'the user of this process has no name', {
      cure: 'say who does it: --who ana',
    })
  }
}
