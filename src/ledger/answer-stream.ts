import type { Log, LogRecord, TopicPartition } from '../core/ports.ts'
import { type Answer, Answers, startOf } from '../replay/answers.ts'

export interface StreamOptions<T> {
  readonly log: Pick<Log, 'bounds' | 'read'>
  readonly at: TopicPartition
  /** Input offsets from here on are asked for. */
  readonly from: number
  /** The answers among some records. */
  readonly read: (records: readonly LogRecord[]) => Promise<readonly Answer<T>[]>
  /** An answer lies behind one to a later record. */
  readonly onDisorder: (offset: number) => void
  /** An answer to a record that has been gone through: a second one, or one out of order. */
  readonly onLate: (offset: number, value: T) => void
}

/** What one topic of outputs says of an input partition, in the order in which it lies there. */
export class AnswerStream<T> {
  readonly #options: StreamOptions<T>
  /** Up to where the output is read. */
  #end = 0
  /** The latest input offset answered so far. */
  #latest = -1
  readonly answers: Answers<T>
  /** Retention has taken the first of them. Known as soon as something was reached. */
  isCut = false

  constructor(options: StreamOptions<T>) {
    this.#options = options
    this.answers = new Answers(this.#all(), options.from, options.onLate)
  }

  /** What has come since everything was read, or since this was called last. */
  async *later(): AsyncGenerator<readonly Answer<T>[]> {
    const from = this.#end
    this.#end = (await this.#options.log.bounds(this.#options.at)).end
    yield* this.#read(from, this.#end)
  }

  async *#all(): AsyncGenerator<readonly Answer<T>[]> {
    const { log, at, from, read } = this.#options
    const bounds = await log.bounds(at)
    this.isCut = bounds.first > 0
    this.#end = bounds.end
    const start = await startOf(bounds, from, async (offset) => {
      for await (const records of log.read(at, offset, bounds.end)) {
        const [answer] = await read(records)
        if (answer !== undefined) return answer.offset
      }
      return null
    })
    yield* this.#read(start, bounds.end)
  }

  async *#read(from: number, to: number): AsyncGenerator<readonly Answer<T>[]> {
    const { log, at, read, onDisorder } = this.#options
    for await (const records of log.read(at, from, to)) {
      const answers = await read(records)
      for (const { offset } of answers) {
        if (offset < this.#latest) onDisorder(offset)
        else this.#latest = offset
      }
      yield answers
    }
  }
}
