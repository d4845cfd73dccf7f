import { WeirError } from '../core/errors.ts'

/** Sees to it that there are rows that can be read: without any the file is another than was meant. */
export class Readable {
  #good = 0
  #bad = 0
  #first: string | undefined

  good(): void {
    this.#good++
  }

  bad(at: string, reason: string): void {
    this.#bad++
    this.#first ??= `${at}: ${reason}`
  }

  /** @throws WeirError WEIR_CLI_INPUT where no row was good. */
  check(where: string, cure: string): void {
    if (this.#good > 0) return
    const what =
      this.#first === undefined
        ? `${where} has no rows`
        : `not one of ${this.#bad} rows can be read; the first, ${this.#first}`
    throw new WeirError('WEIR_CLI_INPUT', what, { cure })
  }
}
