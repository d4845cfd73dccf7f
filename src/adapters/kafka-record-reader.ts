import type { Headers } from '../core/ports.ts'

export const noHeaders: Headers = Object.freeze({})

/** Of 64 bits the tenth byte, which counts units of this, has the last. */
const longestVarint = 2 ** 63

/** An assignment to this name would be to the prototype, and the header lost. */
const asUsual = { enumerable: true, configurable: true, writable: true }

/** What records consist of, from any place on. Throws RangeError behind the end. */
export class RecordReader {
  readonly #bytes: Buffer
  at: number

  constructor(bytes: Buffer, at = 0) {
    this.#bytes = bytes
    this.at = at
  }

  /** @throws RangeError behind the end. */
  goTo(at: number): void {
    if (at > this.#bytes.length) throw new RangeError('a record ends behind its batch')
    this.at = at
  }

  /** Exact up to 2^53, in either direction. */
  varint(): number {
    let byte = this.#byte()
    if (byte < 128) return (byte >>> 1) ^ -(byte & 1)
    let value = byte & 127
    for (let unit = 128; byte >= 128; unit *= 128) {
      if (unit > longestVarint) throw new RangeError('a number of a record is too long')
      byte = this.#byte()
      value += (byte & 127) * unit
    }
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2
  }

  bytes(): Buffer | null {
    const length = this.varint()
    if (length < 0) return null
    const from = this.#skip(length)
    return this.#bytes.subarray(from, this.at)
  }

  /** Values as text: those of one name behind each other, a null by its name. */
  headers(): Headers {
    const count = this.varint()
    if (count <= 0) return noHeaders
    const headers: Record<string, string> = {}
    for (let i = 0; i < count; i++) {
      const name = this.#text() ?? ''
      const value = this.#text() ?? 'null'
      if (Object.hasOwn(headers, name)) headers[name] = `${headers[name]},${value}`
      else if (name === '__proto__') Object.defineProperty(headers, name, { ...asUsual, value })
      else headers[name] = value
    }
    return headers
  }

  /** Over key, value and headers. @throws RangeError where they cannot be read. */
  skipContents(): void {
    this.#skipBytes()
    this.#skipBytes()
    for (let left = 2 * this.varint(); left > 0; left--) this.#skipBytes()
  }

  #skipBytes(): void {
    const length = this.varint()
    if (length > 0) this.#skip(length)
  }

  #text(): string | null {
    const length = this.varint()
    if (length < 0) return null
    const from = this.#skip(length)
    return this.#bytes.toString('utf8', from, this.at)
  }

  #byte(): number {
    const byte = this.#bytes[this.at++]
    if (byte === undefined) throw new RangeError('a record ends behind its batch')
    return byte
  }

  #skip(length: number): number {
    const from = this.at
    this.at += length
    if (this.at > this.#bytes.length) throw new RangeError('a record ends behind its batch')
    return from
  }
}
