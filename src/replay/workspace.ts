import { globSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { WeirError } from '../core/errors.ts'
import { makeFolder, writing } from '../files/write-whole.ts'

/** The folder of a replay while it runs: nothing of an earlier one is touched before this one is whole. */
export interface Workspace {
  /** Where decisions grow. */
  readonly unfinished: string
  /** Puts what is there in the place of what an earlier replay left. */
  publish(): void
  /** Lets go of the folder. @param keep what is unfinished, for a replay that goes on with it. */
  close(keep: boolean): void
}

/**
 * Takes the folder: one replay at a time.
 *
 * @param resume goes on with what is unfinished there.
 * @throws WeirError WEIR_CLI_INPUT when another replay has it, or it cannot be written.
 */
export function openWorkspace(out: string, resume: boolean): Workspace {
  const unfinished = join(out, 'unfinished')
  const lock = join(out, 'lock')
  return writing(out, () => {
    makeFolder(out)
    take(lock, out)
    if (!resume) rmSync(unfinished, { recursive: true, force: true })
    mkdirSync(unfinished, { recursive: true })
    return {
      unfinished,
      publish: () =>
        writing(out, () => {
          rmSync(join(out, 'replay.json'), { force: true })
          for (const file of globSync(join(out, 'decisions-*.parquet'))) rmSync(file)
          for (const file of globSync(join(unfinished, 'decisions-*.parquet'))) {
            renameSync(file, join(out, basename(file)))
          }
        }),
      close(keep) {
        if (!keep) rmSync(unfinished, { recursive: true, force: true })
        rmSync(lock, { force: true })
      },
    }
  })
}

/** The file holds the number of the process: that of one that has died is of no account. */
function take(lock: string, out: string): void {
  try {
    writeFileSync(lock, String(process.pid), { flag: 'wx' })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    const owner = Number(readFileSync(lock, 'utf8'))
    if (isAlive(owner)) {
      throw new WeirError('WEIR_CLI_INPUT', `another replay (process ${owner}) is writing to ${out}`, {
        cure: 'wait for it, or choose another folder by --out',
      })
    }
    writeFileSync(lock, String(process.pid))
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return pid !== process.pid
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}
