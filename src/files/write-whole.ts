import { existsSync, mkdirSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { WeirError } from '../core/errors.ts'

/**
 * Writes a file whole or not at all: beside its place first, then by renaming.
 *
 * @param check looks at what was written before it gets its name; what it throws is passed on.
 * @throws {WeirError} WEIR_CLI_INPUT when the file cannot be written.
 */
export function writeWhole(path: string, text: string, check: (staged: string) => void = () => {}): void {
  const staged = `${path}.${process.pid}.part`
  try {
    makeFolders(dirname(resolve(path)))
    writeFileSync(staged, text)
    check(staged)
    renameSync(staged, path)
  } catch (cause) {
    if (existsSync(staged)) rmSync(staged)
    throw unwritable(path, cause)
  }
}

/** A file that is written bit by bit beside its place, as .part, and appears whole or not at all. */
export interface Staged {
  /** Where it is written. */
  readonly part: string
  /** Does a part of the work; when that fails nothing is left of the file. */
  attempt<T>(work: () => T): T
  /** Gives the file its name once `close` has done the last of the work. */
  finish(close: () => void): void
  /** Leaves nothing behind of a file that is not finished. */
  abandon(): void
}

/** @throws {WeirError} WEIR_CLI_INPUT when the file cannot be written, now or later. */
export function stage(path: string): Staged {
  const part = `${path}.part`
  const abandon = () => rmSync(part, { force: true })
  function attempt<T>(work: () => T): T {
    try {
      return writing(path, work)
    } catch (error) {
      abandon()
      throw error
    }
  }
  checkReplaceable(path)
  const finish = (close: () => void) =>
    attempt(() => {
      close()
      renameSync(part, path)
    })
  return { part, attempt, finish, abandon }
}

/**
 * Makes the folder with those above it.
 *
 * @returns the uppermost that it made; undefined where all were there.
 * @throws WeirError WEIR_CLI_INPUT when it cannot be made.
 */
export function makeFolder(path: string): string | undefined {
  try {
    return makeFolders(path)
  } catch (cause) {
    throw new WeirError('WEIR_CLI_INPUT', `cannot make the folder ${path}: ${(cause as Error).message}`, {
      cure: 'choose another by --out',
      cause,
    })
  }
}

/**
 * Makes a folder with those above it, one after the other: Node's own way never ends where the system says that a folder
 * cannot be there, as in /proc.
 *
 * @returns the uppermost that it made; undefined where all were there.
 * @throws what the operating system says.
 */
export function makeFolders(path: string): string | undefined {
  if (isFolder(path)) return undefined
  const made = makeFolders(dirname(resolve(path)))
  try {
    mkdirSync(path)
  } catch (error) {
    // Somebody else may have made it meanwhile.
    if (!isFolder(path)) throw error
  }
  return made ?? path
}

const isFolder = (path: string): boolean => statSync(path, { throwIfNoEntry: false })?.isDirectory() === true

/** A failure of the operating system as an error with its cure; what is none of its failures comes back as it is. */
export function unwritable(path: string, cause: unknown): unknown {
  if (cause instanceof WeirError || !(cause instanceof Error) || !('syscall' in cause)) return cause
  const { code, message } = cause as NodeJS.ErrnoException
  const cure = cures[code as keyof typeof cures] ?? 'name another place, or let this user write there'
  return new WeirError('WEIR_CLI_INPUT', `cannot write ${path}: ${message}`, { cure, cause })
}

/** Does the work; a failure of the operating system on the way is told as one of writing `path`. */
export function writing<T>(path: string, work: () => T): T {
  try {
    return work()
  } catch (cause) {
    throw unwritable(path, cause)
  }
}

const freeSpace = 'free space on that disk, or name a place on another one'
const cures = { ENOSPC: freeSpace, EDQUOT: freeSpace, ENOENT: 'make its folder first, or name another place' }

/**
 * Throws where a file by that name could not be put there by renaming, which would replace a device, too.
 *
 * @throws {WeirError} WEIR_CLI_INPUT.
 */
export function checkReplaceable(path: string): void {
  const found = statSync(path, { throwIfNoEntry: false })
  if (found === undefined || found.isFile()) return
  throw new WeirError(
    'WEIR_CLI_INPUT',
    `cannot write ${path}: it is ${found.isDirectory() ? 'a folder' : 'no file'}`,
    {
      cure: 'name a file',
    },
  )
}
