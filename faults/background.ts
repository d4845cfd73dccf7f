const running = new Set<() => Promise<unknown>>()

/** Work that goes on until it is told to stop; one that fails is told of there. Resolves with its `result`. */
export function inBackground<T>(
  work: (isStopped: () => boolean) => Promise<void>,
  result: () => T,
): { stop(): Promise<T> } {
  let stopped = false
  const working = work(() => stopped)
  const stop = async () => {
    stopped = true
    await working.finally(() => running.delete(stop))
    return result()
  }
  working.catch((error: Error) =>
    process.stderr.write(`faults: what ran in the background failed: ${error.stack}\n`),
  )
  running.add(stop)
  return { stop }
}

/** Stops whatever still runs: after a fault that failed nobody else does. */
export async function endBackground(): Promise<void> {
  await Promise.allSettled([...running].map((stop) => stop()))
}
