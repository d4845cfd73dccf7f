import { Argument, Command, InvalidArgumentError } from 'commander'
import { print, styled } from '../src/cli/output.ts'
import type { Fault, Outcome } from './fault.ts'
import { faults } from './list.ts'
import { say } from './scene.ts'

interface Flags {
  readonly times?: number
  readonly seed?: number
  readonly short?: boolean
  readonly json?: boolean
  readonly list?: boolean
}

/** What is said of one fault: the same figures for all, then its own. */
interface Line {
  readonly fault: string
  readonly seed: number
  readonly seconds: number
  readonly injected: number
  readonly events: number
  readonly lost: number
  readonly doubled: number
  readonly changed: number
  readonly state_differences: number
  readonly breaches: readonly string[]
  readonly [figure: string]: unknown
}

function lineOf({ name }: Fault, seed: number, seconds: number, outcome: Outcome): Line {
  const { events = 0, lost = 0, doubled = 0, changed = 0, state_differences = 0 } = outcome.verdict ?? {}
  return {
    fault: name,
    seed,
    seconds: Math.round(seconds),
    injected: outcome.injected,
    events,
    lost,
    doubled,
    changed,
    state_differences,
    ...outcome.figures,
    breaches: outcome.breaches,
  }
}

function printLine({ fault, breaches, ...figures }: Line): void {
  const kept = breaches.length === 0
  const numbers = Object.entries(figures).map(([name, value]) => `${name} ${value}`)
  print(
    `${styled(kept ? 'green' : 'red', kept ? 'kept  ' : 'BROKEN')} ${fault.padEnd(16)} ${numbers.join(', ')}`,
  )
  for (const breach of breaches) print(`       ${breach}`)
}

/** Runs one fault. What it throws is a breach too: the others still run. */
async function run(fault: Fault, seed: number, times: number): Promise<Line> {
  say(`${fault.name}: ${fault.promise} (${times} times, seed ${seed})`)
  const begun = performance.now()
  const outcome = await fault.run({ seed, times }).catch((error: unknown): Outcome => {
    return { injected: 0, verdict: null, figures: {}, breaches: [(error as Error).stack ?? String(error)] }
  })
  return lineOf(fault, seed, (performance.now() - begun) / 1000, outcome)
}

function chosen(names: readonly string[], short: boolean): readonly Fault[] {
  if (names.length > 0) return faults.filter(({ name }) => names.includes(name))
  return faults.filter(({ times }) => (short ? times.short : times.whole) > 0)
}

const wholeNumber = (text: string): number => {
  if (!/^\d{1,9}$/.test(text)) throw new InvalidArgumentError('a whole number is needed')
  return Number(text)
}

const program = new Command('npm run faults --')
  .description(
    'breaks weir on purpose, on a broker, a Redis and members of its own, and proves what it promises',
  )
  .addArgument(
    new Argument('[name...]', 'faults to inject; all of them when none is named').choices(
      faults.map(({ name }) => name),
    ),
  )
  .option('--times <n>', 'how often each is injected', wholeNumber)
  .option('--seed <n>', 'draws the same again (default: a new one, which is said)', wholeNumber)
  .option('--short', 'a few times each, as every test run does')
  .option('--json', 'a line of JSON for each fault')
  .option('--list', 'the faults and what is promised under each')
  .action(async (names: string[], { times, seed, short = false, json = false, list = false }: Flags) => {
    if (list) {
      for (const { name, promise } of faults) print(`${name.padEnd(16)} ${promise}`)
      return
    }
    let broken = 0
    for (const fault of chosen(names, short)) {
      const line = await run(
        fault,
        seed ?? Math.floor(Math.random() * 1_000_000),
        times ?? (short ? fault.times.short : fault.times.whole),
      )
      if (line.breaches.length > 0) broken++
      if (json) print(JSON.stringify(line))
      else printLine(line)
    }
    process.exitCode = broken > 0 ? 1 : 0
  })

// A mistake on the command line is 2, as with every command of weir.
program.exitOverride(({ exitCode }) => process.exit(exitCode === 0 ? 0 : 2))
await program.parseAsync().catch((error: Error) => program.error(`error: ${error.message}`, { exitCode: 2 }))
