import type { Weights } from './resamples.ts'

/** A sum by customer; customers with 0 are left out. */
export interface Quantity {
  readonly customers: Int32Array
  readonly sums: Float64Array
}

/** The quantity in a resample. */
export function total({ customers, sums }: Quantity, weights: Weights): number {
  let sum = 0
  for (let i = 0; i < customers.length; i++) {
    sum += (weights[customers[i] as number] as number) * (sums[i] as number)
  }
  return sum
}

/** Counts each customer of a quantity once: all, or those for whom the condition holds. */
export function accounts(
  { customers }: Quantity,
  holds: (customer: number) => boolean = () => true,
): Quantity {
  const held = customers.filter(holds)
  return { customers: held, sums: new Float64Array(held.length).fill(1) }
}

/** Adds up by customer. Holds two numbers a customer between calls, so that one adder serves many. */
export class Adder {
  readonly #customer: Int32Array
  readonly #sums: Float64Array
  readonly #touched: Int32Array

  /** @param customer of each row. */
  constructor(customer: Int32Array, customers: number) {
    this.#customer = customer
    this.#sums = new Float64Array(customers)
    this.#touched = new Int32Array(customers)
  }

  /** Rows of each customer. */
  count(rows: Int32Array): Quantity {
    return this.add(rows, () => 1)
  }

  /** @param of what a row adds: never negative. */
  add(rows: Int32Array, of: (row: number) => number): Quantity {
    const [customer, sums, touched] = [this.#customer, this.#sums, this.#touched]
    let length = 0
    for (let i = 0; i < rows.length; i++) {
      const value = of(rows[i] as number)
      if (value === 0) continue
      const who = customer[rows[i] as number] as number
      const before = sums[who] as number
      if (before === 0) touched[length++] = who
      sums[who] = before + value
    }
    const customers = touched.slice(0, length)
    const added = new Float64Array(length)
    for (let i = 0; i < length; i++) {
      const who = customers[i] as number
      added[i] = sums[who] as number
      sums[who] = 0
    }
    return { customers, sums: added }
  }
}
