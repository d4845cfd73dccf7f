/** Slots have lengths that are multiples of this: a state that grows a little stays where it is. */
const grainBytes = 64
const slabBytes = 1024 * 1024

/**
 * Packed states by key, in memory of their own: `set` copies, over the state that was there where the slot suffices. A
 * buffer for each state, as they come, would lie between short-lived ones that hold its memory for as long as it lives.
 * What `get` returns is good until the next `set` of its key.
 */
export class PackedStates extends Map<string, Buffer> {
  #slab = Buffer.alloc(0)
  /** Slots that are not in use, by length. */
  readonly #free = new Map<number, Buffer[]>()

  override set(key: string, packed: Buffer): this {
    const held = this.get(key)
    if (held?.length === packed.length) {
      held.set(packed)
      return this
    }
    const slot = this.#slotFor(packed.length, held)
    slot.set(packed)
    return super.set(key, slot)
  }

  #slotFor(length: number, held: Buffer | undefined): Buffer {
    const wanted = slotLength(length)
    if (held === undefined) return this.#take(wanted).subarray(0, length)
    const slot = Buffer.from(held.buffer, held.byteOffset, slotLength(held.length))
    if (slot.length === wanted) return slot.subarray(0, length)
    const free = this.#free.get(slot.length)
    if (free === undefined) this.#free.set(slot.length, [slot])
    else free.push(slot)
    return this.#take(wanted).subarray(0, length)
  }

  #take(length: number): Buffer {
    const free = this.#free.get(length)?.pop()
    if (free !== undefined) return free
    if (length > this.#slab.length) this.#slab = Buffer.allocUnsafeSlow(Math.max(slabBytes, length))
    const slot = this.#slab.subarray(0, length)
    this.#slab = this.#slab.subarray(length)
    return slot
  }
}

const slotLength = (length: number): number => Math.ceil(length / grainBytes) * grainBytes
