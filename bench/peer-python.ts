import { existsSync } from 'node:fs'
import { join } from 'node:path'

const folder = join(import.meta.dirname, 'peers/python')
const python = join(folder, '.venv/bin/python')

/** Whether the environment of the Python contestants was made. */
export const hasPeerPython = (): boolean => existsSync(python)

/**
 * The command line of a script in bench/peers/python.
 *
 * @throws Error that says how to make the environment where there is none.
 */
export function peerPython(script: string): readonly string[] {
  if (!hasPeerPython()) {
    throw new Error(
      'the Python contestants have no environment yet: (cd bench/peers/python && python3.11 -m venv .venv && ' +
        '.venv/bin/pip install --require-hashes -r requirements.lock)',
    )
  }
  return [python, '-W', 'ignore', join(folder, script)]
}
