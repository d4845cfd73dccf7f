import type { Tiles } from './tiles.ts'

/**
 * Packed state: a run of 32-bit words, then a run of float64, then a run of 32-bit words, all little-endian (as every
 * platform is that Node runs on). Whole columns are copied at a time, which is what makes it cheap.
 */
export class Packer {
  readonly buffer: Buffer
  readonly #doubles: Float64Array
  readonly #words: Uint32Array
  #double = 0
  #word = 0

  /** Counts are multiples that keep the doubles aligned: `head` is even. */
  constructor(head: readonly number[], doubles: number, words: number) {
    const bytes = new ArrayBuffer(head.length * 4 + doubles * 8 + words * 4)
    new Uint32Array(bytes, 0, head.length).set(head)
    this.#doubles = new Float64Array(bytes, head.length * 4, doubles)
    this.#words = new Uint32Array(bytes, head.length * 4 + doubles * 8, words)
    this.buffer = Buffer.from(bytes)
  }

  double(value: number): void {
    this.#doubles[this.#double++] = value
  }

  doubles(column: Float64Array, size: number): void {
    for (let i = 0; i < size; i++) this.#doubles[this.#double + i] = column[i] as number
    this.#double += size
  }

  words(column: Uint32Array | Int32Array, size: number): void {
    for (let i = 0; i < size; i++) this.#words[this.#word + i] = column[i] as number
    this.#word += size
  }

  tiles(tiles: Tiles): void {
    this.words(tiles.index, tiles.size)
    this.words(tiles.count, tiles.size)
    for (const column of tiles.columns) this.doubles(column, tiles.size)
  }
}

/** Reads what a Packer wrote, in the same order. */
export class Unpacker {
  readonly head: Uint32Array
  readonly #doubles: Float64Array
  readonly #words: Uint32Array
  #double = 0
  #word = 0

  /** @param sizes the number of doubles and words that follow a given head. */
  constructor(
    packed: Uint8Array,
    headLength: number,
    sizes: (head: Uint32Array) => { doubles: number; words: number },
  ) {
    // A slice of a network buffer may start anywhere; typed arrays want alignment.
    const bytes = new Uint8Array(packed).buffer
    this.head = new Uint32Array(bytes, 0, headLength)
    const { doubles, words } = sizes(this.head)
    if (bytes.byteLength !== headLength * 4 + doubles * 8 + words * 4) {
      throw new RangeError(
        `packed state of ${bytes.byteLength} bytes does not have the length its head tells`,
      )
    }
    this.#doubles = new Float64Array(bytes, headLength * 4, doubles)
    this.#words = new Uint32Array(bytes, headLength * 4 + doubles * 8, words)
  }

  double(): number {
    return this.#doubles[this.#double++] as number
  }

  doubles(column: Float64Array, size: number): void {
    for (let i = 0; i < size; i++) column[i] = this.#doubles[this.#double + i] as number
    this.#double += size
  }

  words(column: Uint32Array | Int32Array, size: number): void {
    for (let i = 0; i < size; i++) column[i] = this.#words[this.#word + i] as number
    this.#word += size
  }

  tiles(tiles: Tiles, size: number): void {
    tiles.size = size
    this.words(tiles.index, size)
    this.words(tiles.count, size)
    for (const column of tiles.columns) this.doubles(column, size)
  }
}
