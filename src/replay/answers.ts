/** What was written in answer to records of one partition, in the order in which it lies on its topic. */
export interface Answer<T> {
  /** Of the record that it answers. */
  readonly offset: number
  readonly value: T
}

/**
 * Goes through the answers beside the records that they answer. Keeps two batches at most, since both lie in the same
 * order; an answer that lies elsewhere is told, not looked for.
 */
export class Answers<T> {
  readonly #batches: AsyncIterator<readonly Answer<T>[]>
  readonly #from: number
  readonly #onMisplaced: (offset: number, value: T) => void
  readonly #ahead = new Map<number, T[]>()
  /** Records up to here have been gone through. */
  #passed: number
  #reached = -1
  #first: number | null = null
  #isAtEnd = false

  /** @param from earlier records are not asked for, and their answers are passed over. */
  constructor(
    batches: AsyncIterable<readonly Answer<T>[]>,
    from: number,
    onMisplaced: (offset: number, value: T) => void,
  ) {
    this.#batches = batches[Symbol.asyncIterator]()
    this.#from = from
    this.#passed = from - 1
    this.#onMisplaced = onMisplaced
  }

  /** The first record that has an answer at all, as far as is known after `reach`; null: none has. */
  get first(): number | null {
    return this.#first
  }

  /** Reads on until all answers to records up to this one are at hand. */
  async reach(offset: number): Promise<void> {
    while (!this.#isAtEnd && this.#reached <= offset) {
      const { done, value } = await this.#batches.next()
      if (done) this.#isAtEnd = true
      else this.#keep(value)
    }
    this.#passed = Math.max(this.#passed, offset)
  }

  /** The answers to one record, which has been reached. */
  take(offset: number): readonly T[] {
    const found = this.#ahead.get(offset)
    if (found === undefined) return none
    this.#ahead.delete(offset)
    return found
  }

  /** Offsets below `to` whose answers nobody took: no record asks for them. */
  rest(to: number): number[] {
    return [...this.#ahead.keys()].filter((offset) => offset < to)
  }

  async close(): Promise<void> {
    await this.#batches.return?.()
  }

  /** `#reached`: all that is still to come lies at or beyond it, unless it is out of order. */
  #keep(batch: readonly Answer<T>[]): void {
    if (batch.length === 0) return
    this.#first ??= (batch[0] as Answer<T>).offset
    this.#reached = batch.reduce((least, { offset }) => Math.min(least, offset), Number.POSITIVE_INFINITY)
    for (const { offset, value } of batch) {
      if (offset < this.#from) continue
      if (offset <= this.#passed) this.#onMisplaced(offset, value)
      else if (this.#ahead.has(offset)) this.#ahead.get(offset)?.push(value)
      else this.#ahead.set(offset, [value])
    }
  }
}

const none: readonly never[] = []

/** So many answers too early are read rather than asked about. */
const nearEnough = 5_000

/**
 * Where to begin to read a topic of answers, so that none to `from` or a later record is missed: in a few steps, since
 * answers lie in the order of what they answer.
 *
 * @param answeredAt the record that the first answer at or after an offset of the topic is for; null: not known.
 */
export async function startOf(
  { first, end }: { readonly first: number; readonly end: number },
  from: number,
  answeredAt: (offset: number) => Promise<number | null>,
): Promise<number> {
  let [low, high] = [first, end]
  while (from > 0 && high - low > nearEnough) {
    const middle = Math.floor((low + high) / 2)
    const answered = await answeredAt(middle)
    if (answered === null) break
    if (answered < from) low = middle
    else high = middle
  }
  return low
}
