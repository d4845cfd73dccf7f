import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Codec, createCodec } from '../../../src/adapters/avro.ts'
import { createContracts } from '../../../src/adapters/avro-contracts.ts'
import { createFileSchemaSource, readSchema } from '../../../src/adapters/avro-schema-files.ts'
import { minorUnitExponent } from '../../../src/core/currencies.ts'
import { errorCodes, WeirError } from '../../../src/core/errors.ts'
import { holdsPan } from '../../../src/core/pan.ts'
import { channels, entryModes, type Transaction, transactionTypes } from '../../../src/core/types.ts'
import {
  aDecision,
  aLabel,
  anAlert,
  anEntityUpdate,
  aRecord,
  aTransaction,
  eventTime,
} from '../../helpers/contracts.ts'

const forever = Number.POSITIVE_INFINITY
const contracts = await createContracts(
  createFileSchemaSource(),
  { transactions: 't', labels: 'l', decisions: 'd', alerts: 'a', entityUpdates: 'e', control: 'c' },
  { eventTimePastMs: forever, eventTimeFutureMs: forever, maxRecordBytes: 65_536 },
)

async function outcomeOf<T>(
  codec: Codec<T>,
  value: Buffer | null,
  key: Buffer | null = null,
): Promise<unknown> {
  const [checked] = await codec.decode([aRecord(value, { key })])
  return checked?.ok ? checked.value : checked?.rejection.code
}

/** Confluent wire format by hand. */
function framed(id: number, body: Iterable<number>): Buffer {
  return Buffer.from([0, 0, 0, 0, id, ...body])
}

describe('round trips', () => {
  it('of every contract', async () => {
    expect(await outcomeOf(contracts.labels, contracts.labels.encode(aLabel()))).toEqual(aLabel())
    expect(await outcomeOf(contracts.decisions, contracts.decisions.encode(aDecision()))).toEqual(aDecision())
    expect(await outcomeOf(contracts.alerts, contracts.alerts.encode(anAlert()))).toEqual(anAlert())
    const update = anEntityUpdate()
    expect(await outcomeOf(contracts.entityUpdates, contracts.entityUpdates.encode(update))).toEqual(update)
  })

  it('of arbitrary transactions', async () => {
    await fc.assert(
      fc.asyncProperty(transactions, async (transaction) => {
        const key = Buffer.from(transaction.customer_id)
        expect(
          await outcomeOf(contracts.transactions, contracts.transactions.encode(transaction), key),
        ).toEqual(transaction)
      }),
      { numRuns: 1_000 },
    )
  })

  it('of records that do not fit into what is left of a slab, and of one larger than a slab', async () => {
    const written = [10, 30_000, 30_000, 30_000, 200_000, 10].map((length, at) => {
      const decision = aDecision({ features: Buffer.alloc(length, at + 1) })
      return { decision, bytes: contracts.decisions.encode(decision) }
    })
    const wide = createCodec<unknown>({
      schema: readSchema('decision.avsc'),
      id: 4,
      source: createFileSchemaSource(),
      maxRecordBytes: 1_000_000,
      check: (value) => ({ ok: true, value }),
    })
    for (const { decision, bytes } of written) expect(await outcomeOf(wide, bytes)).toEqual(decision)
  })

  it('begins with byte 0 and the id of schemas/ids.json', () => {
    expect([...contracts.transactions.encode(aTransaction()).subarray(0, 5)]).toEqual([0, 0, 0, 0, 7])
    expect([...contracts.decisions.encode(aDecision()).subarray(0, 5)]).toEqual([0, 0, 0, 0, 8])
  })
})

