import type { Command } from 'commander'
import { effectiveValues, renderConfig } from '../config/render.ts'
import { configOf, wantsJson } from './flags.ts'
import { print, printJson } from './output.ts'

export function registerConfig(program: Command): void {
  const config = program.command('config').description('show and check the configuration')

  config
    .command('print')
    .description('print every setting with where its value came from; usable as weir.yaml')
    .option('--no-redact', 'show secrets')
    .action(({ redact }: { redact: boolean }, command: Command) => {
      const loaded = configOf(command)
      if (!wantsJson(command)) return print(renderConfig(loaded, redact).trimEnd())
      const rows = [...effectiveValues(loaded, redact)].map(
        ([path, value]) => [path, { value, source: loaded.sources.get(path) ?? 'default' }] as const,
      )
      printJson(Object.fromEntries(rows))
    })

  config
    .command('check')
    .description('read file, environment and flags, and say what is wrong with them')
    .action((_, command: Command) => {
      const { sources } = configOf(command)
      if (wantsJson(command)) printJson({ ok: true, settings: Object.fromEntries(sources) })
      else print(`configuration is valid; ${sources.size} set, the others at their defaults`)
    })
}
