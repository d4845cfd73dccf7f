/** 128 + the number of the signal, as shells report it. */
const exitCodes = { SIGINT: 130, SIGTERM: 143 } as const

/**
 * Runs `stop` once, at the first SIGINT or SIGTERM, and then ends the process: 0 when it stopped in time, 1 when
 * it failed or took longer than `limitMs`. A second signal ends the process at once.
 *
 * @returns a function that takes the handlers off again, for a run that ends by itself.
 */
export function stopOnSignal(stop: () => Promise<void>, limitMs = 5_000): () => void {
  let stopping = false
  const onSignal = (signal: 'SIGINT' | 'SIGTERM') => {
    if (stopping) process.exit(exitCodes[signal])
    stopping = true
    const overdue = setTimeout(() => giveUp(`not stopped within ${limitMs} ms`), limitMs)
    stop().then(
      () => {
        clearTimeout(overdue)
        process.exit(0)
      },
      (error: unknown) => giveUp(error instanceof Error ? error.message : String(error)),
    )
  }
  process.on('SIGINT', onSignal).on('SIGTERM', onSignal)
  return () => {
    process.off('SIGINT', onSignal).off('SIGTERM', onSignal)
  }
}

/**
 * Runs `work` until it ends, or until the first SIGINT or SIGTERM: then its signal is aborted, and when it has cleaned
 * up the process ends as shells expect. A second signal ends it at once.
 *
 * @param told when it was stopped.
 */
export async function interruptible<T>(
  work: (signal: AbortSignal) => Promise<T>,
  told = 'stopped; nothing was written',
): Promise<T> {
  const stop = new AbortController()
  let got: keyof typeof exitCodes | undefined
  const onSignal = (signal: keyof typeof exitCodes) => {
    if (got !== undefined) process.exit(exitCodes[signal])
    got = signal
    stop.abort()
  }
  process.on('SIGINT', onSignal).on('SIGTERM', onSignal)
  try {
    return await work(stop.signal)
  } catch (error) {
    // An error of its own is told as one, also after a signal.
    if (got === undefined || (error as Error).name !== 'AbortError') throw error
    process.stderr.write(`${told}\n`)
    process.exit(exitCodes[got])
  } finally {
    process.off('SIGINT', onSignal).off('SIGTERM', onSignal)
  }
}

function giveUp(why: string): never {
  process.stderr.write(`error: stopping failed: ${why}\n`)
  process.exit(1)
}
