/** One of the sources that are merged, with a batch in hand and the next one on its way. */
class Head<T> {
  readonly #batches: AsyncIterator<readonly T[]>
  #next: Promise<IteratorResult<readonly T[]>>
  #batch: readonly T[] = []
  #at = 0

  constructor(source: AsyncIterable<readonly T[]>) {
    this.#batches = source[Symbol.asyncIterator]()
    this.#next = this.#ask()
  }

  /** The first item that was not taken; undefined where it must be `fill`ed first. */
  get first(): T | undefined {
    return this.#batch[this.#at]
  }

  take(): void {
    this.#at++
  }

  /** @returns whether there is another item. */
  async fill(): Promise<boolean> {
    while (this.#at >= this.#batch.length) {
      const { done, value } = await this.#next
      if (done) return false
      this.#batch = value
      this.#at = 0
      this.#next = this.#ask()
    }
    return true
  }

  async close(): Promise<void> {
    await this.#batches.return?.()
  }

  #ask(): Promise<IteratorResult<readonly T[]>> {
    const next = this.#batches.next()
    // It is asked ahead of time: a failure is told when its turn comes.
    next.catch(() => {})
    return next
  }
}

/**
 * Several sources as one, by time; the items of each stay in their order, and a late one goes as soon as it is first.
 * Of each source two batches are in memory.
 *
 * @param size of the batches that come out; the last one is smaller.
 */
export async function* mergeByTime<T extends { readonly time: number }>(
  sources: readonly AsyncIterable<readonly T[]>[],
  size: number,
): AsyncGenerator<readonly T[], void, undefined> {
  let heads = sources.map((source) => new Head(source))
  let batch: T[] = []
  try {
    while (heads.length > 0) {
      let earliest: Head<T> | null = null
      let time = Number.POSITIVE_INFINITY
      for (const head of heads) {
        if (head.first === undefined && !(await head.fill())) {
          heads = heads.filter((other) => other !== head)
          continue
        }
        const item = head.first as T
        if (earliest !== null && item.time >= time) continue
        earliest = head
        time = item.time
      }
      if (earliest === null) break
      batch.push(earliest.first as T)
      earliest.take()
      if (batch.length < size) continue
      yield batch
      batch = []
    }
    if (batch.length > 0) yield batch
  } finally {
    await Promise.all(heads.map((head) => head.close()))
  }
}
