import { partitionOf } from '../src/core/partition.ts'
import { Random } from '../src/core/random.ts'

/** A deployment and what its parts cost. Times are milliseconds unless named otherwise. */
export interface ScaleModel {
  /** Payments a second that arrive, at random moments (Poisson). */
  readonly rate: number
  readonly partitions: number
  readonly members: number
  /** Customers by activity: the k-th makes payments in proportion to k^-skew (Zipf). */
  readonly customers: number
  readonly skew: number
  /** Records of a chunk at most. */
  readonly batch: number
  /** CPU of a payment, of a transaction, and of each partition that a transaction writes to, microseconds. */
  readonly eventUs: number
  readonly transactionUs: number
  readonly partitionUs: number
  /** A round trip to Redis: one before a chunk is worked on, one after its commit. */
  readonly redisMs: number
  /** From the end of the work to where a consumer has the answers: at least `commitMs`, and an exponential tail. */
  readonly commitMs: number
  readonly tailMs: number
  readonly seconds: number
  readonly seed: number
  /** Second at which a member dies; null: none does. */
  readonly deathAt: number | null
  /** Until the group notices it, and until the others have its partitions. */
  readonly sessionMs: number
  readonly rebalanceMs: number
}

export interface ScaleRun {
  /** Share of the time that the busiest member works, and the mean; without the first fifth of the run. */
  readonly busiest: number
  readonly busy: number
  /** From arrival to answer, milliseconds, of those that arrived before a death and after the first fifth. */
  readonly p50: number
  readonly p99: number
  /** Payments of the busiest partition, as a share of all. */
  readonly hottest: number
  readonly chunk: number
  readonly transactionsPerSecond: number
  /** Partitions written to, summed over transactions: each gets a marker from the broker. */
  readonly markersPerSecond: number
  /** The oldest payment that waits at the end, milliseconds. */
  readonly lagMs: number
  /** What waits when the dead member's partitions go on, and how long after the death they have all caught up. */
  readonly backlog: number
  readonly caughtUpMs: number | null
}

/** Share of all payments by partition, as Kafka's partitioner places the customers. */
export function sharesOf({
  customers,
  skew,
  partitions,
}: Pick<ScaleModel, 'customers' | 'skew' | 'partitions'>) {
  const shares = new Float64Array(partitions)
  let all = 0
  for (let rank = 1; rank <= customers; rank++) {
    const weight = rank ** -skew
    const at = partitionOf(`c-${rank}`, partitions)
    shares[at] = (shares[at] as number) + weight
    all += weight
  }
  return shares.map((share) => share / all)
}

/** Partitions that a chunk writes to, on average: decisions, alerts, and homes of three entities a payment. */
export const touched = (partitions: number, payments: number): number =>
  2 + partitions * (1 - (1 - 1 / partitions) ** (3 * payments))

interface Lane {
  member: number
  readonly perMs: number
  /** When the next payment that nobody took arrives; those after it are drawn as they are needed. */
  next: number
  /** Arrivals of the chunk in hand; a death gives them to the next owner. */
  chunk: number[]
  /** Raised by a death: steps of before count for nothing. */
  life: number
  moved: boolean
  /** Of a lane that moved: no more waited than it took. */
  current: boolean
  caughtUp: boolean
}

interface Step {
  readonly at: number
  readonly lane: Lane
  readonly life: number
  readonly what: 'take' | 'work' | 'answered'
}

/**
 * Discrete-event simulation. A lane takes what waits, at most a chunk; asks Redis; waits for its member's one core, first
 * come first served; commits; writes to Redis; takes again. The same model gives the same run.
 */
export function simulate(model: ScaleModel, shares: Float64Array = sharesOf(model)): ScaleRun {
  return new Simulation(model, shares).run()
}

class Simulation {
  readonly #model: ScaleModel
  readonly #random: Random
  readonly #lanes: Lane[]
  readonly #steps = new Steps()
  readonly #freeAt: number[]
  readonly #worked: number[]
  readonly #latencies: number[] = []
  readonly #hottest: number
  readonly #from: number
  readonly #end: number
  readonly #death: number
  readonly #resume: number
  #dead = false
  #transactions = 0
  #markers = 0
  #payments = 0
  #backlog = 0
  #caughtUpAt: number | null = null

