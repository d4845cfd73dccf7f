import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { deserialize, serialize } from 'node:v8'
import { WeirError } from '../core/errors.ts'
import type { History } from '../core/history.ts'
import { writing } from '../files/write-whole.ts'
import type { PassTally } from './pass.ts'
import { readSnapshot, type SnapshotHead, writeSnapshot } from './snapshot.ts'
import type { Ends } from './source.ts'

/** Where a replay stands that was stopped, but for the states of everybody. */
export interface Progress {
  /** What is replayed by what: only the same may go on. */
  readonly fingerprint: string
  readonly tally: PassTally
  /** Where the topics ended when it began; null for other sources. */
  readonly ends: Ends | null
  /** Of each sink, by name. */
  readonly sinks: Readonly<Record<string, unknown>>
}

const checkpointOf = (folder: string): string => join(folder, 'checkpoint')
const progressFile = 'progress'
const statesFile = (group: number): string => `states-${group}`

export const hasCheckpoint = (folder: string): boolean => existsSync(checkpointOf(folder))

/** Writes the checkpoint whole or not at all. */
export async function writeCheckpoint(
  folder: string,
  progress: Progress,
  histories: readonly History[],
  headOf: (history: History) => SnapshotHead,
): Promise<void> {
  const path = checkpointOf(folder)
  const unfinished = `${path}.part`
  rmSync(unfinished, { recursive: true, force: true })
  mkdirSync(unfinished, { recursive: true })
  for (const [i, history] of histories.entries()) {
    await writeSnapshot(join(unfinished, statesFile(i)), headOf(history), history)
  }
  const file = join(unfinished, progressFile)
  writing(file, () => writeFileSync(file, serialize(progress)))
  const replaced = `${path}.old`
  if (existsSync(path)) renameSync(path, replaced)
  renameSync(unfinished, path)
  rmSync(replaced, { recursive: true, force: true })
}

/**
 * Fills the histories and returns where to go on.
 *
 * @throws WeirError WEIR_CLI_INPUT when there is no checkpoint, or one of another replay.
 */
export async function readCheckpoint(
  folder: string,
  fingerprint: string,
  histories: readonly History[],
): Promise<Progress> {
  const path = checkpointOf(folder)
  if (!existsSync(path)) {
    throw new WeirError('WEIR_CLI_INPUT', `${folder} holds no replay that was stopped`, {
      cure: 'leave --resume out',
    })
  }
  const progress = readProgress(folder)
  if (progress.fingerprint !== fingerprint) {
    throw new WeirError('WEIR_CLI_INPUT', `the replay that was stopped in ${folder} was of something else`, {
      cure: 'resume with the same source, candidates and files as they were, or choose another folder by --out',
    })
  }
  for (const [i, history] of histories.entries()) await readSnapshot(join(path, statesFile(i)), history)
  return progress
}

/** Where the topics of the replay that was stopped end; null where it read none, or there is none. */
export const endsOf = (folder: string): Ends | null =>
  hasCheckpoint(folder) ? readProgress(folder).ends : null

function readProgress(folder: string): Progress {
  const path = join(checkpointOf(folder), progressFile)
  try {
    return deserialize(readFileSync(path)) as Progress
  } catch (cause) {
    throw new WeirError('WEIR_CLI_INPUT', `${path} cannot be read: ${(cause as Error).message}`, {
      cure: `remove ${checkpointOf(folder)} and replay from the beginning`,
      cause,
    })
  }
}

export function removeCheckpoint(folder: string): void {
  rmSync(checkpointOf(folder), { recursive: true, force: true })
}
