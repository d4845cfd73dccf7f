import { readFileSync } from 'node:fs'
import { Command, CommanderError } from 'commander'
import { WeirError } from '../core/errors.ts'
import { registerAlerts } from './alerts.ts'
import { registerAudit } from './audit.ts'
import { registerCompare } from './compare.ts'
import { registerConfig } from './config.ts'
import { registerDemo } from './demo.ts'
import { registerDlq } from './dlq.ts'
import { registerExport } from './export.ts'
import { registerFeatures } from './features.ts'
import { addGlobalFlags } from './flags.ts'
import { registerGenerate } from './generate.ts'
import { registerLabel } from './label.ts'
import { registerLists } from './lists.ts'
import { registerModel } from './model.ts'
import { endProgress, styled } from './output.ts'
import { registerPolicy } from './policy.ts'
import { registerProduce } from './produce.ts'
import { registerRekey } from './rekey.ts'
import { registerReplay } from './replay.ts'
import { registerReset } from './reset.ts'
import { registerRules } from './rules.ts'
import { registerState } from './state.ts'
import { registerStream } from './stream.ts'
import { registerTail } from './tail.ts'
import { registerThreshold } from './threshold.ts'
import { registerTopics } from './topics.ts'
import { registerTrain } from './train.ts'

/** Each adds its command to the program; the order is that of `weir --help`. */
const commands: readonly ((program: Command) => void)[] = [
  registerDemo,
  registerStream,
  registerConfig,
  registerTopics,
  registerGenerate,
  registerProduce,
  registerTail,
  registerAlerts,
  registerLabel,
  registerDlq,
  registerReplay,
  registerCompare,
  registerThreshold,
  registerRules,
  registerLists,
  registerPolicy,
  registerFeatures,
  registerExport,
  registerTrain,
  registerModel,
  registerState,
  registerAudit,
  registerReset,
  registerRekey,
]

/** Exit codes, as docs/operations.md has them. */
const exitCodes = { done: 0, failed: 1, usage: 2 } as const

/** Runs one command and returns the exit code. Mistakes are shown with their cure, bugs with their stack. */
export async function run(args: readonly string[]): Promise<number> {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    // A reader that has seen enough (`weir audit | head`) is no failure, and hides none.
    if (error.code === 'EPIPE') return
    const cure = 'make room, or send the output elsewhere'
    process.exit(report(new WeirError('WEIR_CLI_INPUT', `standard output: ${error.message}`, { cure })))
  })
  try {
    const program = createProgram()
    if (args.length === 0) program.outputHelp()
    else await program.parseAsync(args, { from: 'user' })
    return exitCodes.done
  } catch (error) {
    endProgress()
    return report(error)
  }
}

function createProgram(): Command {
  const program = addGlobalFlags(new Command('weir'))
    .description('Scores payments for fraud as they stream by: Kafka in, one decision for every event out.')
    .version(version(), '--version', 'print the version')
    .helpOption('-h, --help', 'print help')
    .helpCommand(false)
    .showSuggestionAfterError()
    .exitOverride()
  for (const register of commands) register(program)
  return program
}

function version(): string {
  const file = new URL('../../package.json', import.meta.url)
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version
}

function report(error: unknown): number {
  // Commander has printed its message itself, and throws for --help and --version as well.
  if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.done : exitCodes.usage
  if (!(error instanceof WeirError)) {
    const stack = error instanceof Error ? error.stack : String(error)
    process.stderr.write(`this is a bug in weir, please report it:\n${stack}\n`)
    return exitCodes.failed
  }
  process.stderr.write(`${styled('red', 'error:', process.stderr)} ${error.message} (${error.code})\n`)
  if (error.cure !== undefined)
    process.stderr.write(`${styled('green', 'cure:', process.stderr)} ${error.cure}\n`)
  return isUsersMistake(error) ? exitCodes.usage : exitCodes.failed
}

const isUsersMistake = ({ code }: WeirError): boolean =>
  /^WEIR_(CONFIG|CLI_USAGE|FEATURES|POLICY|RULES_INVALID)/.test(code)