  constructor(model: ScaleModel, shares: Float64Array) {
    this.#model = model
    this.#random = new Random(model.seed, 1)
    this.#end = model.seconds * 1_000
    this.#from = this.#end / 5
    this.#death = model.deathAt === null ? Number.POSITIVE_INFINITY : model.deathAt * 1_000
    this.#resume = this.#death + model.sessionMs + model.rebalanceMs
    this.#freeAt = new Array(model.members).fill(0)
    this.#worked = new Array(model.members).fill(0)
    this.#hottest = Math.max(...shares)
    this.#lanes = Array.from(shares, (share, i) => {
      const perMs = (share * model.rate) / 1_000
      const more = { chunk: [], life: 0, moved: false, current: false, caughtUp: false }
      return { member: i % model.members, perMs, next: this.#gap(1 / perMs), ...more }
    })
  }

  run(): ScaleRun {
    for (const lane of this.#lanes) this.#do('take', lane, lane.next)
    for (
      let step = this.#steps.next();
      step !== undefined && step.at <= this.#end;
      step = this.#steps.next()
    ) {
      if (!this.#dead && step.at >= this.#death) this.#die()
      if (step.life !== step.lane.life) continue
      if (step.what === 'take') this.#take(step.lane, step.at)
      else if (step.what === 'work') this.#work(step.lane, step.at)
      else this.#answered(step.lane, step.at)
    }
    return this.#result()
  }

  #do(what: Step['what'], lane: Lane, at: number): void {
    this.#steps.add({ what, lane, at, life: lane.life })
  }

  #gap(meanMs: number): number {
    return meanMs === Number.POSITIVE_INFINITY ? meanMs : -Math.log(1 - this.#random.unit()) * meanMs
  }

  #take(lane: Lane, at: number): void {
    // While the group settles its members, nobody takes anything.
    if (at >= this.#death + this.#model.sessionMs && at < this.#resume) {
      this.#do('take', lane, this.#resume)
      return
    }
    const { chunk } = lane
    while (chunk.length < this.#model.batch && lane.next <= at) {
      chunk.push(lane.next)
      lane.next += this.#gap(1 / lane.perMs)
    }
    lane.current = lane.moved && chunk.length < this.#model.batch
    if (lane.moved) for (const arrived of chunk) if (arrived <= this.#resume) this.#backlog++
    if (chunk.length === 0) this.#do('take', lane, lane.next)
    else this.#do('work', lane, at + this.#model.redisMs)
  }

  #work(lane: Lane, at: number): void {
    const { eventUs, transactionUs, partitionUs, partitions, commitMs, tailMs } = this.#model
    const writes = touched(partitions, lane.chunk.length)
    const took = (lane.chunk.length * eventUs + transactionUs + writes * partitionUs) / 1_000
    const done = Math.max(at, this.#freeAt[lane.member] as number) + took
    this.#freeAt[lane.member] = done
    if (at >= this.#from) {
      this.#worked[lane.member] = (this.#worked[lane.member] as number) + took
      this.#transactions++
      this.#markers += writes
      this.#payments += lane.chunk.length
    }
    this.#do('answered', lane, done + commitMs + this.#gap(tailMs))
  }

  #answered(lane: Lane, at: number): void {
    for (const arrived of lane.chunk) {
      if (arrived >= this.#from && arrived < this.#death) this.#latencies.push(at - arrived)
    }
    lane.chunk = []
    if (lane.current && !lane.caughtUp) {
      lane.caughtUp = true
      this.#caughtUpAt = Math.max(at, this.#caughtUpAt ?? 0)
    }
    this.#do('take', lane, at + this.#model.redisMs)
  }

  /** The last member dies; what it had in hand was not committed and is the next owner's. */
  #die(): void {
    this.#dead = true
    const dead = this.#model.members - 1
    const orphans = this.#lanes.filter(({ member }) => member === dead)
    for (const [i, lane] of orphans.entries()) {
      lane.life++
      lane.moved = true
      lane.member = dead === 0 ? 0 : i % dead
      this.#do('take', lane, this.#resume)
    }
  }

  #result(): ScaleRun {
    const measuredMs = this.#end - this.#from
    const shares = this.#worked.map((ms) => ms / measuredMs)
    const latencies = Float64Array.from(this.#latencies).sort()
    const at = (share: number) => latencies[Math.floor(latencies.length * share)] ?? Number.NaN
    const oldest = this.#lanes.map(({ chunk, next }) => this.#end - (chunk[0] ?? next))
    const moved = this.#lanes.filter((lane) => lane.moved)
    return {
      busiest: Math.max(...shares),
      busy: shares.reduce((a, b) => a + b, 0) / shares.length,
      p50: at(0.5),
      p99: at(0.99),
      hottest: this.#hottest,
      chunk: this.#payments / this.#transactions,
      transactionsPerSecond: (this.#transactions / measuredMs) * 1_000,
      markersPerSecond: (this.#markers / measuredMs) * 1_000,
      lagMs: Math.max(0, ...oldest),
      backlog: this.#backlog,
      caughtUpMs:
        this.#caughtUpAt !== null && moved.every(({ caughtUp }) => caughtUp)
          ? this.#caughtUpAt - this.#death
          : null,
    }
  }
}

/** Steps by time: a binary heap. */
class Steps {
  readonly #heap: Step[] = []

  add(step: Step): void {
    const heap = this.#heap
    let at = heap.push(step) - 1
    while (at > 0) {
      const parent = (at - 1) >> 1
      if ((heap[parent] as Step).at <= step.at) break
      heap[at] = heap[parent] as Step
      at = parent
    }
    heap[at] = step
  }

  next(): Step | undefined {
    const heap = this.#heap
    const first = heap[0]
    const last = heap.pop()
    if (first === undefined || last === undefined || heap.length === 0) return first
    let at = 0
    for (let child = 1; child < heap.length; child = at * 2 + 1) {
      if (child + 1 < heap.length && (heap[child + 1] as Step).at < (heap[child] as Step).at) child++
      if ((heap[child] as Step).at >= last.at) break
      heap[at] = heap[child] as Step
      at = child
    }
    heap[at] = last
    return first
  }
}
