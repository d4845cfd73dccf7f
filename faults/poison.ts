import type { Contracts } from '../src/adapters/avro-contracts.ts'
import type { Config } from '../src/config/schema.ts'
import { partitionOf } from '../src/core/partition.ts'
import type { NewRecord } from '../src/core/ports.ts'
import { Random } from '../src/core/random.ts'
import type { Decision, Label, Transaction } from '../src/core/types.ts'
import { generate } from '../src/generator/generate.ts'

/** What is changed of a record that would be decided. */
type Spoilt = Partial<Pick<NewRecord, 'key' | 'value'>> & { readonly headers?: Record<string, unknown> }

interface Valid {
  readonly transaction: Transaction
  readonly value: Buffer
}

type Kind = readonly [weight: number, make: (valid: Valid) => Spoilt]

const pans = ['4111111111111111', '5500 0055 5555 5559', '3782-822463-10005']

/** Draws records that no member should have to read: deterministic by its seed. */
export class Poison {
  readonly #random: Random
  readonly #topics: Config['topics']
  readonly #contracts: Contracts
  readonly #valid: readonly Valid[]
  readonly #kinds: readonly Kind[]
  /** Frames of values that are not payments, though their schemas are known; both have arrays or other fields. */
  readonly #otherFrames: readonly Buffer[]

