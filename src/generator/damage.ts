import type { Random } from '../core/random.ts'
import type { Transaction } from '../core/types.ts'

interface Damage {
  readonly name: string
  /** Spoils the fields, before encoding. */
  readonly fields?: (transaction: Transaction) => Transaction
  /** Spoils the encoded record: magic byte 0, four bytes of schema id, Avro. */
  readonly bytes?: (encoded: Buffer) => Buffer
}

const damages: readonly Damage[] = [
  { name: 'empty', bytes: () => Buffer.alloc(0) },
  { name: 'not_avro', bytes: () => Buffer.from('{"amount":1}') },
  { name: 'truncated', bytes: (encoded) => encoded.subarray(0, Math.floor(encoded.length / 2)) },
  { name: 'trailing_bytes', bytes: (encoded) => Buffer.concat([encoded, Buffer.from([0, 1, 2])]) },
  { name: 'unknown_schema', bytes: withSchemaId },
  // A length of 2^62 where the first string's length stands: a decoder that trusts it asks for all memory.
  {
    name: 'length_bomb',
    bytes: (encoded) => Buffer.concat([encoded.subarray(0, 5), Buffer.from('feffffffffffffff7f', 'hex')]),
  },
  { name: 'oversized', fields: (transaction) => ({ ...transaction, description: 'x'.repeat(200_000) }) },
  { name: 'unknown_currency', fields: (transaction) => ({ ...transaction, currency: 'XQZ' }) },
  { name: 'negative_amount', fields: (transaction) => ({ ...transaction, amount_minor: -1 }) },
  { name: 'event_time_1970', fields: (transaction) => ({ ...transaction, event_time: 0 }) },
  { name: 'event_time_2100', fields: (transaction) => ({ ...transaction, event_time: 4_102_444_800_000 }) },
  // 4111 1111 1111 1111 is the well-known test number: it passes Luhn's check and is nobody's card.
  {
    name: 'pan_in_description',
    fields: (transaction) => ({ ...transaction, description: 'card 4111 1111 1111 1111' }),
  },
  {
    name: 'latitude_out_of_range',
    fields: (transaction) => ({ ...transaction, latitude: 95, longitude: 0 }),
  },
]

/** A record that must end in dead letters: encode `candidate`, then pass its bytes through `spoil`. */
export interface Spoilt {
  readonly damage: string
  readonly candidate: Transaction
  readonly spoil: (encoded: Buffer) => Buffer
}

export function spoilt(random: Random, transaction: Transaction): Spoilt {
  const { name, fields, bytes } = random.pick(damages)
  const whole = { ...transaction, transaction_id: `${transaction.transaction_id}-x` }
  return { damage: name, candidate: fields?.(whole) ?? whole, spoil: bytes ?? ((encoded) => encoded) }
}

function withSchemaId(encoded: Buffer): Buffer {
  const copy = Buffer.from(encoded)
  copy.writeInt32BE(0x7fff_fff0, 1)
  return copy
}
