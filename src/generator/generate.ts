import { dayMs } from '../core/days.ts'
import { Random } from '../core/random.ts'
import type { Label, Transaction } from '../core/types.ts'
import { Agenda } from './agenda.ts'
import { type Spoilt, spoilt } from './damage.ts'
import { createDrift } from './drift.ts'
import { createUnderworld } from './fraud.ts'
import { feelsLikeIt, honestPayment, meanMood, subscribe } from './honest.ts'
import { labelsOf } from './labels.ts'
import { type GeneratorOptions, type Settings, settle } from './options.ts'
import { Payments } from './payments.ts'
import type { Scene } from './scene.ts'
import { anyCustomer, createWorld } from './world.ts'

/** `time` is the record timestamp, epoch milliseconds: when the record reaches the log. */
export type Generated =
  | {
      readonly kind: 'transaction'
      readonly time: number
      readonly transaction: Transaction
      /** The truth, null for an honest payment. Not on the wire: labels tell what becomes known of it. */
      readonly fraudType: string | null
      /** Sent before, byte for byte. */
      readonly isDuplicate: boolean
      /** What will become known of it, in that order. Not on the wire either: each comes by itself when it is time. */
      readonly labels: readonly Label[]
    }
  | { readonly kind: 'label'; readonly time: number; readonly label: Label }
  | ({ readonly kind: 'damaged'; readonly time: number } & Spoilt)

const minuteMs = 60_000

const nothing: readonly Generated[] = []

type Act = (time: number) => void

/**
 * A stream of payments, labels and damaged records in order of arrival. It ends with the labels that are still to
 * come after the last payment. Memory is bounded by customers, merchants and pending labels, not by `events`.
 *
 * @throws {WeirError} WEIR_CLI_USAGE when an option is out of its range.
 * @example
 * for (const record of generate({ seed: 1, events: 20_000 })) {
 *   if (record.kind === 'transaction') console.log(record.transaction.amount_minor)
 * }
 */
export function* generate(options: GeneratorOptions): Generator<Generated, void, undefined> {
  const settings = settle(options)
  const stream = new Stream(settings)
  while (stream.transactions < settings.events) {
    stream.step()
    yield* stream.take()
  }
  yield* stream.remainingLabels()
}

/** Streams of random numbers: changing one purpose (a rate, say) leaves the draws of the others alone. */
const purposes = { world: 1, honest: 2, fraud: 3, labels: 4, transport: 5, payments: 6 }

class Stream {
  readonly #settings: Settings
  readonly #acts = new Agenda<Act>()
  readonly #labels = new Agenda<Label>()
  readonly #labelling: Random
  readonly #transport: Random
  readonly #scene: Scene
  readonly #temptFraud: Act
  /** Mean time between moments at which some customer could pay. */
  readonly #meanStepMs: number
  #out: Generated[] = []
  #now: number
  #next: number
  /** Payments that have reached the log, duplicates not counted. */
  transactions = 0

  constructor(settings: Settings) {
    const random = (purpose: keyof typeof purposes) => new Random(settings.seed, purposes[purpose])
    this.#settings = settings
    this.#labelling = random('labels')
    this.#transport = random('transport')
    this.#now = settings.startTime
    this.#next = settings.startTime
    const perDay = settings.customers * settings.paymentsPerCustomerPerDay
    this.#meanStepMs = (dayMs / perDay) * meanMood
    const scene: Scene = {
      random: random('honest'),
      world: createWorld(settings, random('world')),
      payments: new Payments(settings.seed, random('payments')),
      drift: createDrift(settings),
      at: (time, act) => this.#acts.plan(time, act),
      pay: (transaction, fraudType) => this.#send(transaction, fraudType),
    }
    this.#scene = scene
    this.#temptFraud = createUnderworld({ ...scene, random: random('fraud') }, settings.fraudRate)
    for (const customer of scene.world.customers) subscribe(scene, customer, settings.startTime)
  }

  /** Goes on to the next thing that happens: a label comes in, a planned act is due, or a customer may pay. */
  step(): void {
    const nextAct = this.#acts.nextTime
    if (this.#labels.nextTime <= Math.min(nextAct, this.#next)) {
      this.#observe()
    } else if (nextAct <= this.#next) {
      this.#now = nextAct
      this.#acts.take()(nextAct)
    } else {
      this.#now = this.#next
      this.#offerPayment(this.#now)
    }
  }

  /** What has reached the log since the last call. */
  take(): readonly Generated[] {
    if (this.#out.length === 0) return nothing
    const out = this.#out
    this.#out = []
    return out
  }

  *remainingLabels(): Generator<Generated, void, undefined> {
    while (this.#labels.size > 0) {
      this.#observe()
      yield* this.take()
    }
  }

  #offerPayment(time: number): void {
    const { random, world } = this.#scene
    this.#next += Math.round(random.waiting(this.#meanStepMs))
    const customer = anyCustomer(world, random)
    if (feelsLikeIt(this.#scene, customer, time)) honestPayment(this.#scene, customer, time)
  }

  #observe(): void {
    this.#now = this.#labels.nextTime
    this.#out.push({ kind: 'label', time: this.#now, label: this.#labels.take() })
  }

  #send(transaction: Transaction, fraudType: string | null): void {
    const random = this.#transport
    if (random.chance(this.#settings.lateRate)) {
      const delay = Math.round(random.logNormal(15 * minuteMs, 1.2))
      this.#acts.plan(this.#now + delay, () => this.#arrive(transaction, fraudType))
    } else {
      this.#arrive(transaction, fraudType)
    }
  }

  #arrive(transaction: Transaction, fraudType: string | null): void {
    const { duplicateRate, damagedRate } = this.#settings
    const random = this.#transport
    const time = this.#now
    const labels = labelsOf(this.#labelling, transaction, fraudType, time)
    const record = { kind: 'transaction', transaction, fraudType, labels } as const
    this.transactions++
    this.#out.push({ ...record, time, isDuplicate: false })
    for (const label of labels) this.#labels.plan(label.observed_time, label)
    this.#temptFraud(time)
    if (random.chance(duplicateRate)) {
      const again = time + Math.round(random.logNormal(minuteMs, 1.8))
      this.#acts.plan(again, (later) => this.#out.push({ ...record, time: later, isDuplicate: true }))
    }
    if (random.chance(damagedRate)) this.#out.push({ kind: 'damaged', time, ...spoilt(random, transaction) })
  }
}
