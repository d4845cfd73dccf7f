import { deadLetter } from '../../src/core/dead-letter.ts'
import type { Rejection } from '../../src/core/errors.ts'
import type { LogRecord } from '../../src/core/ports.ts'
import type { Findings } from './findings.ts'
import { markedOffset } from './redriven.ts'

/** The dead letters that were written, by the record they stand for. */
export class DeadLetters {
  /** How many there are; marks of what was put back do not count, nor do declared skips. */
  size = 0
  readonly #skips: { readonly topic: string; readonly partition: number; from: number; to: number }[] = []
  readonly #written = new Map<string, { readonly partition: number; readonly record: LogRecord }[]>()

  constructor(partitions: readonly (readonly LogRecord[])[]) {
    for (const [partition, records] of partitions.entries()) {
      for (const record of records) {
        if (markedOffset(record) !== null) continue
        const [topic = '', from, offset] = ['topic', 'partition', 'offset'].map(
          (name) => record.headers[`__connect.errors.${name}`],
        )
        const to = record.headers['weir-skipped-to']
        if (to !== undefined) {
          this.#skips.push({ topic, partition, from: Number(offset), to: Number(to) })
          continue
        }
        this.size++
        const name = `${topic}-${from}-${offset}`
        this.#written.set(name, [...(this.#written.get(name) ?? []), { partition, record }])
      }
    }
  }

  count(topic: string, partition: number, offset: number): number {
    return this.#written.get(`${topic}-${partition}-${offset}`)?.length ?? 0
  }

  /** What the installation before this one answered must be declared skipped here, and nothing else. */
  checkSkip(
    topic: string,
    partition: number,
    { offset }: LogRecord,
    must: boolean,
    findings: Findings,
  ): void {
    const skips = this.#skips.filter(
      (skip) =>
        skip.topic === topic && skip.partition === partition && skip.from <= offset && offset < skip.to,
    )
    if (skips.length === Number(must)) return
    const name = `${topic}-${partition}-${offset}`
    findings.add('changed', `${name} is declared skipped ${skips.length} times, and must be ${Number(must)}`)
  }

  /** Compares the letter for a record with the one that must have been written, then forgets it. */
  check(
    topic: string,
    partition: number,
    input: LogRecord,
    rejection: Rejection | null,
    findings: Findings,
  ): void {
    const name = `${topic}-${partition}-${input.offset}`
    const written = this.#written.get(name)
    this.#written.delete(name)
    if (written === undefined) return
    if (rejection === null) {
      findings.add('changed', `${name} has a dead letter, but nothing is wrong with it`)
      return
    }
    const wanted = deadLetter('', { topic, partition }, input, rejection)
    for (const { partition: at, record } of written) {
      const same =
        at === partition &&
        String(record.key) === String(wanted.key) &&
        String(record.value?.toString('hex')) === String(wanted.value?.toString('hex')) &&
        record.timestamp === wanted.timestamp &&
        JSON.stringify(sorted(record.headers)) === JSON.stringify(sorted(wanted.headers ?? {}))
      if (!same) findings.add('changed', `the dead letter for ${name} is not what ${rejection.code} makes`)
    }
  }

  /** What no check asked for stands for no record that was refused. */
  checkRest(findings: Findings): void {
    for (const name of this.#written.keys())
      findings.add('doubled', `a dead letter stands for ${name}, which is none`)
  }
}

const sorted = (headers: object) => Object.entries(headers).sort(([a], [b]) => (a < b ? -1 : 1))
