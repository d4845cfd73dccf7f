/**
 * Objects that are costly to make, used again: what `take` gives is in whatever state it was left. `startOver` takes
 * all of them back at once. A chunk is worked on without an await, so no two chunks can mix.
 */
export class Pool<T> {
  readonly #create: () => T
  readonly #all: T[] = []
  #taken = 0

  constructor(create: () => T) {
    this.#create = create
  }

  take(): T {
    if (this.#taken === this.#all.length) this.#all.push(this.#create())
    return this.#all[this.#taken++] as T
  }

  startOver(): void {
    this.#taken = 0
  }
}
