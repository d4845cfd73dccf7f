import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { WeirError } from '../core/errors.ts'

/** Where `training/README.md` has the environment made. */
const built = fileURLToPath(new URL('../../training/.venv/bin/python', import.meta.url))

/** The command line of the training package, and how to stop it. */
export interface Python {
  readonly path: string
  /** A step ends at once when this is aborted. */
  readonly signal: AbortSignal
  /** Told what a step says to people, line by line. */
  readonly onLine: (line: string) => void
}

/**
 * The interpreter that has the training package: WEIR_PYTHON, else that of training/.venv.
 *
 * @throws WeirError WEIR_TRAIN_PYTHON that says how to make one.
 */
export async function findPython(rest: Omit<Python, 'path'>): Promise<Python> {
  const { WEIR_PYTHON: given } = process.env
  const path = given ?? built
  const cure =
    'cd training && python3.11 -m venv .venv && .venv/bin/pip install --require-hashes -r requirements.lock && ' +
    '.venv/bin/pip install --no-deps --no-build-isolation -e . (or name another Python by WEIR_PYTHON)'
  if (given === undefined && !existsSync(path)) {
    throw new WeirError('WEIR_TRAIN_PYTHON', 'there is no Python with the training package yet', { cure })
  }
  const { code, errors } = await run(path, ['-c', 'import weir_training'], rest)
  if (code === 0) return { path, ...rest }
  throw new WeirError(
    'WEIR_TRAIN_PYTHON',
    `${path} cannot load the training package: ${errors.at(-1) ?? `it ended with ${code}`}`,
    { cure },
  )
}

/**
 * Runs one step of `weir-training` and returns its result.
 *
 * @throws WeirError WEIR_TRAIN_STEP with what the step says is wrong.
 */
export async function runStep(python: Python, args: readonly string[]): Promise<unknown> {
  const name = args[0] as string
  const { code, output, errors } = await run(python.path, ['-m', 'weir_training', '--json', ...args], python)
  if (code === 0) return JSON.parse(output)
  const said = errors.findLast((line) => line.startsWith(prefix))?.slice(prefix.length)
  throw new WeirError('WEIR_TRAIN_STEP', `${name}: ${said ?? errors.at(-1) ?? `ended with ${code}`}`)
}

const prefix = 'weir-training: '

interface Ended {
  readonly code: number | null
  readonly output: string
  /** Lines of standard error. */
  readonly errors: readonly string[]
}

function run(
  path: string,
  args: readonly string[],
  { signal, onLine }: Omit<Python, 'path'>,
): Promise<Ended> {
  // A group of its own: Ctrl-C reaches it only through the signal, so that it is gone before its files are removed.
  const child = spawn(path, args, { stdio: ['ignore', 'pipe', 'pipe'], detached: true, signal })
  let output = ''
  const errors: string[] = []
  let rest = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    const lines = (rest + text).split('\n')
    rest = lines.pop() as string
    for (const line of lines) say(line)
  })
  const say = (line: string): void => {
    if (line.trim() === '') return
    errors.push(line)
    if (!line.startsWith(prefix)) onLine(line)
  }
  return new Promise((resolve, reject) => {
    let failure: Error | undefined
    child.on('error', (error) => {
      failure = error
      if (child.pid === undefined) reject(cannotStart(path, error))
    })
    child.on('close', (code) => {
      say(rest)
      if (failure === undefined) resolve({ code, output, errors })
      else reject(failure)
    })
  })
}

const cannotStart = (path: string, cause: Error): WeirError =>
  new WeirError('WEIR_TRAIN_PYTHON', `cannot run ${path}: ${cause.message}`, {
    cure: 'name a Python that has the training package by WEIR_PYTHON',
    cause,
  })
