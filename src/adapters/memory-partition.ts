import type { LogRecord, NewRecord } from '../core/ports.ts'

const noHeaders = Object.freeze({})

/** One partition of the embedded log: its records, less those that were dropped from the front. */
export class MemoryPartition {
  /** Offset of `#records[#start]`, the first readable record. */
  #first = 0
  #start = 0
  #records: LogRecord[] = []

  get first(): number {
    return this.#first
  }

  get end(): number {
    return this.#first + this.#records.length - this.#start
  }

  append(record: NewRecord, now: number): void {
    this.#records.push({
      offset: this.end,
      timestamp: record.timestamp ?? now,
      key: typeof record.key === 'string' ? Buffer.from(record.key) : record.key,
      value: record.value,
      headers: record.headers ?? noHeaders,
    })
  }

  /** At most `limit` records from `offset` on. */
  read(offset: number, limit: number): LogRecord[] {
    const at = this.#start + Math.max(0, offset - this.#first)
    return this.#records.slice(at, at + limit)
  }

  /** Forgets all records before `offset`. Moves the rest rarely, so that a record costs O(1) in all. */
  drop(offset: number): void {
    const count = Math.min(offset, this.end) - this.#first
    if (count <= 0) return
    this.#first += count
    this.#records.fill(undefined as never, this.#start, this.#start + count)
    this.#start += count
    if (this.#start * 2 < this.#records.length) return
    this.#records = this.#records.slice(this.#start)
    this.#start = 0
  }
}
