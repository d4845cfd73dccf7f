import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
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
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(staged, text)
    check(staged)
    renameSync(staged, path)
  } catch (cause) {
    if (existsSync(staged)) rmSync(staged)
    if (cause instanceof WeirError) throw cause
    throw new WeirError('WEIR_CLI_INPUT', `cannot write ${path}: ${(cause as Error).message}`, {
      cure: 'name another place, or let this user write there',
      cause,
    })
  }
}
