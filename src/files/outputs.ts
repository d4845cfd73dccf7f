import { existsSync, realpathSync, statSync } from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'
import { WeirError } from '../core/errors.ts'
import { standardInput } from './rows.ts'

/**
 * Refuses to write over what is read, or to the same place twice: links and other spellings of a path count.
 *
 * @param inputs files that are read; `-` is standard input.
 * @param outputs files or folders that will be written, with the flags that name them; they need not be there yet.
 * @throws WeirError WEIR_CLI_USAGE.
 */
export function refuseOverlap(
  inputs: readonly string[],
  outputs: readonly { readonly flag: string; readonly path: string | null | undefined }[],
): void {
  const taken = new Map<string, string>()
  for (const path of inputs) {
    const place = path === standardInput ? null : placeOf(path)
    if (place !== null) taken.set(place, `${path}, which is read`)
  }
  for (const { flag, path } of outputs) {
    const place = path === null || path === undefined ? null : placeOf(path)
    if (place === null) continue
    const other = taken.get(place)
    if (other !== undefined) {
      throw new WeirError('WEIR_CLI_USAGE', `${flag} ${path} would overwrite ${other}`, {
        cure: `choose another place by ${flag}`,
      })
    }
    taken.set(place, `${flag} ${path}`)
  }
}

/** The same for all names of a place: its inode, or the path that it will have. Null for devices, which keep nothing. */
function placeOf(path: string): string | null {
  const real = realPath(resolve(path))
  const found = existsSync(real) ? statSync(real) : undefined
  if (found === undefined) return real
  return found.isFile() || found.isDirectory() ? `${found.dev}:${found.ino}` : null
}

/** Links on the way to what is not there yet are followed. */
function realPath(path: string): string {
  try {
    return realpathSync(path)
  } catch {
    const parent = dirname(path)
    return parent === path ? path : join(realPath(parent), basename(path))
  }
}
