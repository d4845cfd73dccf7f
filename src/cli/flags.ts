import { type Command, InvalidArgumentError, Option } from 'commander'
import { type LoadedConfig, loadConfig } from '../config/load.ts'
import { WeirError } from '../core/errors.ts'
import { parseTime } from '../files/conversions.ts'
import type { Position } from '../replay/topic-source.ts'

/** Flags that every command takes, before or after its name. */
interface GlobalFlags {
  readonly config?: string
  readonly set: string[]
  readonly json: boolean
}

export function addGlobalFlags(program: Command): Command {
  return program
    .option('--config <file>', 'configuration file (default: WEIR_CONFIG, else weir.yaml)')
    .option('--set <key=value>', 'one setting, over file and environment; may be repeated', collect, [])
    .option('--json', 'output for programs', false)
}

const collect = (value: string, earlier: readonly string[]): string[] => [...earlier, value]

/** Of a command that changes what decides; its flags are an Author (apps/control.ts). */
export const addAuthor = (command: Command): Command =>
  command
    .requiredOption('--author <name>', 'who makes the change')
    .option('--comment <text>', 'why it is made')

/** Payments of a stretch of time: `from` and `to`, epoch milliseconds, infinite where not given. */
export const addWindow = (command: Command): Command =>
  command
    .addOption(
      new Option('--from <time>', 'payments from then on, ISO 8601')
        .argParser(time)
        .default(Number.NEGATIVE_INFINITY, 'the first'),
    )
    .addOption(
      new Option('--to <time>', 'payments before that')
        .argParser(time)
        .default(Number.POSITIVE_INFINITY, 'no end'),
    )

/** The configuration for the command that was called. */
export function configOf(command: Command): LoadedConfig {
  const { config, set } = command.optsWithGlobals<GlobalFlags>()
  return loadConfig({ file: config, set })
}

export const wantsJson = (command: Command): boolean => command.optsWithGlobals<GlobalFlags>().json

/**
 * Refuses flags that would do nothing.
 *
 * @param names of their values; those that were not given are fine.
 * @param where they do nothing: `with --verify`.
 * @throws WeirError WEIR_CLI_USAGE.
 */
export function refuseFlags(command: Command, names: readonly string[], where: string): void {
  const idle = command.options.find(
    (option) =>
      names.includes(option.attributeName()) &&
      command.getOptionValueSource(option.attributeName()) === 'cli',
  )
  if (idle === undefined) return
  throw new WeirError('WEIR_CLI_USAGE', `${idle.long} does nothing ${where}`, { cure: 'leave it out' })
}

interface Range {
  readonly from?: Position | undefined
  readonly to?: Position | undefined
}

/**
 * Refuses a range that ends before it begins; a moment and offsets cannot be compared here.
 *
 * @throws WeirError WEIR_CLI_USAGE.
 */
export function refuseBackwards({ from, to }: Range): void {
  if (from === undefined || to === undefined || !endsBefore(from, to)) return
  throw new WeirError('WEIR_CLI_USAGE', '--to lies before --from: nothing is between them', {
    cure: 'give the earlier one as --from',
  })
}

function endsBefore(from: Position, to: Position): boolean {
  if ('time' in from) return 'time' in to && to.time < from.time
  return 'offsets' in to && to.offsets.some((offset, i) => offset < (from.offsets[i] ?? 0))
}

/** For a flag that may be given once. */
export function once(text: string, earlier: string | undefined): string {
  if (earlier === undefined) return text
  throw new InvalidArgumentError("Give it once; several files are a glob, for example 'labels/*.csv'.")
}

/** For a flag that counts something: a whole number from 0; `infinity` where there may be no end. */
export function count(text: string): number {
  if (text === 'infinity') return Number.POSITIVE_INFINITY
  if (!/^\d+$/.test(text)) throw new InvalidArgumentError('Give a whole number, 0 or more.')
  return Number(text)
}

export function number(text: string): number {
  const value = Number(text)
  if (text.trim() === '' || !Number.isFinite(value)) throw new InvalidArgumentError('Give a number.')
  return value
}

/** For a flag that names a moment: ISO 8601, as epoch milliseconds. */
export function time(text: string): number {
  const instant = parseTime(text)
  if (instant === undefined)
    throw new InvalidArgumentError('Write ISO 8601, for example 2026-01-05T00:00:00Z.')
  return instant
}

/** For a flag that says until when something is to hold. */
export function timeToCome(text: string): number {
  const instant = time(text)
  if (instant > Date.now()) return instant
  throw new InvalidArgumentError('It is past already: give a time that is to come.')
}

/** For a flag that names a place on the log: a moment, or an offset for each partition. */
export function position(text: string): Position {
  if (/^\d+(,\d+)*$/.test(text)) return { offsets: text.split(',').map(Number) }
  if (text.includes('-')) return { time: time(text) }
  throw new InvalidArgumentError('Give a moment in ISO 8601, or an offset for each partition: 0,120,7.')
}

/** For a flag that is so many days, parts of one too: 0 or more. */
export function days(text: string): number {
  const value = number(text)
  if (value >= 0) return value
  throw new InvalidArgumentError('Give a number of days, 0 or more.')
}
