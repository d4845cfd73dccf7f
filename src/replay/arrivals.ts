import { WeirError } from '../core/errors.ts'

/** Payments that come late are part of live traffic; of history that is in order, such a share does not. */
const toleranceMs = 3_600_000
const mostLate = 0.1
/** So many rows of a file, at least, tell before its end that it is out of order. */
const enoughRows = 1_000

interface Place {
  readonly file: string
  readonly line: number
  readonly time: number
}

const textOf = ({ file, line, time }: Place): string =>
  `${file}, line ${line} (${new Date(time).toISOString()})`

/** Watches the event times of files go by: whether they are in order, give or take what comes late. */
export class Arrivals {
  readonly #refuses: boolean
  #latest: Place = { file: '', line: 0, time: Number.NEGATIVE_INFINITY }
  #file = ''
  #rows = 0
  #late = 0
  /** The first late row of the file, and the latest one before it. */
  #first: readonly [Place, Place] | undefined

  /** @param refuses throw where too many rows of a file are late. */
  constructor(refuses: boolean) {
    this.#refuses = refuses
  }

  open(file: string): void {
    this.#file = file
    this.#rows = 0
    this.#late = 0
    this.#first = undefined
  }

  add(line: number, time: number): void {
    this.#rows++
    if (time >= this.#latest.time) this.#latest = { file: this.#file, line, time }
    else if (time < this.#latest.time - toleranceMs) {
      this.#late++
      this.#first ??= [{ file: this.#file, line, time }, this.#latest]
    }
  }

  /** @throws WeirError WEIR_CLI_INPUT where the file is out of order. */
  check(isEnd: boolean): void {
    if (!this.#refuses || this.#late <= this.#rows * mostLate) return
    if (!isEnd && this.#rows < enoughRows) return
    throw new WeirError('WEIR_CLI_INPUT', `the rows are not in the order of their times: ${this.#told()}`, {
      cure: 'give the files in the order of their times; or take --sort, which holds the payments in memory, or --allow-unordered',
    })
  }

  /** Of the file, when it has been read: a sentence about its late rows, if there are any. */
  note(): string | undefined {
    return this.#late === 0 ? undefined : this.#told()
  }

  #told(): string {
    const [late, latest] = this.#first as readonly [Place, Place]
    const count = `${this.#late} of ${this.#rows} rows of ${this.#file}`
    return `${count} lie more than an hour before an earlier row; the first is ${textOf(late)}, after ${textOf(latest)}`
  }
}
