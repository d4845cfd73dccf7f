const leastSeconds = 0.5

/**
 * Microseconds of processor time a row, all threads; the first call does not count.
 *
 * @param work told how often it was called; returns how many rows it did.
 */
export async function processorTime(work: (turn: number) => Promise<number>): Promise<number> {
  await work(0)
  const began = process.cpuUsage()
  let used = 0
  let rows = 0
  for (let turn = 1; used < leastSeconds * 1e6; turn++) {
    rows += await work(turn)
    const { user, system } = process.cpuUsage(began)
    used = user + system
  }
  return used / rows
}