describe('refused records', () => {
  const good = contracts.transactions.encode(aTransaction())

  it.each<[string, string, Buffer | null]>([
    ['no value', 'WEIR_RECORD_EMPTY', null],
    ['an empty value', 'WEIR_RECORD_EMPTY', Buffer.alloc(0)],
    ['JSON', 'WEIR_RECORD_NOT_AVRO', Buffer.from('{"transaction_id":"t"}')],
    ['four bytes', 'WEIR_RECORD_NOT_AVRO', Buffer.alloc(4)],
    ['more bytes than are allowed', 'WEIR_RECORD_TOO_LARGE', Buffer.alloc(65_537)],
    ['an id that no schema has', 'WEIR_RECORD_UNKNOWN_SCHEMA', framed(99, good.subarray(5))],
    ['a negative id', 'WEIR_RECORD_UNKNOWN_SCHEMA', Buffer.from([0, 0xff, 0xff, 0xff, 0xff, 1])],
    ['the schema of a decision', 'WEIR_RECORD_UNDECODABLE', contracts.decisions.encode(aDecision())],
    ['a byte too few', 'WEIR_RECORD_UNDECODABLE', good.subarray(0, -1)],
    ['a byte too many', 'WEIR_RECORD_UNDECODABLE', Buffer.concat([good, Buffer.from([0])])],
    ['a header and nothing else', 'WEIR_RECORD_UNDECODABLE', framed(1, [])],
  ])('%s: %s', async (_what, code, value) => {
    expect(await outcomeOf(contracts.transactions, value)).toBe(code)
  })

  it('another customer as key', async () => {
    expect(await outcomeOf(contracts.transactions, good, Buffer.from('c-2'))).toBe('WEIR_RECORD_KEY')
    const label = contracts.labels.encode(aLabel())
    expect(await outcomeOf(contracts.labels, label, Buffer.from('c-2'))).toBe('WEIR_RECORD_KEY')
  })

  it('a key that is not UTF-8 in an id', async () => {
    const bytes = contracts.transactions.encode(aTransaction({ transaction_id: 'AAAA' }))
    bytes[bytes.indexOf('AAAA')] = 0xff
    expect(await outcomeOf(contracts.transactions, bytes)).toBe('WEIR_RECORD_OUT_OF_RANGE')
  })

  it('do not hide the good ones beside them', async () => {
    const checked = await contracts.transactions.decode([
      aRecord(good),
      aRecord(null),
      aRecord(good, { key: null }),
    ])
    expect(checked.map(({ ok }) => ok)).toEqual([true, false, true])
  })

  it('an array count of a thousand million, at once', async () => {
    const count = [0x80, 0xa8, 0xd6, 0xb9, 0x07]
    const alert = contracts.alerts.encode(anAlert({ reasons: [] }))
    const update = contracts.entityUpdates.encode(anEntityUpdate({ deltas: [] }))
    const started = performance.now()
    const bombs = [
      await outcomeOf(contracts.alerts, Buffer.from([...alert.subarray(0, -1), ...count])),
      await outcomeOf(contracts.entityUpdates, Buffer.from([...update.subarray(0, -1), ...count])),
      await outcomeOf(contracts.decisions, bombedDecision(count)),
    ]
    expect(bombs).toEqual(Array(3).fill('WEIR_RECORD_UNDECODABLE'))
    expect(performance.now() - started).toBeLessThan(500)
  })

  it('random and mutated bytes: always a value or a known code, in bounded time', async () => {
    const codecs = Object.values(contracts) as Codec<unknown>[]
    const seeds = [
      good,
      contracts.labels.encode(aLabel()),
      contracts.decisions.encode(aDecision()),
      contracts.alerts.encode(anAlert()),
      contracts.entityUpdates.encode(anEntityUpdate()),
    ]
    const edits = fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 6 })
    const mutated = fc.tuple(fc.constantFrom(...seeds), edits, fc.nat(400)).map(([seed, changes, cut]) => {
      const bytes = Buffer.from(seed)
      for (const [at, byte] of changes) bytes[5 + (at % (bytes.length - 5))] = byte
      return cut < 20 ? bytes.subarray(0, bytes.length - cut) : bytes
    })
    const random = fc
      .tuple(fc.integer({ min: 1, max: 6 }), fc.uint8Array({ maxLength: 300 }))
      .map(([id, body]) => framed(id, body))
    const { WEIR_TEST_RUNS: runs = '20000' } = process.env
    let slowestMs = 0
    await fc.assert(
      fc.asyncProperty(fc.oneof(mutated, random), async (bytes) => {
        for (const codec of codecs) {
          const started = performance.now()
          const [checked] = await codec.decode([aRecord(bytes, { key: null })])
          slowestMs = Math.max(slowestMs, performance.now() - started)
          if (!checked?.ok) expect(errorCodes).toContain(checked?.rejection.code)
        }
      }),
      { numRuns: Number(runs) },
    )
    expect(slowestMs).toBeLessThan(1_000)
  })
})

