interface Entry<T> {
  readonly time: number
  readonly order: number
  readonly what: T
}

/** What is planned, earliest first; what is planned for one moment keeps the order of planning. A binary heap. */
export class Agenda<T> {
  readonly #heap: Entry<T>[] = []
  #planned = 0

  get size(): number {
    return this.#heap.length
  }

  /** Infinity when nothing is planned. */
  get nextTime(): number {
    return this.#heap[0]?.time ?? Number.POSITIVE_INFINITY
  }

  plan(time: number, what: T): void {
    const heap = this.#heap
    const entry = { time, order: this.#planned++, what }
    let at = heap.push(entry) - 1
    while (at > 0) {
      const parent = (at - 1) >> 1
      const above = heap[parent] as Entry<T>
      if (!before(entry, above)) break
      heap[at] = above
      at = parent
    }
    heap[at] = entry
  }

  /** Takes the earliest. Only when `size` is above 0. */
  take(): T {
    const heap = this.#heap
    const first = heap[0] as Entry<T>
    const last = heap.pop() as Entry<T>
    if (heap.length > 0) this.#sink(last)
    return first.what
  }

  #sink(entry: Entry<T>): void {
    const heap = this.#heap
    let at = 0
    for (;;) {
      let child = 2 * at + 1
      if (child >= heap.length) break
      const right = heap[child + 1]
      if (right !== undefined && before(right, heap[child] as Entry<T>)) child++
      const below = heap[child] as Entry<T>
      if (!before(below, entry)) break
      heap[at] = below
      at = child
    }
    heap[at] = entry
  }
}

function before(a: Entry<unknown>, b: Entry<unknown>): boolean {
  return a.time < b.time || (a.time === b.time && a.order < b.order)
}
