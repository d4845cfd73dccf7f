import { join } from 'node:path'
import type { Command } from 'commander'
import { listModels } from '../adapters/model-package.ts'
import { loadFeatures } from '../config/definitions.ts'
import { WeirError } from '../core/errors.ts'
import { configOf, wantsJson } from './flags.ts'
import { note, print, printJson, printTable, styled } from './output.ts'

export function registerModel(program: Command): void {
  const model = program.command('model').description('the model packages')

  model
    .command('list')
    .description('list the packages in the model folder; * marks the champion')
    .action(async (_, command: Command) => {
      const { config } = configOf(command)
      const listings = await listModels(config.models.directory)
      const rows = listings.map((listing) => {
        if (listing.error !== null) return { dir: listing.dir, error: listing.error.message }
        const { name, version, parts, feature_hash } = listing.manifest
        const id = `${name}@${version}`
        return {
          id,
          champion: id === config.models.champion,
          parts: parts.map((part) => part.name),
          feature_hash,
          sha256: listing.sha256,
          dir: listing.dir,
        }
      })
      if (wantsJson(command)) return printJson(rows)
      if (rows.length === 0) return print(`no packages in ${config.models.directory}`)
      printTable(
        ['', 'MODEL', 'PARTS', 'FEATURES', 'SHA-256'],
        rows.map((row) =>
          'error' in row
            ? [styled('red', '!'), row.dir ?? '', String(row.error), '', '']
            : [
                row.champion ? '*' : '',
                row.id,
                row.parts.join(' + '),
                row.feature_hash,
                row.sha256.slice(0, 16),
              ],
        ),
      )
    })

  model
    .command('check')
    .description('hold a package against every check that it must pass before it serves')
    .argument('[model]', 'name@version (default: the champion)')
    .action(async (id: string | undefined, _, command: Command) => {
      const { config } = configOf(command)
      const chosen = id ?? config.models.champion
      // onnxruntime takes a while to load, and only this command needs it.
      const { checkModel } = await import('../adapters/model-admission.ts')
      const { directory, providers, threads } = config.models
      const checks = await checkModel(join(directory, ...folderOf(chosen)), {
        features: loadFeatures(config.features),
        providers,
        threads,
        log: note,
      })
      if (wantsJson(command)) {
        printJson(
          checks.map(({ check, error }) => ({ check, ok: error === null, error: error?.message ?? null })),
        )
      } else {
        for (const { check, error } of checks) {
          print(
            error === null
              ? `${styled('green', 'ok')}      ${check}`
              : `${styled('red', 'failed')}  ${check}`,
          )
        }
      }
      const failure = checks.find(({ error }) => error !== null)?.error
      if (failure) throw failure
    })
}

function folderOf(id: string): readonly [name: string, version: string] {
  const [, name, version] = /^([a-z0-9_-]+)@(\d+\.\d+\.\d+)$/.exec(id) ?? []
  if (name !== undefined && version !== undefined) return [name, version]
  throw new WeirError('WEIR_CLI_USAGE', `${id} is not name@version`, {
    cure: 'name a package as `weir model list` shows it, for example champion@1.0.0',
  })
}