describe('schemas of other writers', () => {
  const withSource = (schemaOf: (id: number) => Promise<string | null>) =>
    createCodec<Transaction>({
      schema: readSchema('transaction.avsc'),
      id: 1,
      source: { schemaOf },
      maxRecordBytes: 65_536,
      check: (value) => ({ ok: true, value }),
    })

  it('are asked for once', async () => {
    const asked: number[] = []
    const codec = withSource(async (id) => {
      asked.push(id)
      return readSchema('transaction.avsc')
    })
    const foreign = framed(42, contracts.transactions.encode(aTransaction()).subarray(5))
    const checked = await codec.decode([aRecord(foreign), aRecord(foreign)])
    await codec.decode([aRecord(foreign)])
    expect(checked.every(({ ok }) => ok)).toBe(true)
    expect(asked).toEqual([42])
  })

  it.each<[string, string]>([
    ['no JSON', 'nonsense'],
    ['no schema', '{"type":"riddle"}'],
    ['another record', readSchema('label.avsc')],
    ['code for a field name', schemaOfField('x;process.exit(1)', 'string')],
    ['a name of the language', schemaOfField('__proto__', 'string')],
    ['a bomb of nesting', `${'{"type":"array","items":'.repeat(50_000)}"int"${'}'.repeat(50_000)}`],
    ['an array of nothing', schemaOfField('bomb', { type: 'array', items: 'null' })],
  ])('that are %s make the record undecodable', async (_what, text) => {
    expect(
      await outcomeOf(
        withSource(async () => text),
        framed(42, [0, 0, 0]),
      ),
    ).toBe('WEIR_RECORD_UNDECODABLE')
  })

  it('that cannot be had stop everything: no record is refused for a registry that is away', async () => {
    const away = new WeirError('WEIR_SCHEMA_REGISTRY', 'away', { retriable: true })
    const codec = withSource(async () => {
      throw away
    })
    const records = [aRecord(contracts.transactions.encode(aTransaction())), aRecord(framed(42, [0]))]
    await expect(codec.decode(records)).rejects.toBe(away)
  })
})

function schemaOfField(name: string, type: unknown): string {
  return JSON.stringify({
    type: 'record',
    name: 'Transaction',
    namespace: 'weir.v1',
    fields: [{ name, type }],
  })
}

/** A decision whose reasons are as many as the count says; none of them is there. */
function bombedDecision(count: readonly number[]): Buffer {
  const marked = contracts.decisions.encode(aDecision({ reasons: ['MARK'] }))
  const at = marked.indexOf('MARK') - 2
  return Buffer.from([...marked.subarray(0, at), ...count, ...marked.subarray(at + 1)])
}

// Letters and marks only: thirteen random digits may be a PAN, which is another test's matter.
const word = (maxLength: number, minLength = 1) =>
  fc.string({ unit: fc.constantFrom(...'aZé-_.: 漢😀'), minLength, maxLength: Math.floor(maxLength / 2) })
const maybe = <T>(values: fc.Arbitrary<T>) => fc.option(values, { nil: null })
const digits = (length: number) =>
  fc.string({ unit: fc.constantFrom(...'0123456789'), minLength: length, maxLength: length })
const currencies = ['EUR', 'USD', 'JPY', 'KWD', 'CLF'].filter((code) => minorUnitExponent(code) !== undefined)
const place = fc.oneof(
  fc.constant({ latitude: null, longitude: null }),
  fc.record({
    latitude: fc.double({ min: -90, max: 90, noNaN: true }),
    longitude: fc.double({ min: -180, max: 180, noNaN: true }),
  }),
)

const transactions: fc.Arbitrary<Transaction> = fc
  .record({
    transaction_id: word(64),
    event_time: fc.integer({ min: 0, max: eventTime * 2 }),
    customer_id: word(64),
    // One that is a card number is refused.
    amount_minor: fc
      .integer({ min: 0, max: Number.MAX_SAFE_INTEGER - 1 })
      .filter((amount) => !holdsPan(String(amount))),
    currency: fc.constantFrom(...currencies),
    type: fc.constantFrom(...transactionTypes),
    channel: fc.constantFrom(...channels),
    entry_mode: maybe(fc.constantFrom(...entryModes)),
    merchant_id: word(64),
    merchant_name: maybe(word(128, 0)),
    mcc: maybe(digits(4)),
    terminal_id: maybe(word(64)),
    device_id: maybe(word(64)),
    ip: maybe(fc.oneof(fc.ipV4(), fc.ipV6())),
    country: maybe(fc.constantFrom('DE', 'US', 'ZZ')),
    utc_offset_minutes: maybe(fc.integer({ min: -840, max: 840 })),
    card_token: maybe(word(64)),
    card_bin: maybe(fc.oneof(digits(6), digits(8))),
    card_last4: maybe(digits(4)),
    counterparty_id: maybe(word(64)),
    email_hash: maybe(
      fc.string({ unit: fc.constantFrom(...'0123456789abcdef'), minLength: 64, maxLength: 64 }),
    ),
    description: maybe(word(256, 0)),
  })
  .chain((fields) => place.map((where) => ({ ...fields, ...where })))
