import { AvroTexts } from './avro-texts.ts'

/** Thrown for bytes that are not what the schema says. One for all: a stack trace a bad record would cost more. */
export const malformed = new Error('the bytes are not what the schema says')

/**
 * Reads the values of one schema from bytes that anybody may have written: every count and length is held against
 * the bytes that are left before it is believed.
 */
export class AvroInput {
  /** All the memory that the bytes are part of: the records of a fetch share theirs. */
  #memory: ArrayBufferLike = new ArrayBuffer(0)
  #bytes = Buffer.from(this.#memory)
  #view = new DataView(this.#memory)
  #at = 0
  #end = 0
  readonly #texts = new AvroTexts()

  open(bytes: Buffer, at: number): void {
    const { buffer, byteOffset, length } = bytes
    if (buffer !== this.#memory) {
      this.#memory = buffer
      this.#bytes = Buffer.from(buffer)
      this.#view = new DataView(buffer)
    }
    this.#at = byteOffset + at
    this.#end = byteOffset + length
  }

  /** @throws malformed unless everything has been read. */
  close(): void {
    if (this.#at !== this.#end) throw malformed
  }

  boolean(): boolean {
    const byte = this.#byte()
    if (byte > 1) throw malformed
    return byte === 1
  }

  int(): number {
    const value = this.#varint(5)
    if (value !== (value | 0)) throw malformed
    return value
  }

  /** avsc neither reads nor writes what lies beyond 2^53 - 2, and what a `long` may be is to stay the same. */
  long(): number {
    const value = this.#varint(10)
    if (value >= Number.MAX_SAFE_INTEGER || value <= -Number.MAX_SAFE_INTEGER) throw malformed
    return value
  }

  double(): number {
    return this.#view.getFloat64(this.#take(8), true)
  }

  /** A copy: the bytes of a record are part of a whole fetch, which nobody should have to keep for them. */
  bytes(): Buffer {
    const length = this.#varint(10)
    const from = this.#take(length)
    return Buffer.from(this.#bytes.subarray(from, from + length))
  }

  string(): string {
    const length = this.#varint(10)
    return this.#texts.read(this.#bytes, this.#view, this.#take(length), length)
  }

  /** Whether the value of a union of null and something else is the latter. */
  present(): boolean {
    const branch = this.#varint(5)
    if (branch !== 0 && branch !== 1) throw malformed
    return branch === 1
  }

  /** Avro 1.12, "Arrays": how many items come next, 0 at the end; a negative count has the block's size after it. */
  count(): number {
    let count = this.#varint(10)
    if (count < 0) {
      count = -count
      this.#expect(this.#varint(10))
    }
    this.#expect(count)
    return count
  }

  /** Moves on by `length` bytes and says where they begin. */
  #take(length: number): number {
    this.#expect(length)
    const from = this.#at
    this.#at = from + length
    return from
  }

  /** Every item of an array takes at least a byte. */
  #expect(length: number): void {
    if (length < 0 || length > this.#end - this.#at) throw malformed
  }

  #byte(): number {
    if (this.#at >= this.#end) throw malformed
    return this.#bytes[this.#at++] as number
  }

  /** A zigzag integer of at most `longest` bytes. Beyond 2^53 it is not exact. */
  #varint(longest: number): number {
    let byte = this.#byte()
    if (byte < 0x80) return (byte >> 1) ^ -(byte & 1)
    let low = byte & 0x7f
    for (let shift = 7; shift < 28; shift += 7) {
      byte = this.#byte()
      low |= (byte & 0x7f) << shift
      if (byte < 0x80) return (low >> 1) ^ -(low & 1)
    }
    let value = low
    let weight = 2 ** 28
    for (let taken = 4; taken < longest; taken++) {
      byte = this.#byte()
      value += (byte & 0x7f) * weight
      if (byte < 0x80) return value % 2 === 1 ? -(value + 1) / 2 : value / 2
      weight *= 128
    }
    throw malformed
  }
}
