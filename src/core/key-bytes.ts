import { lengthOf, unitAt } from './text.ts'

/** In the form of a key with units above 255: each then has two bytes. */
const wideBit = 2 ** 31

/** Length in bytes of a key of this form. */
export const keyLength = (form: number): number => form % wideBit

/** A text as bytes, without loss and as short as may be: one byte a unit of UTF-16, or two where one is too few. */
export class KeyBytes {
  #units = new Uint16Array(64)
  #length = 0
  /** Its length in bytes, and whether a unit has two: 32 bits. Equal keys have equal forms. */
  form = 0
  /** 32 bits, of this process: nothing that stays may depend on them. */
  hash = 0

  set(key: string): void {
    const length = lengthOf(key)
    if (length > this.#units.length) this.#units = new Uint16Array(length * 2)
    const units = this.#units
    let all = 0
    let hash = length
    for (let i = 0; i < length; i++) {
      const unit = unitAt(key, i)
      units[i] = unit
      all |= unit
      // FNV-1a (G. Fowler, L. C. Noll, K.-P. Vo), by unit.
      hash = Math.imul(hash ^ unit, 0x01000193)
    }
    this.#length = length
    this.form = all < 256 ? length : length * 2 + wideBit
    this.hash = hash >>> 0
  }

  /** Whether they are the bytes of this key. @param at where a key of the same form begins. */
  equals(bytes: Uint8Array, at: number): boolean {
    const units = this.#units
    const length = this.#length
    if (this.form < wideBit) {
      for (let i = 0; i < length; i++) if (bytes[at + i] !== units[i]) return false
      return true
    }
    for (let i = 0; i < length; i++) {
      const unit = units[i] as number
      if (bytes[at + 2 * i] !== (unit & 0xff) || bytes[at + 2 * i + 1] !== unit >>> 8) return false
    }
    return true
  }

  write(bytes: Uint8Array, at: number): void {
    const isWide = this.form >= wideBit
    for (let i = 0; i < this.#length; i++) {
      const unit = this.#units[i] as number
      if (!isWide) bytes[at + i] = unit
      else {
        bytes[at + 2 * i] = unit & 0xff
        bytes[at + 2 * i + 1] = unit >>> 8
      }
    }
  }
}

/** The text that was written. */
export const readKey = (bytes: Buffer, at: number, form: number): string =>
  bytes.toString(form < wideBit ? 'latin1' : 'utf16le', at, at + keyLength(form))
