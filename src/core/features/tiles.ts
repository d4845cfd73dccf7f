/** A tier: windows that are cut into tiles of the same length, kept as far back as the longest needs. */
export interface Tier {
  /** Length of a tile, milliseconds. */
  readonly tileMs: number
  /** Tiles kept. */
  readonly tiles: number
}

/**
 * The tiles of one tier in ascending order, empty ones left out. Tile number i covers event times
 * [i * tileMs, (i + 1) * tileMs). A tile is kept while it is among the last `tiles` up to the newest ever seen, so
 * what is kept does not depend on the order in which events were added.
 */
export class Tiles {
  readonly tileMs: number
  readonly capacity: number
  /** Tiles present: entries [0, size) of the columns below. */
  size = 0
  readonly index: Uint32Array
  readonly count: Int32Array
  /** Further columns, each its owner's: sums, squares, maxima. New tiles start at 0. */
  readonly columns: readonly Float64Array[]

  constructor(tier: Tier, columns: number) {
    this.tileMs = tier.tileMs
    this.capacity = tier.tiles
    const { tiles } = tier
    // One piece of memory: thousands of states are open at a time, and what lies together is read together.
    const memory = new ArrayBuffer(tiles * (columns + 1) * 8)
    this.columns = Array.from({ length: columns }, (_, i) => new Float64Array(memory, i * tiles * 8, tiles))
    this.index = new Uint32Array(memory, columns * tiles * 8, tiles)
    this.count = new Int32Array(memory, (columns * 2 + 1) * tiles * 4, tiles)
  }

  /** Place of the tile that `time` falls into, made if need be; -1 when it is too old to be kept. */
  at(time: number): number {
    const tile = Math.floor(time / this.tileMs)
    if (this.size > 0 && tile <= (this.index[this.size - 1] as number) - this.capacity) return -1
    let place = this.size
    while (place > 0 && (this.index[place - 1] as number) > tile) place--
    if (place > 0 && this.index[place - 1] === tile) return place - 1
    return this.#insert(place, tile)
  }

  /** First place that a window of `tiles` tiles ending with the tile of `time` covers. */
  from(time: number, tiles: number): number {
    const oldest = Math.floor(time / this.tileMs) - tiles
    let place = this.size
    while (place > 0 && (this.index[place - 1] as number) > oldest) place--
    return place
  }

  /** Place after the last tile that is not newer than the tile of `time`. */
  to(time: number): number {
    const newest = Math.floor(time / this.tileMs)
    let place = this.size
    while (place > 0 && (this.index[place - 1] as number) > newest) place--
    return place
  }

  #insert(place: number, tile: number): number {
    const newest = Math.max(tile, this.size > 0 ? (this.index[this.size - 1] as number) : tile)
    let dropped = 0
    while (dropped < this.size && (this.index[dropped] as number) <= newest - this.capacity) dropped++
    if (dropped > 0) this.#move(dropped, 0)
    const target = place - dropped
    this.#move(target, target + 1)
    this.index[target] = tile
    this.count[target] = 0
    for (const column of this.columns) column[target] = 0
    return target
  }

  /** Moves the entries from `source` on to `target` and changes the size with them. */
  #move(source: number, target: number): void {
    shift(this.index, source, target, this.size)
    shift(this.count, source, target, this.size)
    for (const column of this.columns) shift(column, source, target, this.size)
    this.size += target - source
  }
}

/** copyWithin(target, source, end), which for columns as short as a state's takes longer than a loop. */
function shift(
  column: Float64Array | Uint32Array | Int32Array,
  source: number,
  target: number,
  end: number,
): void {
  if (target < source) {
    for (let i = source; i < end; i++) column[i + target - source] = column[i] as number
  } else if (target > source) {
    for (let i = end - 1; i >= source; i--) column[i + target - source] = column[i] as number
  }
}
