import type { LogRecord } from '../../src/core/ports.ts'
import type { Decision } from '../../src/core/types.ts'
import type { Evidence } from './evidence.ts'
import { plainAvro } from './plain-avro.ts'

/** What the installation before this one made of a record. */
export interface AnswerBefore {
  /** Where it lay. */
  readonly partition: number
  /** Decisions and dead letters for it. */
  readonly count: number
  readonly status: Decision['status'] | 'refused'
}

const decision = plainAvro<Decision>('decision.avsc')

/** What an installation answered before `weir rekey` moved it, by the header that every moved record has. */
export class Before {
  readonly isNone: boolean
  readonly #answers = new Map<string, AnswerBefore>()
  readonly #labels: Evidence['positions']['l']

  /** @param evidence gathered when the members were stopped and before anything was moved. */
  constructor(evidence: Pick<Evidence, 'records' | 'positions'> | null) {
    this.isNone = evidence === null
    this.#labels = evidence?.positions.l ?? []
    for (const [partition, records] of evidence?.records.decisions.entries() ?? []) {
      for (const { value } of records) {
        const { decision_id, status } = decision.read(value)
        this.#add(decision_id, partition, status)
      }
    }
    for (const [partition, records] of evidence?.records.dead_letters.entries() ?? []) {
      for (const { headers } of records) {
        const [topic, offset] = [headers['__connect.errors.topic'], headers['__connect.errors.offset']]
        this.#add(`${topic}-${partition}-${offset}`, partition, 'refused')
      }
    }
  }

  /** Null for what it did not answer, and for a record that was never there. */
  answerTo({ headers }: LogRecord): AnswerBefore | null {
    return this.#answers.get(headers['weir-rekeyed-from'] ?? '') ?? null
  }

  /** The partition that a label was applied in; null for one that was not. */
  labelledIn({ headers }: LogRecord): number | null {
    const [, partition, offset] = /-(\d+)-(\d+)$/.exec(headers['weir-rekeyed-from'] ?? '') ?? []
    if (partition === undefined) return null
    return Number(offset) < (this.#labels[Number(partition)] ?? 0) ? Number(partition) : null
  }

  #add(place: string, partition: number, status: AnswerBefore['status']): void {
    this.#answers.set(place, { partition, status, count: (this.#answers.get(place)?.count ?? 0) + 1 })
  }
}
