/** Of a tree. A package of 200 trees of 15 leaves met some 150, each of 100 bytes, in rows that somebody asked about. */
const mostKnown = 512
/** Twice as many, and a power of two. */
const places = 1024

/** What a tree contributed to earlier rows, by the sides that they took at its splits. Of so many only; then anew. */
export class KnownContributions {
  /** Of one row behind those of another. */
  values = new Float64Array(0)
  readonly #columns: number
  /** Open addressing with linear probing: sides, and 1 + which row's, or 0. */
  readonly #sides = new Int32Array(places)
  readonly #rows = new Uint16Array(places)
  #size = 0

  /** @param columns of a row. */
  constructor(columns: number) {
    this.#columns = columns
  }

  /** @returns where in `values` the row's begin; -1 when they are not known. */
  find(sides: number): number {
    const row = this.#rows[this.#placeOf(sides)] as number
    return row === 0 ? -1 : (row - 1) * this.#columns
  }

  /** @param sides negative: not to be found again. @returns where in `values` they begin. */
  remember(sides: number, own: Float64Array): number {
    if (this.#size === mostKnown) this.#forget()
    const at = this.#size * this.#columns
    if (at === this.values.length) this.#grow()
    this.values.set(own, at)
    if (sides < 0) return at
    const place = this.#placeOf(sides)
    this.#sides[place] = sides
    this.#rows[place] = ++this.#size
    return at
  }

  #placeOf(sides: number): number {
    // The upper bits of a product hang together with all bits of the number.
    let place = Math.imul(sides, 0x9e3779b1) >>> 22
    while (this.#rows[place] !== 0 && this.#sides[place] !== sides) place = (place + 1) & (places - 1)
    return place
  }

  #grow(): void {
    const before = this.values
    this.values = new Float64Array(Math.max(8 * this.#columns, before.length * 2))
    this.values.set(before)
  }

  #forget(): void {
    this.#rows.fill(0)
    this.#size = 0
  }
}
