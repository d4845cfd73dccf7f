import type { BufferPool } from './buffer-pool.ts'
import { KeyBytes, keyLength, readKey } from './key-bytes.ts'

/** Entries begin and end at multiples of this. */
const grainBytes = 16
const grainWords = grainBytes / 4

/** An entry is a head of one grain, the key, the state, and room for the state to grow. Words of the head: */
const hashWord = 0
const formWord = 1
/** Length of the state in bytes; `noState` where the entry is free. */
const stateWord = 2
/** Length of the entry in grains. */
const grainsWord = 3
const noState = 2 ** 32 - 1

interface Slab {
  /** Grains of all slabs are numbered through: that of its first. */
  readonly first: number
  readonly bytes: Buffer
  readonly words: Uint32Array
  /** Grains from the beginning that have entries. */
  used: number
  /** Grains that have none, or only a free one. */
  free: number
}

/**
 * Packed states by key, in memory of their own, the keys with them: maps, texts and buffers of JavaScript would take as
 * much again. `set` copies, over the state that was there where its entry has room. What `get` returns is good until
 * the next `set`.
 *
 * Entries lie in slabs, in the order in which they came. A state that outgrows its entry gets another at the end of the
 * newest slab. When that is full, the slab with the most free space is packed and takes its turn; only where no slab
 * has an eighth free, a new one is made.
 */
export class PackedStates {
  readonly #slabBytes: number
  readonly #slabGrains: number
  /** Of a grain's number: the bits that tell where in its slab it lies. */
  readonly #slabBits: number
  readonly #slabs: Slab[] = []
  #newest: Slab | undefined
  #grainsHeld = 0
  /** Open addressing with linear probing: the first grain of an entry + 1, or 0. */
  #table = new Uint32Array(1024)
  #size = 0
  /** What was looked for last, and its place in the table. */
  readonly #key = new KeyBytes()
  #sought: string | undefined
  #place = 0

  /** @param slabBytes a power of two; half of it is the most that a state may take with its key. */
  constructor(slabBytes = 1024 * 1024) {
    this.#slabBytes = slabBytes
    this.#slabGrains = slabBytes / grainBytes
    this.#slabBits = Math.log2(this.#slabGrains)
  }

  get size(): number {
    return this.#size
  }

  /** What the entries take, in bytes; slabs take an eighth more at most, and one. */
  get bytes(): number {
    return this.#grainsHeld * grainBytes
  }

  get(key: string): Buffer | undefined {
    const grain = this.#find(key)
    return grain < 0 ? undefined : this.#stateAt(grain)
  }

