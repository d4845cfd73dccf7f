import { type Command, Option } from 'commander'
import { withConnection } from '../apps/connect.ts'
import { openDesk } from '../apps/desk.ts'
import { labelPayment } from '../apps/label.ts'
import { WeirError } from '../core/errors.ts'
import { claimants } from '../core/labels-view.ts'
import { configOf, refuseFlags, wantsJson } from './flags.ts'
import { print, printJson } from './output.ts'

interface Flags {
  readonly fraud?: true
  readonly good?: true
  readonly reverse?: true
  readonly source: (typeof claimants)[number]
  readonly state?: 'reported' | 'confirmed'
  readonly type?: string
  readonly customer?: string
}

export function registerLabel(program: Command): void {
  program
    .command('label <transaction>')
    .description('say what a payment was, or take back what a source said of it')
    .option('--fraud', 'it was fraud')
    .option('--good', 'it was not')
    .option('--reverse', 'the source takes back what it said')
    .addOption(new Option('--source <source>', 'who says so').choices(claimants).default('analyst'))
    .addOption(
      new Option('--state <state>', 'how sure it is (default: confirmed for analyst, else reported)').choices(
        ['reported', 'confirmed'],
      ),
    )
    .option('--type <type>', 'with --fraud: its kind')
    .option('--customer <id>', 'its customer, where known: faster on long topics')
    .addHelpText('after', '\nExample: weir label tx-4711 --fraud --source chargeback --state confirmed')
    .action(async (transaction_id: string, flags: Flags, command: Command) => {
      if (flags.fraud !== true) refuseFlags(command, ['type'], 'without --fraud')
      const { config } = configOf(command)
      const { source, type = null, customer = null } = flags
      const request = { transaction_id, ...saidBy(flags), source, fraud_type: type, customer_id: customer }
      const { label, isNew, view } = await withConnection(config, async (connection) =>
        labelPayment(await openDesk(config, connection), request, Date.now()),
      )
      if (wantsJson(command)) return printJson({ label, is_new: isNew, view })
      const held = `held to be ${view.fraud ? 'fraud' : 'good'} since ${new Date(view.observed_time).toISOString()}`
      print(
        `${transaction_id}: ${isNew ? 'labelled' : 'labelled so before'}; ${held} (${view.state} by ${view.source})`,
      )
    })
}

/** @throws WeirError WEIR_CLI_USAGE unless it is exactly one of the three. */
function saidBy({ fraud, good, reverse, source, state }: Flags): { fraud: boolean; state: string } {
  if ([fraud, good, reverse].filter((flag) => flag === true).length !== 1) {
    throw new WeirError('WEIR_CLI_USAGE', 'it is not said, or said twice, what the payment was', {
      cure: 'give just one of --fraud, --good and --reverse',
    })
  }
  if (reverse === true) return { fraud: false, state: 'reversed' }
  return { fraud: fraud === true, state: state ?? (source === 'analyst' ? 'confirmed' : 'reported') }
}
