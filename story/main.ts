import { Command } from 'commander'
import { print } from '../src/cli/output.ts'
import { startShared } from '../test/helpers/services.ts'
import { Stage } from './stage.ts'
import { Story } from './story.ts'
import { storySeed, trafficOf } from './traffic.ts'

const program = new Command('npm run story --')
  .description('an attack, a rule, and what it was worth: told on a real broker and Redis, and checked')
  .option('--json', 'the figures as the last line')
  .action(async ({ json = false }: { json?: boolean }) => {
    const services = await startShared()
    const stage = await Stage.open(services, print)
    try {
      const summary = await new Story(stage, trafficOf(storySeed, Date.now()), 'out/story').tell()
      print('\nAll of it holds.')
      if (json) print(JSON.stringify(summary))
    } catch (error) {
      print(`\n${(error as Error).message}`)
      process.exitCode = 1
    } finally {
      await stage.close()
      await services.stop()
    }
  })

// A mistake on the command line is 2, as with every command of weir.
program.exitOverride(({ exitCode }) => process.exit(exitCode === 0 ? 0 : 2))
await program.parseAsync()
