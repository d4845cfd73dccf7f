import type { Command } from 'commander'
import { withConnection } from '../apps/connect.ts'
import { type Author, publishChange } from '../apps/control.ts'
import { loadFeatures, loadPolicy } from '../config/definitions.ts'
import { addAuthor, configOf, wantsJson } from './flags.ts'
import { print, printJson, styled } from './output.ts'

const example = `
Examples:
  weir policy check my-policy.yaml
  weir policy publish my-policy.yaml --author ana --comment "thresholds of weir threshold"`

export function registerPolicy(program: Command): void {
  const policy = program
    .command('policy')
    .description('the policy: check a file, send it to all members (docs/policy.md)')
    .addHelpText('after', example)

  policy
    .command('check')
    .description('whether a policy file can be read and fits the features')
    .argument('[file]', 'policy file (default: the setting `policy`)')
    .action((path: string | undefined, _, command: Command) => {
      const { config } = configOf(command)
      const { id } = loadPolicy(path ?? config.policy, loadFeatures(config.features))
      if (wantsJson(command)) printJson({ id })
      else print(`${styled('green', 'ok')}  ${id}`)
    })

  addAuthor(
    policy
      .command('publish')
      .description('send a policy file to all members; one that fails the check is not sent')
      .argument('<file>', 'policy file'),
  ).action(async (path: string, { author, comment }: Author, command: Command) => {
    const { config } = configOf(command)
    const { id, file } = loadPolicy(path, loadFeatures(config.features))
    // What the file extends is part of it: members have no files to look in.
    const change = { kind: 'policy', name: 'policy', version: file.version, body: JSON.stringify(file) }
    const control_id = await withConnection(config, (connection) =>
      publishChange(connection, config, { ...change, author, comment }),
    )
    if (wantsJson(command)) return printJson({ id, control_id, topic: config.topics.control })
    print(`${styled('green', 'published')}  ${id}`)
  })
}
