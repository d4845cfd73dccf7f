/** What of a batch of kafkajs counts here. */
export interface FetchedBatch {
  readonly topic: string
  readonly partition: number
  isEmpty(): boolean
}

/** What the loops touch of kafkajs's consumer group. */
export interface FetchingGroup {
  /** Milliseconds for which a broker holds a fetch that finds nothing. */
  maxWaitTime: number
  getNodeIds(): number[]
  /** By topic: the partitions to ask for. */
  getActiveTopicPartitions(): Record<string, Set<number>>
  /** Takes part in a change of the group, and learns which partitions are this member's. */
  joinAndSync(): Promise<void>
}

export interface FetchLoopsOptions {
  readonly group: FetchingGroup
  /** Asks one broker for all partitions that the group asks it for. */
  readonly fetch: (nodeId: number) => Promise<FetchedBatch[]>
  readonly handle: (batch: FetchedBatch) => Promise<void>
  /** Batches with records that are handled side by side. */
  readonly concurrency: number
  /** What `start` rejects with where there is no broker. */
  readonly noBroker: () => Error
}

/** So long, milliseconds, a fetch waits for those of the last to be handled: it is dear, and mostly all are done by then. */
const patienceMs = 100
/** So long a broker holds a fetch that leaves out partitions at work: one of them may be free by then. */
const shortWaitMs = 20

/** A batch on its way to `handle`. */
interface Taken {
  readonly batch: FetchedBatch
  /** Resolves when it is handled, or will not be. */
  readonly done: Promise<void>
  readonly onDone: () => void
}

/**
 * Fetches from all brokers, and hands over what comes, in place of kafkajs's fetch manager. That one asks a broker again
 * only when all that its last answer brought is handled: a partition that restores its states, or waits for an answer
 * that does not come, holds up all others. Here it holds them up for a moment at most, as long as the group stays as
 * it is and not all of `concurrency` wait.
 *
 * And where joining the group broke off, kafkajs goes on with the partitions of before, which others have by then: it
 * and they take them from each other, until a member that waits for its word gives up. Here it joins again first.
 */
export class FetchLoops {
  readonly #options: FetchLoopsOptions
  /** Partitions of which a batch is handled, or waits for its turn. */
  readonly #busy = new Set<string>()
  readonly #waiting: Taken[] = []
  readonly #handled = new Set<Promise<void>>()
  #ends = true
  #ended: Promise<unknown> = Promise.resolve()
  #failure: { readonly error: unknown } | null = null
  #isJoined = false
  /** Calls of `stop`: one may come while `start` joins. */
  #stops = 0

  constructor(options: FetchLoopsOptions) {
    this.#options = options
    this.#leaveOutBusy(options.group)
    this.#noteJoins(options.group)
  }

  /**
   * Resolves once it is stopped or the brokers are others than at the beginning, rejects with what failed first; either
   * when nothing is being handled any more. May be called again then.
   */
  async start(): Promise<void> {
    const { group } = this.#options
    const stops = this.#stops
    if (!this.#isJoined) await group.joinAndSync()
    if (stops !== this.#stops) return
    const nodes = group.getNodeIds()
    if (nodes.length === 0) throw this.#options.noBroker()
    this.#ends = false
    this.#failure = null
    this.#ended = Promise.all(nodes.map((node) => this.#loop(node, nodes))).then(() =>
      Promise.all(this.#handled),
    )
    await this.#ended
    if (this.#failure !== null) throw (this.#failure as { error: unknown }).error
  }

  /** Resolves when nothing is fetched or handled any more. */
  async stop(): Promise<void> {
    this.#stops++
    this.#end()
    await this.#ended
  }

  #leaveOutBusy(group: FetchingGroup): void {
    const active = group.getActiveTopicPartitions.bind(group)
    const waitMs = group.maxWaitTime
    group.getActiveTopicPartitions = () => {
      const all = active()
      for (const [topic, partitions] of Object.entries(all)) {
        for (const partition of partitions) {
          if (this.#busy.has(nameOf({ topic, partition }))) partitions.delete(partition)
        }
      }
      return all
    }
    const wait = { get: () => (this.#busy.size > 0 ? Math.min(shortWaitMs, waitMs) : waitMs) }
    Object.defineProperty(group, 'maxWaitTime', wait)
  }

  #noteJoins(group: FetchingGroup): void {
    const join = group.joinAndSync.bind(group)
    let joining: Promise<void> | null = null
    const joinOnce = async () => {
      this.#isJoined = false
      await join()
      this.#isJoined = true
    }
    // Several loops may find at the same time that it is needed; each time the group's leader joins, all must.
    group.joinAndSync = () => {
      joining ??= joinOnce().finally(() => {
        joining = null
      })
      return joining
    }
  }

  async #loop(node: number, nodes: readonly number[]): Promise<void> {
    try {
      while (!this.#ends) {
        if (this.#isOther(nodes)) return this.#end()
        await settled(await this.#take(await this.#options.fetch(node)))
      }
    } catch (error) {
      this.#fail(error)
    }
  }

  /** Whether brokers came or went. None at all is what a client says that has lost them for a moment. */
  #isOther(nodes: readonly number[]): boolean {
    const now = this.#options.group.getNodeIds()
    return now.length > 0 && (now.length !== nodes.length || nodes.some((node) => !now.includes(node)))
  }

  /** @returns what was taken of them. */
  async #take(batches: readonly FetchedBatch[]): Promise<Taken[]> {
    if (this.#ends) return []
    const taken: Taken[] = []
    for (const batch of batches) {
      // Two brokers may both have been asked, while the partition moved from one to the other.
      if (batch.isEmpty() || this.#busy.has(nameOf(batch))) continue
      const { promise, resolve } = Promise.withResolvers<void>()
      this.#busy.add(nameOf(batch))
      taken.push({ batch, done: promise, onDone: resolve })
    }
    this.#waiting.push(...taken)
    this.#handleNext()
    // Markers alone, or nothing: that takes no time, and the next fetch is to begin behind them.
    for (const batch of batches) {
      if (batch.isEmpty() && !this.#busy.has(nameOf(batch))) await this.#options.handle(batch)
    }
    return taken
  }

  #handleNext(): void {
    while (this.#handled.size < this.#options.concurrency) {
      const next = this.#waiting.shift()
      if (next === undefined) return
      const handled = this.#handle(next.batch).finally(() => {
        this.#handled.delete(handled)
        this.#leave(next)
        this.#handleNext()
      })
      this.#handled.add(handled)
    }
  }

  #leave({ batch, onDone }: Taken): void {
    this.#busy.delete(nameOf(batch))
    onDone()
  }

  async #handle(batch: FetchedBatch): Promise<void> {
    try {
      await this.#options.handle(batch)
    } catch (error) {
      this.#fail(error)
    }
  }

  #fail(error: unknown): void {
    this.#failure ??= { error }
    this.#end()
  }

  /** What has not begun is fetched again: nothing of it counts as read. */
  #end(): void {
    this.#ends = true
    for (const taken of this.#waiting.splice(0)) this.#leave(taken)
  }
}

/** Waits until all are done, for a moment at most. */
async function settled(taken: readonly Taken[]): Promise<void> {
  if (taken.length === 0) return
  const { promise: over, resolve } = Promise.withResolvers<void>()
  const patience = setTimeout(resolve, patienceMs)
  await Promise.race([Promise.all(taken.map(({ done }) => done)), over])
  clearTimeout(patience)
}

const nameOf = ({ topic, partition }: { topic: string; partition: number }): string => `${topic}/${partition}`
