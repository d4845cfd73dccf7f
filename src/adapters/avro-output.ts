import { lengthOf, unitAt } from '../core/text.ts'

const slabBytes = 64 * 1024

/** Characters. ASCII of this length is written letter by letter, which takes less than a call of Node's own code. */
const shortText = 63

/** Bytes. Up to here, avsc writes half a surrogate pair as if it were a letter; beyond, as U+FFFD. */
const longestByLetter = 64

/**
 * Writes the values of one schema, byte for byte what avsc writes. Records are cut from one slab after the other: no
 * buffer and no copy a record. Values that are not of their type are a mistake in the program, and thrown out.
 */
export class AvroOutput {
  #slab = Buffer.allocUnsafeSlow(slabBytes)
  /** Of the slab: writes several bytes at once. */
  #view = new DataView(this.#slab.buffer)
  #start = 0
  #at = 0
  readonly #id: number

  /** @param id the schema's. */
  constructor(id: number) {
    this.#id = id
  }

  /** Begins a record in Confluent wire format; what was begun before and not ended is forgotten. */
  begin(): void {
    this.#at = this.#start
    this.#room(5)
    this.#slab[this.#at] = 0
    this.#view.setInt32(this.#at + 1, this.#id)
    this.#at += 5
  }

  /** Cuts the record off. */
  end(): Buffer {
    const record = this.#slab.subarray(this.#start, this.#at)
    this.#start = this.#at
    return record
  }

  boolean(value: unknown): void {
    if (typeof value !== 'boolean') throw new TypeError('a value is not a boolean')
    this.#room(1)
    this.#slab[this.#at++] = value ? 1 : 0
  }

  int(value: unknown): void {
    if (value !== ((value as number) | 0)) throw new TypeError('a value is not an int')
    this.#varint(value as number)
  }

  /** Beyond 2^53 - 2 avsc refuses: numbers there have neighbours that they cannot be told from. */
  long(value: unknown): void {
    if (!Number.isSafeInteger(value) || Math.abs(value as number) === Number.MAX_SAFE_INTEGER)
      throw new TypeError('a value is not a long')
    this.#varint(value as number)
  }

  double(value: unknown): void {
    if (typeof value !== 'number') throw new TypeError('a value is not a double')
    this.#room(8)
    this.#view.setFloat64(this.#at, value, true)
    this.#at += 8
  }

  bytes(value: unknown): void {
    if (!Buffer.isBuffer(value)) throw new TypeError('a value is not a Buffer')
    this.#varint(value.length)
    this.#room(value.length)
    this.#slab.set(value, this.#at)
    this.#at += value.length
  }

  string(value: unknown): void {
    if (typeof value !== 'string') throw new TypeError('a value is not a string')
    const length = lengthOf(value)
    if (length > shortText || !this.#ascii(value, length)) this.#utf8(value)
  }

  /** The branch of a union of null and something else. */
  present(value: boolean): void {
    this.#room(1)
    this.#slab[this.#at++] = value ? 2 : 0
  }

  /** How many items of an array come next; 0 ends it. */
  count(count: number): void {
    this.#varint(count)
  }

  /** Takes a new slab where the record, with `bytes` more, does not fit into this one. */
  #room(bytes: number): void {
    if (this.#at + bytes > this.#slab.length) this.#renew(bytes)
  }

  #renew(bytes: number): void {
    const written = this.#slab.subarray(this.#start, this.#at)
    // Twice what is there, so that a record of many small values is not copied for each of them.
    this.#slab = Buffer.allocUnsafeSlow(Math.max(slabBytes, 2 * written.length + bytes))
    this.#slab.set(written)
    this.#view = new DataView(this.#slab.buffer)
    this.#start = 0
    this.#at = written.length
  }

  /** False, and nothing written, for what is more than ASCII. */
  #ascii(text: string, length: number): boolean {
    this.#room(length + 1)
    const slab = this.#slab
    let at = this.#at
    slab[at++] = length << 1
    for (let i = 0; i < length; i++) {
      const code = unitAt(text, i)
      if (code >= 0x80) return false
      slab[at++] = code
    }
    this.#at = at
    return true
  }

  #utf8(text: string): void {
    const length = Buffer.byteLength(text)
    this.#varint(length)
    this.#room(length)
    if (length > longestByLetter) this.#slab.write(text, this.#at)
    else writeByLetter(text, this.#slab, this.#at)
    this.#at += length
  }

  /** Zigzag, then seven bits a byte, in two halves: shifts know 32 bits. */
  #varint(value: number): void {
    this.#room(10)
    const slab = this.#slab
    let at = this.#at
    let low = (value << 1) ^ (value >> 31)
    if (value !== (value << 1) >> 1) {
      const zigzag = value < 0 ? -value * 2 - 1 : value * 2
      low = zigzag % 2 ** 28
      for (let i = 0; i < 4; i++, low >>>= 7) slab[at++] = low | 0x80
      low = Math.floor(zigzag / 2 ** 28)
    }
    for (; low >= 0x80; low >>>= 7) slab[at++] = low | 0x80
    slab[at++] = low
    this.#at = at
  }
}

/** UTF-8, and what avsc makes of half a surrogate pair. */
function writeByLetter(text: string, slab: Buffer, start: number): void {
  let at = start
  for (let i = 0; i < text.length; i++) {
    const code = text.codePointAt(i) as number
    if (code < 0x80) {
      slab[at++] = code
    } else if (code < 0x800) {
      slab[at++] = 0xc0 | (code >> 6)
      slab[at++] = sixBits(code)
    } else if (code < 0x10000) {
      slab[at++] = 0xe0 | (code >> 12)
      slab[at++] = sixBits(code >> 6)
      slab[at++] = sixBits(code)
    } else {
      i++
      slab[at++] = 0xf0 | (code >> 18)
      slab[at++] = sixBits(code >> 12)
      slab[at++] = sixBits(code >> 6)
      slab[at++] = sixBits(code)
    }
  }
}

/** A byte of a letter after its first. */
function sixBits(code: number): number {
  return 0x80 | (code & 0x3f)
}