  /** A copy of what `get` returns, cut from `pool`. */
  copy(key: string, pool: BufferPool): Buffer | undefined {
    const grain = this.#find(key)
    if (grain < 0) return undefined
    const { bytes, words } = this.#slabOf(grain)
    const copy = pool.take(words[this.#headOf(grain) + stateWord] as number)
    const at = this.#startOf(grain)
    bytes.copy(copy, 0, at, at + copy.length)
    return copy
  }

  /** @throws RangeError when state and key take more than half a slab. */
  set(key: string, packed: Uint8Array): this {
    const held = this.#find(key)
    const wanted = grainBytes + keyLength(this.#key.form) + packed.length
    if (wanted > this.#slabBytes / 2)
      throw new RangeError(`a state of ${wanted} bytes is more than is ever kept`)
    if (held >= 0) {
      const { bytes, words } = this.#slabOf(held)
      const head = this.#headOf(held)
      const has = (words[head + grainsWord] as number) * grainBytes
      if (wanted <= has && wanted > has / 2) {
        words[head + stateWord] = packed.length
        bytes.set(packed, this.#startOf(held))
        return this
      }
      this.#release(held)
    }
    const grain = this.#take(wanted)
    const { bytes, words } = this.#slabOf(grain)
    const head = this.#headOf(grain)
    words[head + hashWord] = this.#key.hash
    words[head + formWord] = this.#key.form
    words[head + stateWord] = packed.length
    this.#key.write(bytes, head * 4 + grainBytes)
    bytes.set(packed, this.#startOf(grain))
    this.#table[this.#place] = grain + 1
    if (held < 0 && ++this.#size * 2 > this.#table.length) this.#widen()
    return this
  }

  /** Forgets all of them. Of the slabs that they lay in, as many stay as hold `mostBytes`. */
  clear(mostBytes: number): this {
    this.#slabs.length = Math.min(this.#slabs.length, Math.ceil(mostBytes / this.#slabBytes))
    for (const slab of this.#slabs) {
      slab.used = 0
      slab.free = this.#slabGrains
    }
    this.#newest = undefined
    this.#grainsHeld = 0
    this.#table.fill(0)
    this.#size = 0
    this.#sought = undefined
    return this
  }

  *keys(): Generator<string, void, undefined> {
    for (const grain of this.#grains()) yield this.#keyAt(grain)
  }

  /** In no order that means anything. Nothing may be set meanwhile. */
  *[Symbol.iterator](): Generator<[key: string, packed: Buffer], void, undefined> {
    for (const grain of this.#grains()) yield [this.#keyAt(grain), this.#stateAt(grain)]
  }

  *#grains(): Generator<number, void, undefined> {
    for (const found of this.#table) if (found > 0) yield found - 1
  }

  #slabOf(grain: number): Slab {
    return this.#slabs[grain >>> this.#slabBits] as Slab
  }

  /** The head of an entry, in words of its slab. */
  #headOf(grain: number): number {
    return (grain & (this.#slabGrains - 1)) * grainWords
  }

  #keyAt(grain: number): string {
    const { bytes, words } = this.#slabOf(grain)
    const head = this.#headOf(grain)
    return readKey(bytes, head * 4 + grainBytes, words[head + formWord] as number)
  }

  /** Where the state of an entry begins, in bytes of its slab. */
  #startOf(grain: number): number {
    const head = this.#headOf(grain)
    return head * 4 + grainBytes + keyLength(this.#slabOf(grain).words[head + formWord] as number)
  }

  #stateAt(grain: number): Buffer {
    const { bytes, words } = this.#slabOf(grain)
    const at = this.#startOf(grain)
    return bytes.subarray(at, at + (words[this.#headOf(grain) + stateWord] as number))
  }

  /** The entry of a key, -1 where it has none. */
  #find(key: string): number {
    // Who sets a state has mostly just got it.
    if (key !== this.#sought) {
      this.#sought = key
      this.#key.set(key)
      this.#place = this.#begin(this.#key.hash)
      while (!this.#isSought((this.#table[this.#place] as number) - 1)) this.#place = this.#next(this.#place)
    }
    return (this.#table[this.#place] as number) - 1
  }

  /** Whether the search ends there. @param grain of an entry; -1 for an empty place. */
  #isSought(grain: number): boolean {
    if (grain < 0) return true
    const { bytes, words } = this.#slabOf(grain)
    const head = this.#headOf(grain)
    if (words[head + hashWord] !== this.#key.hash || words[head + formWord] !== this.#key.form) return false
    return this.#key.equals(bytes, head * 4 + grainBytes)
  }

  /** Where in the table an entry is, or the place for a new one. @param grain -1: there is no such entry. */
  #placeOf(hash: number, grain: number): number {
    let place = this.#begin(hash)
    for (;;) {
      const found = this.#table[place] as number
      if (found === 0 || found === grain + 1) return place
      place = this.#next(place)
    }
  }

  #begin(hash: number): number {
    // The upper bits of a product hang together with all bits of the hash.
    return Math.imul(hash, 0x9e3779b1) >>> (Math.clz32(this.#table.length) + 1)
  }

  #next(place: number): number {
    return (place + 1) & (this.#table.length - 1)
  }

  #widen(): void {
    const before = this.#table
    this.#table = new Uint32Array(before.length * 2)
    for (const found of before) {
      if (found === 0) continue
      const hash = this.#slabOf(found - 1).words[this.#headOf(found - 1) + hashWord] as number
      this.#table[this.#placeOf(hash, -1)] = found
    }
    this.#sought = undefined
  }

  #release(grain: number): void {
    const slab = this.#slabOf(grain)
    const head = this.#headOf(grain)
    slab.words[head + stateWord] = noState
    const grains = slab.words[head + grainsWord] as number
    slab.free += grains
    this.#grainsHeld -= grains
  }

  /** @returns the first grain of an entry with room for that much and a little more. */
  #take(bytes: number): number {
    const grains = Math.ceil((bytes + bytes / 16) / grainBytes)
    if (this.#newest === undefined || this.#newest.used + grains > this.#slabGrains) {
      // A slab with less than an eighth free is not worth its packing.
      this.#newest = this.#roomy(Math.max(grains, this.#slabGrains / 8)) ?? this.#newSlab()
    }
    const slab = this.#newest
    const grain = slab.first + slab.used
    slab.words[this.#headOf(grain) + grainsWord] = grains
    slab.used += grains
    slab.free -= grains
    this.#grainsHeld += grains
    return grain
  }

  /** The slab with the most free space, all of it at its end now; none where no slab has that much. */
  #roomy(grains: number): Slab | undefined {
    let most: Slab | undefined
    for (const slab of this.#slabs) if (slab.free >= (most?.free ?? grains)) most = slab
    if (most !== undefined) this.#pack(most)
    return most
  }

  #newSlab(): Slab {
    const grains = this.#slabGrains
    const bytes = Buffer.allocUnsafeSlow(this.#slabBytes)
    const words = new Uint32Array(bytes.buffer)
    const slab = { first: this.#slabs.length * grains, bytes, words, used: 0, free: grains }
    this.#slabs.push(slab)
    return slab
  }

  #pack(slab: Slab): void {
    const { first, words, used } = slab
    let to = 0
    for (let from = 0; from < used; ) {
      const head = from * grainWords
      const grains = words[head + grainsWord] as number
      if (words[head + stateWord] !== noState) {
        if (to < from) {
          this.#table[this.#placeOf(words[head + hashWord] as number, first + from)] = first + to + 1
          words.copyWithin(to * grainWords, head, head + grains * grainWords)
        }
        to += grains
      }
      from += grains
    }
    slab.used = to
  }
}
