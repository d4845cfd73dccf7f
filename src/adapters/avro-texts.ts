const slotBits = 12
const slots = 2 ** slotBits

/** Bytes. Longer texts are made anew: they hardly ever come again. */
const longest = 32
const slotWords = longest / 4

/**
 * Texts by their UTF-8 bytes. Types, currencies, countries, and the identifiers of the busy come again and again: a
 * text that is here is not made anew, and whoever looks it up in a map afterwards finds its hash computed.
 *
 * A table of a fixed size, where a newer text takes the place of an older one with the same hash. Bytes are compared
 * in words of four; the last word may overlap the one before.
 */
export class AvroTexts {
  readonly #texts: string[] = new Array(slots).fill('')
  readonly #lengths = new Uint8Array(slots)
  readonly #words = new Int32Array(slots * slotWords)

  /**
   * The text of the `length` bytes from `from` on, all of which are there.
   *
   * @param view of the memory of `bytes`.
   */
  read(bytes: Buffer, view: DataView, from: number, length: number): string {
    if (length > longest) return bytes.toString('utf8', from, from + length)
    const last = from + length - 4
    const lastWord = length < 4 ? shortWord(bytes, from, length) : view.getInt32(last, true)
    let hash = length
    for (let at = from; at < last; at += 4) hash = mix(hash ^ view.getInt32(at, true))
    const slot = mix(hash ^ lastWord) >>> (32 - slotBits)

    const words = this.#words
    if (this.#lengths[slot] === length) {
      let word = slot * slotWords
      let at = from
      for (; at < last && words[word] === view.getInt32(at, true); at += 4) word++
      if (at >= last && words[word] === lastWord) return this.#texts[slot] as string
    }
    const text = bytes.toString('utf8', from, from + length)
    let word = slot * slotWords
    for (let at = from; at < last; at += 4) words[word++] = view.getInt32(at, true)
    words[word] = lastWord
    this.#lengths[slot] = length
    this.#texts[slot] = text
    return text
  }
}

/** Less than four bytes as one word. */
function shortWord(bytes: Buffer, from: number, length: number): number {
  let word = 0
  for (let at = from; at < from + length; at++) word = (word << 8) | (bytes[at] as number)
  return word
}

/** Spreads what differs in any bit over the upper bits, where the slot is taken from. */
function mix(word: number): number {
  const spread = Math.imul(word ^ (word >>> 15), 0x85ebca6b)
  return Math.imul(spread ^ (spread >>> 13), 0x9e3779b1)
}
