import type { Command } from 'commander'
import { loadFeatures } from '../config/definitions.ts'
import { configOf, wantsJson } from './flags.ts'
import { print, printJson, printTable, styled } from './output.ts'

export function registerFeatures(program: Command): void {
  const features = program.command('features').description('what models see of a payment and its past')

  features
    .command('list')
    .description('list the features in column order, with the hash that a model package must name')
    .action((_, command: Command) => {
      const { config } = configOf(command)
      const { file, hash, layoutHash } = loadFeatures(config.features)
      if (wantsJson(command)) return printJson({ hash, layout_hash: layoutHash, features: file.features })
      printTable(
        ['#', 'FEATURE', 'ENTITY', 'DESCRIPTION'],
        file.features.map(({ name, entity, description }, column) => [
          String(column),
          name,
          entity,
          description,
        ]),
      )
      print(styled('dim', `\n${file.features.length} features, hash ${hash}, state layout ${layoutHash}`))
    })
}
