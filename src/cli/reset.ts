import { type Command, InvalidArgumentError } from 'commander'
import { openContracts, withInstallation } from '../apps/connect.ts'
import { WeirError } from '../core/errors.ts'
import { holdsPan } from '../core/pan.ts'
import { resetGroup } from '../ledger/reset.ts'
import type { LanePlan, SkipTo } from '../ledger/reset-plan.ts'
import { configOf, time, wantsJson } from './flags.ts'
import { note, printJson, printTable, styled } from './output.ts'

interface Flags {
  readonly skipTo?: SkipTo
  readonly skipLabelsTo?: SkipTo
  readonly reason?: string
  readonly forgetStates: boolean
  readonly yes: boolean
}

export function registerReset(program: Command): void {
  program
    .command('reset')
    .description('put the group back to where its outputs stand, after offsets were reset or deleted')
    .option('--skip-to <where>', 'payments go on at end, a time, or offsets (- for none): 120,-,7', skipTo)
    .option('--skip-labels-to <where>', 'labels likewise', skipTo)
    .option('--reason <text>', 'why something is skipped, for the log and `weir audit`', reason)
    .option(
      '--forget-states',
      'delete states that are ahead, or whose history is gone; the log makes them again',
      false,
    )
    .option('--yes', 'do it; without it nothing is changed', false)
    .addHelpText(
      'after',
      `
Shows what it would do, and does it with --yes. Members must be stopped.

Examples:
  weir reset                                     where does the group stand, by what it wrote?
  weir reset --yes                               put it there: nothing is lost, nothing decided twice
  weir reset --skip-to end --reason 'load test' --yes`,
    )
    .action(async (flags: Flags, command: Command) => {
      checkFlags(flags)
      const { config } = configOf(command)
      const contracts = await openContracts(config)
      const plans = await withInstallation(config, ({ log, store, features }) =>
        resetGroup({ config, log, store, contracts, features, ...flags }, flags.yes),
      )
      const refused = plans.find(({ refusal }) => refusal !== null)
      const done = flags.yes && refused === undefined
      if (wantsJson(command)) printJson({ done, lanes: plans.map(asJson) })
      else show(plans, done)
      if (refused?.refusal) throw refused.refusal
    })
}

const asJson = ({ refusal, ...plan }: LanePlan) => ({ ...plan, refused: refusal?.code ?? null })

/** @throws WeirError WEIR_CLI_USAGE. */
function checkFlags({ skipTo, skipLabelsTo, reason }: Flags): void {
  const skips = skipTo !== undefined || skipLabelsTo !== undefined
  if (skips === (reason !== undefined)) return
  throw new WeirError(
    'WEIR_CLI_USAGE',
    skips ? 'what is skipped needs a reason' : '--reason does nothing without --skip-to',
    {
      cure: skips ? "say why: --reason 'test data of November 26'" : 'leave it out',
    },
  )
}

function skipTo(text: string): SkipTo {
  if (text === 'end') return 'end'
  if (/^(\d+|-)(,(\d+|-))*$/.test(text)) {
    return { offsets: text.split(',').map((offset) => (offset === '-' ? null : Number(offset))) }
  }
  if (text.includes('-')) return { time: time(text) }
  throw new InvalidArgumentError('Give end, a moment in ISO 8601, or an offset for each partition: 120,-,7.')
}

const longestReason = 500

function reason(text: string): string {
  if (text.trim() === '' || text.length > longestReason || /\p{Cc}/u.test(text))
    throw new InvalidArgumentError(`Give one line of at most ${longestReason} characters.`)
  if (holdsPan(text, { anywhere: true }))
    throw new InvalidArgumentError('It holds a card number, which must not come onto the log.')
  return text
}

function show(plans: readonly LanePlan[], done: boolean): void {
  const number = (value: number | null) => (value === null ? '-' : String(value))
  printTable(
    ['', 'GROUP', 'OUTPUTS', 'STATES', 'GOES ON AT', ''],
    plans.map((plan) => [
      `${plan.topic}-${plan.partition}`,
      number(plan.position),
      number(plan.answered),
      number(plan.states),
      plan.lane === 'e' ? '-' : number(plan.to),
      whatOf(plan),
    ]),
  )
  if (plans.some(({ refusal }) => refusal !== null)) return
  const changes = plans.filter(isChange).length
  if (changes === 0) note('nothing to do: the group stands where its outputs do')
  else if (done) note('done: members can start')
  else note('nothing was changed; --yes does it')
}

const isChange = ({ position, to, skip, clears }: LanePlan): boolean =>
  clears || skip !== null || (to !== null && to !== position)

function whatOf(plan: LanePlan): string {
  if (plan.refusal !== null) return styled('red', plan.refusal.code)
  const parts = [
    ...(plan.skip === null ? [] : [`skips ${plan.skip.from} to ${plan.skip.to - 1}`]),
    ...(plan.clears ? ['states deleted'] : []),
  ]
  if (parts.length > 0) return styled('yellow', parts.join(', '))
  return isChange(plan) ? styled('green', 'set') : ''
}
