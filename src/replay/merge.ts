/** A stream of one partition, some items at a time. */
type Stream<T> = AsyncIterable<readonly T[]>

/** What one stream gives next. */
interface Head<T> {
  readonly stream: AsyncIterator<readonly T[]>
  batch: readonly T[]
  at: number
  time: number
}

const mostAtOnce = 1_000

/**
 * Merges streams by time, each in its own order: of the items that come next in their streams the earliest, of equal ones
 * that of the stream named first. One batch of each stream is in memory.
 */
export async function* mergeByTime<T>(
  streams: readonly Stream<T>[],
  timeOf: (item: T) => number,
): AsyncGenerator<T[]> {
  const heads: Head<T>[] = []
  const advance = async (head: Head<T>): Promise<boolean> => {
    while (head.at === head.batch.length) {
      const { done, value } = await head.stream.next()
      if (done) return false
      head.batch = value
      head.at = 0
    }
    head.time = timeOf(head.batch[head.at] as T)
    return true
  }
  try {
    for (const one of streams) {
      const head = { stream: one[Symbol.asyncIterator](), batch: [], at: 0, time: 0 }
      if (await advance(head)) heads.push(head)
    }
    let merged: T[] = []
    while (heads.length > 0) {
      const head = earliest(heads)
      merged.push(head.batch[head.at++] as T)
      if (head.at < head.batch.length) head.time = timeOf(head.batch[head.at] as T)
      else if (!(await advance(head))) heads.splice(heads.indexOf(head), 1)
      if (merged.length < mostAtOnce) continue
      yield merged
      merged = []
    }
    yield merged
  } finally {
    await Promise.all(heads.map(({ stream }) => stream.return?.()))
  }
}

function earliest<T>(heads: readonly Head<T>[]): Head<T> {
  let found = heads[0] as Head<T>
  for (let i = 1; i < heads.length; i++) {
    const head = heads[i] as Head<T>
    if (head.time < found.time) found = head
  }
  return found
}
