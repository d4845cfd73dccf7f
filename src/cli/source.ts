import { existsSync } from 'node:fs'
import { type Command, Option } from 'commander'
import { withConnection } from '../apps/connect.ts'
import type { Config } from '../config/schema.ts'
import { WeirError } from '../core/errors.ts'
import { inputFiles } from '../files/inputs.ts'
import { streamFormats } from '../files/rows.ts'
import { type FileSourceOptions, fileSource } from '../replay/file-source.ts'
import { generatedSource, type Source } from '../replay/source.ts'
import { openTopicSource, type Position } from '../replay/topic-source.ts'
import { once, refuseFlags } from './flags.ts'
import { grouped, note } from './output.ts'

export interface FileFlags {
  readonly map?: string
  readonly labels?: string
  readonly format?: FileSourceOptions['format']
  readonly sort?: boolean
  readonly allowUnordered?: boolean
  readonly onError: OnError
}

type OnError = 'stop' | 'skip'

/** Flags of commands that read history from files. */
export function addFileFlags(command: Command, onError: OnError): Command {
  return command
    .option('--map <mapping>', 'mapping file, or the name of one in mappings/')
    .option('--labels <file>', 'labels, where the mapping makes none; a glob for several', once)
    .addOption(new Option('--format <format>', 'what comes from standard input (-)').choices(streamFormats))
    .option('--sort', 'rows by event time, held in memory')
    .option('--allow-unordered', 'take rows whose times go backwards as they come')
    .addOption(onErrorOption(onError))
}

export const onErrorOption = (fallback: OnError): Option =>
  new Option('--on-error <do>', 'what a bad row does').choices(['stop', 'skip']).default(fallback)

/** What stands for the topics among sources. */
export const topicWord = 'topic'

export interface SourceFlags extends FileFlags {
  readonly events?: number
  readonly seed: number
  /** Of the topics. */
  readonly from?: Position | undefined
  readonly to?: Position | undefined
  /** Offsets at which the labels end. */
  readonly labelsTo?: readonly number[] | undefined
}

/** Opens history for the time that `use` takes: files, the word `topic`, or, with --events, generated payments. */
export async function withSource<T>(
  given: readonly string[],
  flags: SourceFlags,
  config: Config,
  command: Command,
  use: (source: Source) => Promise<T>,
): Promise<T> {
  const { events, seed, from, to, labelsTo } = flags
  const { topics } = config
  if (given.length > 0 === (events !== undefined)) {
    throw new WeirError('WEIR_CLI_USAGE', 'take either a source or --events', {
      cure: `name files of payments, - for standard input, or ${topicWord}; or give --events 100000`,
    })
  }
  const isTopic = given[0] === topicWord
  if (!isTopic) refuseFlags(command, ['from', 'to'], `without the source ${topicWord}`)
  if (isTopic || events !== undefined) {
    refuseFlags(command, ['labels', 'format', 'sort', 'allowUnordered'], 'without files')
  }
  if (events !== undefined) return use(generatedSource({ events, seed, partitions: topics.partitions }))
  if (!isTopic) return use(openFiles(given, flags, topics.partitions))
  if (given.length > 1) {
    throw new WeirError('WEIR_CLI_USAGE', `${topicWord} is a source of its own`, {
      cure: `a file of this name is ./${topicWord}`,
    })
  }
  return withConnection(config, async (connection) =>
    use(await openTopicSource({ ...connection, topics, from, to, labelsTo })),
  )
}

/** The files that a command reads its history from. @throws WeirError WEIR_CLI_INPUT where one is not there. */
export function filesRead(given: readonly string[], { labels, map }: FileFlags): string[] {
  const payments = given[0] === topicWord ? [] : given
  // The name of a mapping that weir brings along is no path.
  const others = [labels, map].filter((path) => path !== undefined && existsSync(path)) as string[]
  return [...inputFiles(payments).map(({ path }) => path), ...others]
}

/** History in the files, as the flags have it. */
export function openFiles(paths: readonly string[], flags: FileFlags, partitions: number): Source {
  if (flags.sort && flags.allowUnordered) {
    throw new WeirError('WEIR_CLI_USAGE', '--sort and --allow-unordered exclude each other', {
      cure: 'take one',
    })
  }
  const order = flags.sort ? 'sort' : flags.allowUnordered ? 'allow' : 'refuse'
  return fileSource(paths, { ...flags, partitions, order })
}

const mostShown = 10

/** Bad rows: the first ends all with `stop`; with `skip` ten are shown, and all counted. */
export class BadRows {
  readonly #onError: OnError
  count = 0

  constructor(onError: OnError) {
    this.#onError = onError
  }

  /** @throws WeirError WEIR_CLI_INPUT with `stop`. */
  add({ at, reason }: { readonly at: string; readonly reason: string }, consequence = ''): void {
    if (this.#onError === 'stop') {
      throw new WeirError('WEIR_CLI_INPUT', `${at}: ${reason}${consequence}`, {
        cure: 'mend the row or the mapping, or skip bad rows with --on-error skip',
      })
    }
    if (++this.count <= mostShown) note(`${at}: ${reason}`)
  }

  /** Says how many there were. @param rows all that were read, bad ones included. */
  end(rows: number): void {
    if (this.count > 0) note(`${grouped(this.count)} of ${grouped(rows)} rows were skipped`)
  }
}
