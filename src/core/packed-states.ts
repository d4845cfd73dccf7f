/** Slots have lengths that are multiples of this: a state that grows a little stays where it is. */
const grainBytes = 64
const slabBytes = 1024 * 1024
const slabGrains = slabBytes / grainBytes
/** A place is a number, the grain at which a slot begins times this, and the length of its state. */
const lengthUnit = 2 ** 26

/**
 * Packed states by key, in memory of their own: `set` copies, over the state that was there where the slot suffices. A
 * buffer for each state, as they come, would lie between short-lived ones that hold its memory for as long as it lives,
 * and be larger than many a state. What `get` returns is good until the next `set` of its key.
 */
export class PackedStates {
  readonly #places = new Map<string, number>()
  readonly #slabs: Buffer[] = []
  /** Grains of the last slab that are in use. */
  #used = slabGrains
  /** Slots that are not in use, as grains, by length in grains. */
  readonly #free = new Map<number, number[]>()

  get size(): number {
    return this.#places.size
  }

  keys(): MapIterator<string> {
    return this.#places.keys()
  }

  get(key: string): Buffer | undefined {
    const place = this.#places.get(key)
    return place === undefined ? undefined : this.#view(place)
  }

  set(key: string, packed: Uint8Array): this {
    const { length } = packed
    const held = this.#places.get(key)
    const wanted = grainsOf(length)
    let grain: number
    if (held === undefined) grain = this.#take(wanted)
    else {
      const had = grainsOf(held % lengthUnit)
      grain = Math.floor(held / lengthUnit)
      if (had !== wanted) {
        this.#release(grain, had)
        grain = this.#take(wanted)
      }
    }
    const place = grain * lengthUnit + length
    if (place !== held) this.#places.set(key, place)
    this.#view(place).set(packed)
    return this
  }

  delete(key: string): boolean {
    const held = this.#places.get(key)
    if (held !== undefined) this.#release(Math.floor(held / lengthUnit), grainsOf(held % lengthUnit))
    return this.#places.delete(key)
  }

  *[Symbol.iterator](): Generator<[key: string, packed: Buffer], void, undefined> {
    for (const [key, place] of this.#places) yield [key, this.#view(place)]
  }

  #view(place: number): Buffer {
    const grain = Math.floor(place / lengthUnit)
    const slab = this.#slabs[Math.floor(grain / slabGrains)] as Buffer
    const at = (grain % slabGrains) * grainBytes
    return slab.subarray(at, at + (place % lengthUnit))
  }

  #release(grain: number, grains: number): void {
    const free = this.#free.get(grains)
    if (free === undefined) this.#free.set(grains, [grain])
    else free.push(grain)
  }

  /** @returns the first grain of a slot. */
  #take(grains: number): number {
    const free = this.#free.get(grains)?.pop()
    if (free !== undefined) return free
    if (this.#used + grains > slabGrains) {
      // One that is longer than a slab has a slab of its own.
      this.#slabs.push(Buffer.allocUnsafeSlow(Math.max(slabBytes, grains * grainBytes)))
      this.#used = 0
    }
    const grain = (this.#slabs.length - 1) * slabGrains + this.#used
    this.#used += grains
    return grain
  }
}

/** At least one: an empty state has its place. */
const grainsOf = (length: number): number => Math.max(1, Math.ceil(length / grainBytes))