  constructor(config: Config, contracts: Contracts, seed: number) {
    this.#random = new Random(seed, 2)
    this.#topics = config.topics
    this.#contracts = contracts
    const payments = [...generate({ seed, events: 2_000, customers: 300, merchants: 60 })]
    this.#valid = payments.flatMap((item) =>
      item.kind === 'transaction'
        ? [{ transaction: item.transaction, value: contracts.transactions.encode(item.transaction) }]
        : [],
    )
    this.#otherFrames = frames(contracts)
    this.#kinds = [
      [15, () => ({ value: this.#bytes(400) })],
      [10, ({ value }) => ({ value: Buffer.concat([value.subarray(0, 5), this.#bytes(300)]) })],
      [20, ({ value }) => ({ value: this.#flipped(value) })],
      [10, ({ value }) => ({ value: value.subarray(0, this.#random.below(value.length)) })],
      [5, ({ value }) => ({ value: Buffer.concat([value, this.#bytes(50)]) })],
      [8, ({ value }) => ({ value: this.#otherSchema(value) })],
      [5, () => ({ value: this.#countBomb() })],
      [2, () => ({ value: this.#deepJson() })],
      [0.03, () => ({ value: Buffer.alloc(this.#random.between(70_000, 900_000), 'x') })],
      [
        3,
        () =>
          this.#random.pick<Spoilt>([
            { value: null },
            { value: null, key: null },
            { value: Buffer.alloc(0) },
          ]),
      ],
      [5, () => ({ key: this.#hostileKey() })],
      [5, () => ({ headers: this.#hostileHeaders() })],
      [10, ({ transaction }) => ({ value: contracts.transactions.encode(this.#strange(transaction)) })],
      [2, ({ transaction }) => this.#withPan(transaction)],
    ]
  }

  /** One record for the topic of transactions, a quarter of all for its first partition. */
  next(): NewRecord {
    const random = this.#random
    const valid = random.pick(this.#valid)
    const [, make] = this.#kinds[random.weighted(this.#kinds.map(([weight]) => weight))] as Kind
    const { customer_id, event_time } = valid.transaction
    const { headers, ...spoilt } = make(valid)
    return {
      topic: this.#topics.transactions,
      partition: random.chance(0.25) ? 0 : partitionOf(customer_id, this.#topics.partitions),
      key: customer_id,
      value: valid.value,
      timestamp: event_time,
      // Values of headers may be any bytes on the wire.
      ...(headers !== undefined && { headers: headers as Record<string, string> }),
      ...spoilt,
    }
  }

  /** A record for the topic of labels or of entity updates: array bombs, bytes, and what is known of another topic. */
  aside(topic: string, partition: number): NewRecord {
    const value = this.#random.pick([
      () => this.#bytes(200),
      () => this.#countBomb(),
      () => this.#random.pick(this.#valid).value,
      () => null,
    ])()
    return {
      topic,
      partition,
      key: null,
      value,
      timestamp: this.#random.pick(this.#valid).transaction.event_time,
    }
  }

  #bytes(most: number): Buffer {
    const bytes = Buffer.alloc(this.#random.below(most + 1))
    for (let at = 0; at < bytes.length; at++) bytes[at] = this.#random.below(256)
    return bytes
  }

  #flipped(value: Buffer): Buffer {
    const copy = Buffer.from(value)
    for (let flips = this.#random.between(1, 8); flips > 0; flips--) {
      const at = this.#random.below(copy.length)
      copy[at] = (copy[at] as number) ^ (1 << this.#random.below(8))
    }
    return copy
  }

  #otherSchema(value: Buffer): Buffer {
    const copy = Buffer.from(value)
    if (this.#random.chance(0.5)) this.#random.pick(this.#otherFrames).copy(copy)
    else copy.writeInt32BE(this.#random.between(-(2 ** 31), 2 ** 31 - 1), 1)
    return copy
  }

  /** Counts and lengths that the bytes do not hold, where a string's length or an array's count may stand. */
  #countBomb(): Buffer {
    const huge = Buffer.from(
      this.#random.pick(['feffffff0f', 'feffffffffffffff7f', 'ffffffffffffffffff01', '01ff01']),
      'hex',
    )
    const frame = this.#random.pick([
      ...this.#otherFrames,
      this.#random.pick(this.#valid).value.subarray(0, 5),
    ])
    return Buffer.concat([frame, Buffer.alloc(this.#random.below(20), this.#random.below(3)), huge])
  }

  #deepJson(): Buffer {
    const depth = this.#random.between(1, 6_000)
    return Buffer.from(
      this.#random.chance(0.5) ? `${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}` : '['.repeat(depth),
    )
  }

  #hostileKey(): Buffer | null {
    const random = this.#random
    return random.pick([
      () => this.#bytes(100),
      () => Buffer.from(random.pick(this.#valid).transaction.customer_id),
      () => Buffer.alloc(random.between(4_000, 60_000), 'k'),
      () => Buffer.from(random.pick(pans)),
      () => Buffer.alloc(0),
      () => null,
    ])()
  }

  #hostileHeaders(): Record<string, unknown> {
    const random = this.#random
    const name = random.pick([
      '__proto__',
      'constructor',
      'toString',
      '',
      'weir-reason',
      'weir-withheld',
      'weir-redriven-offset',
      '__connect.errors.offset',
      'traceparent',
      '\u0000\u001b[31m',
      'n'.repeat(random.between(1, 6_000)),
    ])
    const value = random.pick<unknown>([
      this.#bytes(60),
      Buffer.alloc(0),
      null,
      random.pick(pans),
      'v'.repeat(random.between(1, 6_000)),
    ])
    // An own property, whatever its name.
    return Object.fromEntries([[name, value]])
  }

  /** Right by the schema, wrong by the contract; the longest and the largest that is right among them. */
  #strange(transaction: Transaction): Transaction {
    const changes: Partial<Transaction>[] = [
      { amount_minor: this.#random.pick([-1, Number.MAX_SAFE_INTEGER - 1, 0, 1e15]) },
      { currency: this.#random.pick(['', 'XXX', 'eur', 'FKP', 'EURO']) },
      { type: '', channel: 'pigeon' },
      { entry_mode: 'guess' },
      { customer_id: this.#random.pick(['', 'x'.repeat(65), 'c\u0000', '\ufffd', '\ud800', ' ']) },
      { transaction_id: this.#random.pick(['x'.repeat(64), '\u202e', '../..', '\u0085']) },
      { event_time: this.#random.pick([0, -1, 8.64e15, 8.64e15 + 1, transaction.event_time + 300_001]) },
      { latitude: this.#random.pick([Number.NaN, Number.POSITIVE_INFINITY, 91, null]) },
      { mcc: 'abcd', country: 'de' },
      { ip: this.#random.pick(['999.1', '::::', '1.2.3.4.5', ':'.repeat(45)]) },
      { utc_offset_minutes: 2_147_483_647 },
      { description: this.#random.pick(['d'.repeat(257), '\ud800', '\u0000', 'd'.repeat(60_000)]) },
    ]
    return { ...transaction, ...this.#random.pick(changes) }
  }

  #withPan(transaction: Transaction): Spoilt {
    const pan = this.#random.pick(pans)
    return this.#random.pick<() => Spoilt>([
      () => ({ value: this.#contracts.transactions.encode({ ...transaction, description: `card ${pan}` }) }),
      () => ({ value: Buffer.from(`{"pan":"${pan}"}`) }),
      () => ({ headers: { card: pan }, value: null }),
    ])()
  }
}

/** The first five bytes of what the other topics hold. */
function frames({ labels, decisions, entityUpdates }: Contracts): Buffer[] {
  const time = 0
  const label = { label_id: 'l', transaction_id: 't', customer_id: 'c', merchant_id: 'm', terminal_id: null }
  const noDevice = { device_id: null, fraud: true, state: 'reported', source: 'customer', fraud_type: null }
  const update = { source_kind: 't', source_partition: 0, source_offset: 0, time, deltas: [] } as const
  const decision = {
    decision_id: 'd',
    transaction_id: 't',
    customer_id: 'c',
    event_time: time,
    status: 'scored',
    outcome: null,
    score: null,
    risk_score: null,
    reasons: [],
    duplicate_of: null,
    late: false,
    entity_age_ms: null,
    feature_hash: '',
    features: Buffer.alloc(0),
    model: '',
    model_sha256: '',
    policy: '',
    control_offset: null,
    rules: null,
    rules_hit: [],
    lists_hit: [],
    adjustment: 0,
    sca: null,
  } satisfies Decision
  const times = { effective_time: time, observed_time: time }
  return [
    labels.encode({ ...label, ...noDevice, ...times } as Label),
    decisions.encode(decision),
    entityUpdates.encode(update),
  ].map((value) => Buffer.from(value.subarray(0, 5)))
}
