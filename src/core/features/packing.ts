import { BufferPool } from '../buffer-pool.ts'
import type { Tiles } from './tiles.ts'

/**
 * Packed state: a head of 32-bit words (an even number of them), then float64, then 32-bit words, all little-endian
 * as every platform is that Node runs on. Packing and unpacking go through one scratch area, whole columns at a time:
 * a state is opened and packed for almost every event, and allocating views for it would cost more than the rest.
 */
const scratchBytes = 256 * 1024
const scratch = new ArrayBuffer(scratchBytes)
const scratchWords = new Uint32Array(scratch)
const scratchDoubles = new Float64Array(scratch)
const scratchBuffer = Buffer.from(scratch)

/** How many doubles and words follow a head. */
export interface Sizes {
  readonly doubles: number
  readonly words: number
}

/** Walks over the sections of a state in the scratch area. */
class Cursor {
  protected double = 0
  protected word = 0

  /** @returns the length of the packed state in bytes. */
  protected start(headWords: number, { doubles, words }: Sizes): number {
    this.double = headWords / 2
    this.word = headWords + doubles * 2
    return (this.word + words) * 4
  }
}

/** Writes a state, column after column; `take` gives the bytes. One at a time: the scratch area is shared. */
class Packer extends Cursor {
  readonly #pool = new BufferPool()
  #bytes = 0

  begin(head: ArrayLike<number>, sizes: Sizes): this {
    this.#bytes = this.start(head.length, sizes)
    if (this.#bytes > scratchBytes)
      throw new RangeError(`a state of ${this.#bytes} bytes is more than is ever kept`)
    for (let i = 0; i < head.length; i++) scratchWords[i] = head[i] as number
    return this
  }

  number(value: number): void {
    scratchDoubles[this.double++] = value
  }

  doubles(column: Float64Array, size: number): void {
    const at = this.double
    for (let i = 0; i < size; i++) scratchDoubles[at + i] = column[i] as number
    this.double = at + size
  }

  words(column: Uint32Array | Int32Array, size: number): void {
    const at = this.word
    for (let i = 0; i < size; i++) scratchWords[at + i] = column[i] as number
    this.word = at + size
  }

  tiles(tiles: Tiles): void {
    this.words(tiles.index, tiles.size)
    this.words(tiles.count, tiles.size)
    for (const column of tiles.columns) this.doubles(column, tiles.size)
  }

  /** Part of a larger piece of memory: to be copied by who keeps it. */
  take(): Buffer {
    const packed = this.#pool.take(this.#bytes)
    scratchBuffer.copy(packed, 0, 0, this.#bytes)
    return packed
  }
}

/** Reads what a Packer wrote, in the same order. One at a time: the scratch area is shared. */
class Unpacker extends Cursor {
  /** Word `i` of the head. */
  head(i: number): number {
    return scratchWords[i] as number
  }

  /** @throws RangeError when the length is not what the head tells. */
  begin(packed: Uint8Array, headWords: number, sizes: (head: ArrayLike<number>) => Sizes): this {
    if (packed.length < headWords * 4 || packed.length > scratchBytes) throw wrongLength(packed)
    scratchBuffer.set(packed)
    if (this.start(headWords, sizes(scratchWords)) !== packed.length) throw wrongLength(packed)
    return this
  }

  number(): number {
    return scratchDoubles[this.double++] as number
  }

  doubles(column: Float64Array, size: number): void {
    const at = this.double
    for (let i = 0; i < size; i++) column[i] = scratchDoubles[at + i] as number
    this.double = at + size
  }

  words(column: Uint32Array | Int32Array, size: number): void {
    const at = this.word
    for (let i = 0; i < size; i++) column[i] = scratchWords[at + i] as number
    this.word = at + size
  }

  tiles(tiles: Tiles, size: number): void {
    tiles.size = size
    this.words(tiles.index, size)
    this.words(tiles.count, size)
    for (const column of tiles.columns) this.doubles(column, size)
  }
}

const wrongLength = (packed: Uint8Array): RangeError =>
  new RangeError(`packed state of ${packed.length} bytes does not have the length that its head tells`)

export const packer = new Packer()
export const unpacker = new Unpacker()
