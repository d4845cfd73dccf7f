import { randomUUID } from 'node:crypto'
import type { Command } from 'commander'
import { withInstallation } from '../apps/connect.ts'
import { WeirError } from '../core/errors.ts'
import { checkSnapshot } from '../replay/check.ts'
import { loadSnapshot } from '../replay/load.ts'
import { configOf, wantsJson } from './flags.ts'
import { grouped, note, print, printJson, startProgress } from './output.ts'

export function registerState(program: Command): void {
  const state = program.command('state').description('the states of an installation, and snapshots of them')

  state
    .command('load <file>')
    .description('load a snapshot of `weir replay --state` into an installation that holds nothing yet')
    .action(async (file: string, _, command: Command) => {
      const { config } = configOf(command)
      const progress = startProgress('states', Number.POSITIVE_INFINITY)
      const head = await withInstallation(config, (target) =>
        loadSnapshot(file, target, randomUUID, (states) => progress.add(states)),
      )
      const { count, seconds } = progress.stop()
      const { source, positions } = head
      if (wantsJson(command)) return printJson({ file, source, states: count, positions })
      note(`${grouped(count)} states of ${source} in ${seconds.toFixed(1)} s: ${config.app} can start`)
    })

  state
    .command('check <file>')
    .description('compare a snapshot with the states of an installation at rest, byte for byte')
    .action(async (file: string, _, command: Command) => {
      const { config } = configOf(command)
      const progress = startProgress('states', Number.POSITIVE_INFINITY)
      const { compared, differing, first } = await withInstallation(config, (target) =>
        checkSnapshot(file, target, (states) => progress.add(states)),
      )
      progress.stop()
      if (wantsJson(command)) printJson({ file, compared, differing, first })
      else if (differing === 0) print(`equal: ${grouped(compared)} states, byte for byte`)
      if (differing === 0) return
      throw new WeirError(
        'WEIR_STATE_DIFFERS',
        `${grouped(differing)} states of ${config.app} are not those of ${file} (${grouped(compared)} states): ${first}`,
        {
          cure: 'wait until entity updates are folded and compare again; docs/operations.md says what else may differ',
        },
      )
    })
}
