const shortest = 13

/** Finds known card numbers in any bytes, however their digits are separated. */
export class CardSearch {
  /** By their first digits. */
  readonly #numbers = new Map<string, string[]>()
  /** Bytes that were looked at. */
  bytes = 0

  constructor(numbers: Iterable<string>) {
    for (const number of numbers) {
      const first = number.slice(0, shortest)
      this.#numbers.set(first, [...(this.#numbers.get(first) ?? []), number])
    }
  }

  /** The numbers in it. All that is no digit is left out first, so that nothing between digits hides a number. */
  in(text: string | Buffer | null): string[] {
    const characters = text === null ? '' : typeof text === 'string' ? text : text.toString('latin1')
    this.bytes += characters.length
    const digits = characters.replace(/\D+/g, '')
    const found: string[] = []
    for (let at = 0; at + shortest <= digits.length; at++) {
      for (const number of this.#numbers.get(digits.slice(at, at + shortest)) ?? []) {
        if (digits.startsWith(number, at)) found.push(number)
      }
    }
    return found
  }
}
