import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Log, LogRecord, NewRecord, Run, RunHandler, TopicPartition } from '../../src/core/ports.ts'

/** What the suite needs of an implementation. */
export interface LogUnderTest {
  readonly log: Log
  createTopic(topic: string, partitions: number): Promise<void>
}

const fenced = expect.objectContaining({ code: 'WEIR_LOG_FENCED' })

function records(topic: string, partition: number, ...values: (string | number)[]): NewRecord[] {
  return values.map((value) => ({ topic, partition, key: null, value: Buffer.from(String(value)) }))
}

function valuesOf(runs: readonly Run[], at?: Partial<TopicPartition>): string[] {
  return runs
    .filter(
      ({ topic, partition }) => topic === (at?.topic ?? topic) && partition === (at?.partition ?? partition),
    )
    .flatMap((run) => run.records.map(({ value }) => String(value)))
}

/** The offset after a run: what a handler answers to go on. */
function nextOf(run: Run): number {
  return (run.records.at(-1)?.offset ?? 0) + 1
}

/** Keeps what it is given and goes on. */
function collector(): RunHandler & { runs: Run[]; assignments: TopicPartition[][] } {
  const runs: Run[] = []
  const assignments: TopicPartition[][] = []
  return {
    runs,
    assignments,
    onAssigned: (partitions) => assignments.push([...partitions]),
    async onRun(run) {
      runs.push(run)
      return nextOf(run)
    },
  }
}

/** Every promise of the Log port, for any implementation of it. */
export function logSuite(name: string, open: () => Promise<LogUnderTest>): void {
  describe(`${name} keeps the promises of Log`, () => {
    let log: Log
    let createTopic: LogUnderTest['createTopic']
    let count = 0
    const unique = `t${process.pid}-${Date.now().toString(36)}`

    beforeAll(async () => {
      const opened = await open()
      log = opened.log
      createTopic = opened.createTopic
    })
    afterAll(() => log.close())

    async function fresh(partitions = 1): Promise<{ topic: string; group: string }> {
      const topic = `${unique}-${++count}`
      await createTopic(topic, partitions)
      return { topic, group: `g-${topic}` }
    }

    /** All that a new group can read. */
    async function readAll(topic: string): Promise<string[]> {
      const reader = collector()
      const subscription = await log.subscribe(`reader-${++count}-${unique}`, [topic], reader)
      await subscription.idle()
      await subscription.stop()
      return valuesOf(reader.runs)
    }

    async function range(at: TopicPartition, from: number, to: number): Promise<LogRecord[]> {
      const found: LogRecord[] = []
      for await (const records of log.read(at, from, to)) found.push(...records)
      return found
    }

    describe('topics', () => {
      test('partitions are counted; an unknown topic is refused', async () => {
        const { topic } = await fresh(3)
        expect(await log.partitions(topic)).toBe(3)
        await expect(log.partitions(`${topic}-no`)).rejects.toMatchObject({ code: 'WEIR_LOG_TOPIC' })
      })

      test('records for a partition that does not exist are refused, not dropped', async () => {
        const { topic } = await fresh(2)
        await expect(log.append(records(topic, 2, 'a'))).rejects.toMatchObject({ code: 'WEIR_LOG_TOPIC' })
        await expect(log.append(records(`${topic}-no`, 0, 'a'))).rejects.toMatchObject({
          code: 'WEIR_LOG_TOPIC',
        })
      })

      test('bounds are the first readable offset and the one after the last record', async () => {
        const { topic } = await fresh(2)
        expect(await log.bounds({ topic, partition: 1 })).toEqual({ first: 0, end: 0 })
        await log.append(records(topic, 1, 'a', 'b', 'c'))
        expect(await log.bounds({ topic, partition: 1 })).toEqual({ first: 0, end: 3 })
        expect(await log.bounds({ topic, partition: 0 })).toEqual({ first: 0, end: 0 })
      })
    })

    describe('append and subscribe', () => {
      test('records keep key, value, headers and timestamp', async () => {
        const { topic, group } = await fresh()
        const before = Date.now()
        await log.append([
          { topic, partition: 0, key: 'k', value: Buffer.from([0, 1, 255]), timestamp: 1_700_000_000_123 },
          { topic, partition: 0, key: Buffer.from('b'), value: null, headers: { a: 'é', b: '' } },
        ])
        const reader = collector()
        const subscription = await log.subscribe(group, [topic], reader)
        await subscription.idle()
        await subscription.stop()
        const both = reader.runs.flatMap((run) => run.records)
        expect(await range({ topic, partition: 0 }, 0, 2)).toEqual(both)
        const [first, second] = both
        expect(first).toMatchObject({
          offset: 0,
          timestamp: 1_700_000_000_123,
          key: Buffer.from('k'),
          value: Buffer.from([0, 1, 255]),
          headers: {},
        })
        expect(second).toMatchObject({
          offset: 1,
          key: Buffer.from('b'),
          value: null,
          headers: { a: 'é', b: '' },
        })
        expect(second?.timestamp).toBeGreaterThanOrEqual(before - 1_000)
        expect(second?.timestamp).toBeLessThanOrEqual(Date.now() + 1_000)
      })

      test('each partition is read in order, from the first, without a gap or an overlap', async () => {
        const { topic, group } = await fresh(3)
        const all = Array.from({ length: 5_000 }, (_, i) => i)
        for (const partition of [0, 1, 2]) await log.append(records(topic, partition, ...all))
        const reader = collector()
        const subscription = await log.subscribe(group, [topic], reader)
        await subscription.idle()
        await subscription.stop()
        for (const partition of [0, 1, 2]) {
          expect(valuesOf(reader.runs, { partition })).toEqual(all.map(String))
          let expected = 0
          for (const run of reader.runs.filter((other) => other.partition === partition)) {
            expect(run.from).toBe(expected)
            expect(run.records.length).toBeLessThanOrEqual(2_000)
            expected = nextOf(run)
          }
        }
      })

      test('records appended later are delivered, and idle waits for them', async () => {
        const { topic, group } = await fresh()
        const reader = collector()
        const subscription = await log.subscribe(group, [topic], reader)
        await subscription.idle()
        expect(reader.runs).toEqual([])
        await log.append(records(topic, 0, 'a'))
        await subscription.idle()
        await log.append(records(topic, 0, 'b'))
        await subscription.idle()
        expect(valuesOf(reader.runs)).toEqual(['a', 'b'])
        await subscription.stop()
      })

      test('onAssigned tells the partitions before the first run', async () => {
        const { topic, group } = await fresh(2)
        await log.append(records(topic, 0, 'a'))
        let assignedAtFirstRun = -1
        const reader = collector()
        const subscription = await log.subscribe(group, [topic], {
          onAssigned: reader.onAssigned,
          async onRun(run) {
            if (assignedAtFirstRun < 0) assignedAtFirstRun = reader.assignments.length
            return nextOf(run)
          },
        })
        await subscription.idle()
        expect(assignedAtFirstRun).toBe(1)
        expect(reader.assignments[0]?.toSorted((a, b) => a.partition - b.partition)).toEqual([
          { topic, partition: 0 },
          { topic, partition: 1 },
        ])
        await subscription.stop()
      })

      test('idle includes what handlers produced to subscribed topics', async () => {
        const { topic, group } = await fresh()
        const { topic: next } = await fresh()
        await log.append(records(topic, 0, ...Array.from({ length: 10 }, (_, i) => i)))
        const runs: Run[] = []
        const subscription = await log.subscribe(group, [topic, next], {
          onAssigned() {},
          async onRun(run) {
            if (run.topic === topic)
              await log.append(records(next, 0, ...run.records.map(({ offset }) => offset)))
            await sleep(20)
            runs.push(run)
            return nextOf(run)
          },
        })
        await subscription.idle()
        expect(valuesOf(runs, { topic: next })).toHaveLength(10)
        await subscription.stop()
      })

      test('stop waits for the running handler and may be called again', async () => {
        const { topic, group } = await fresh()
        await log.append(records(topic, 0, 'a'))
        const started = Promise.withResolvers<void>()
        let finished = false
        const subscription = await log.subscribe(group, [topic], {
          onAssigned() {},
          async onRun(run) {
            started.resolve()
            await sleep(200)
            finished = true
            return nextOf(run)
          },
        })
        await started.promise
        await subscription.stop()
        expect(finished).toBe(true)
        await subscription.stop()
      })
    })

    describe('read and offsetAt', () => {
      const timed = (topic: string, ...times: number[]): NewRecord[] =>
        times.map((timestamp) => ({
          topic,
          partition: 1,
          key: 'k',
          value: Buffer.from(`${timestamp}`),
          timestamp,
        }))

      test('a range is read in order, bounded on both sides, as often as one likes', async () => {
        const { topic } = await fresh(2)
        const at = { topic, partition: 1 }
        await log.append(records(topic, 1, ...Array.from({ length: 5_000 }, (_, i) => i)))
        for (const [from, to] of [
          [0, 5_000],
          [17, 4_321],
          [17, 4_321],
          [4_999, 9_999],
        ] as const) {
          const found = await range(at, from, to)
          expect(found.map(({ offset }) => offset)).toEqual(
            Array.from({ length: Math.min(to, 5_000) - from }, (_, i) => from + i),
          )
          expect(found.every(({ offset, value }) => String(value) === String(offset))).toBe(true)
        }
        expect(await range(at, 5_000, 9_999)).toEqual([])
        expect(await range({ topic, partition: 0 }, 0, 10)).toEqual([])
      })

      test('what is appended while a range is read is not part of it', async () => {
        const { topic } = await fresh()
        await log.append(records(topic, 0, 'a', 'b'))
        const seen: string[] = []
        for await (const found of log.read({ topic, partition: 0 }, 0, Number.POSITIVE_INFINITY)) {
          seen.push(...found.map(({ value }) => String(value)))
          await log.append(records(topic, 0, 'later'))
        }
        expect(seen).toEqual(['a', 'b'])
      })

      test('committed records only, and gaps between them are no matter', async () => {
        const { topic, group } = await fresh()
        const { topic: output } = await fresh()
        const at = { topic, partition: 0 }
        const old = await log.fence(group, at)
        for (let i = 0; i < 5; i++) await old.commit(records(output, 0, i), i + 1)
        const successor = await log.fence(group, at)
        await expect(old.commit(records(output, 0, 'zombie'), 9)).rejects.toEqual(fenced)
        await successor.commit(records(output, 0, 'after'), 9)
        await successor.close()
        await (await log.fence(group, at)).close()
        const found = await range({ topic: output, partition: 0 }, 0, Number.POSITIVE_INFINITY)
        expect(found.map(({ value }) => String(value))).toEqual(['0', '1', '2', '3', '4', 'after'])
        const [third] = found.slice(2) as [LogRecord]
        const rest = await range({ topic: output, partition: 0 }, third.offset + 1, Number.POSITIVE_INFINITY)
        expect(rest).toEqual(found.slice(3))
      })

      test('offsetAt is the first offset at a time or later, the end when there is none', async () => {
        const { topic } = await fresh(2)
        const at = { topic, partition: 1 }
        expect(await log.offsetAt(at, 1_000)).toBe(0)
        await log.append(timed(topic, 1_000, 2_000, 2_000, 3_000))
        const asked = [0, 1_000, 1_001, 2_000, 3_000, 3_001]
        expect(await Promise.all(asked.map((time) => log.offsetAt(at, time)))).toEqual([0, 0, 1, 1, 3, 4])
      })

      test('an unknown topic or partition is refused', async () => {
        const { topic } = await fresh(2)
        const unknown = { code: 'WEIR_LOG_TOPIC' }
        await expect(range({ topic, partition: 2 }, 0, 1)).rejects.toMatchObject(unknown)
        await expect(range({ topic: `${topic}-no`, partition: 0 }, 0, 1)).rejects.toMatchObject(unknown)
        await expect(log.offsetAt({ topic, partition: 2 }, 0)).rejects.toMatchObject(unknown)
      })
    })

    describe('the answer of a handler', () => {
      test('a rejection delivers from the same place again, and skips nothing', async () => {
        const { topic, group } = await fresh(2)
        await log.append(records(topic, 0, 'a', 'b'))
        await log.append(records(topic, 1, 'c'))
        const reader = collector()
        let failures = 0
        const froms: number[] = []
        const subscription = await log.subscribe(group, [topic], {
          onAssigned() {},
          async onRun(run, heartbeat) {
            await heartbeat()
            if (run.partition === 0) froms.push(run.from)
            if (run.partition === 0 && failures++ < 2) throw new Error('not now')
            return reader.onRun(run, heartbeat)
          },
        })
        await subscription.idle()
        await subscription.stop()
        expect(valuesOf(reader.runs, { partition: 0 })).toEqual(['a', 'b'])
        expect(valuesOf(reader.runs, { partition: 1 })).toEqual(['c'])
        expect(froms).toEqual([0, 0, 0])
      })

      test('a handler jumps back and forth by its answer', async () => {
        const { topic, group } = await fresh()
        await log.append(records(topic, 0, 0, 1, 2, 3, 4, 5))
        const seen: number[] = []
        const answers = [4, 1, 6]
        const subscription = await log.subscribe(group, [topic], {
          onAssigned() {},
          async onRun(run) {
            seen.push(run.from)
            expect(run.records[0]?.offset).toBe(run.from)
            return answers.shift() ?? nextOf(run)
          },
        })
        await subscription.idle()
        await subscription.stop()
        expect(seen).toEqual([0, 4, 1])
      })
    })

    describe('transactions', () => {
      test('records and position become visible together', async () => {
        const { topic, group } = await fresh()
        const { topic: output } = await fresh(2)
        await log.append(records(topic, 0, ...Array.from({ length: 42 }, (_, i) => i)))
        const at = { topic, partition: 0 }
        const writer = await log.fence(group, at)
        expect(await log.committed(group, at)).toBeNull()
        await writer.commit([...records(output, 0, 'a', 'b'), ...records(output, 1, 'c')], 42)
        await writer.commit([], 43)
        await writer.close()
        const successor = await log.fence(group, at)
        expect(await log.committed(group, at)).toBe(43)
        await successor.close()
        expect((await readAll(output)).toSorted()).toEqual(['a', 'b', 'c'])
      })

      test('commits one after another lose and double nothing, and gaps between them are no matter', async () => {
        const { topic, group } = await fresh()
        const { topic: output } = await fresh()
        const writer = await log.fence(group, { topic, partition: 0 })
        const reader = collector()
        const subscription = await log.subscribe(`${group}-out`, [output], reader)
        for (let i = 0; i < 30; i++) await writer.commit(records(output, 0, i), i + 1)
        await writer.close()
        // Kafka shows a commit a moment after it was answered; a successor is let in only then.
        await (await log.fence(group, { topic, partition: 0 })).close()
        await subscription.idle()
        await subscription.stop()
        expect(valuesOf(reader.runs)).toEqual(Array.from({ length: 30 }, (_, i) => String(i)))
        let expected = 0
        for (const run of reader.runs) {
          expect(run.from).toBe(expected)
          expect(run.records[0]?.offset).toBeGreaterThanOrEqual(run.from)
          expected = nextOf(run)
        }
      })

      test('a group starts at its committed offset', async () => {
        const { topic, group } = await fresh()
        await log.append(records(topic, 0, 'a', 'b', 'c'))
        const writer = await log.fence(group, { topic, partition: 0 })
        await writer.commit([], 2)
        await writer.close()
        const reader = collector()
        const subscription = await log.subscribe(group, [topic], reader)
        await subscription.idle()
        await subscription.stop()
        expect(reader.runs).toHaveLength(1)
        expect(reader.runs[0]?.from).toBe(2)
        expect(valuesOf(reader.runs)).toEqual(['c'])
      })

      test('after a new fence the earlier writer can never commit, and its records are never seen', async () => {
        const { topic, group } = await fresh()
        const { topic: output } = await fresh()
        const at = { topic, partition: 0 }
        const old = await log.fence(group, at)
        await old.commit(records(output, 0, 'before'), 1)
        const successor = await log.fence(group, at)
        await expect(old.commit(records(output, 0, 'zombie'), 2)).rejects.toEqual(fenced)
        await successor.commit(records(output, 0, 'after'), 5)
        await expect(old.commit(records(output, 0, 'zombie'), 9)).rejects.toThrow()
        expect(await log.committed(group, at)).toBe(5)
        expect(await readAll(output)).toEqual(['before', 'after'])
        await old.close()
        await successor.close()
      })

      test('fences of other groups, topics and partitions do not touch a writer', async () => {
        const { topic, group } = await fresh(2)
        const { topic: output } = await fresh()
        const writer = await log.fence(group, { topic, partition: 0 })
        const others = await Promise.all([
          log.fence(group, { topic, partition: 1 }),
          log.fence(`${group}-2`, { topic, partition: 0 }),
          log.fence(group, { topic: output, partition: 0 }),
        ])
        await writer.commit(records(output, 0, 'mine'), 1)
        await Promise.all([writer, ...others].map((other) => other.close()))
        expect(await readAll(output)).toEqual(['mine'])
      })

      test('a writer is dead after a rejection, and after close', async () => {
        const { topic, group } = await fresh()
        const { topic: output } = await fresh()
        const at = { topic, partition: 0 }
        const failed = await log.fence(group, at)
        await expect(failed.commit(records(output, 7, 'nowhere'), 1)).rejects.toMatchObject({
          code: 'WEIR_LOG_TOPIC',
        })
        await expect(failed.commit(records(output, 0, 'late'), 1)).rejects.toThrow()
        await failed.close()
        const closed = await log.fence(group, at)
        await closed.close()
        await closed.close()
        await expect(closed.commit(records(output, 0, 'late'), 1)).rejects.toThrow()
        expect(await log.committed(group, at)).toBeNull()
        expect(await readAll(output)).toEqual([])
      })
    })

    describe('two subscribers', () => {
      test('are counted as members until they stop', async () => {
        const { topic, group } = await fresh(2)
        expect(await log.members(group)).toBe(0)
        const one = await log.subscribe(group, [topic], collector())
        expect(await log.members(group)).toBe(1)
        const two = await log.subscribe(group, [topic], collector())
        expect(await log.members(group)).toBe(2)
        await Promise.all([one.stop(), two.stop()])
        expect(await log.members(group)).toBe(0)
      })

      test('share the partitions, never handle one at the same time, and lose nothing on a change', async () => {
        const { topic, group } = await fresh(4)
        const busy = new Map<number, number>()
        const overlaps: number[] = []
        const seen = new Set<string>()
        const writers = new Map<number, number>()
        const member = (id: number): RunHandler & { mine: number[] } => {
          const mine: number[] = []
          return {
            mine,
            onAssigned(partitions) {
              mine.splice(0, mine.length, ...partitions.map(({ partition }) => partition))
            },
            async onRun(run) {
              if (busy.has(run.partition)) overlaps.push(run.partition)
              busy.set(run.partition, id)
              await sleep(10)
              for (const { offset } of run.records) seen.add(`${run.partition}:${offset}`)
              writers.set(run.partition, id)
              busy.delete(run.partition)
              return nextOf(run)
            },
          }
        }
        const all = Array.from({ length: 50 }, (_, i) => i)
        const first = member(1)
        const one = await log.subscribe(group, [topic], first)
        for (const partition of [0, 1, 2, 3]) await log.append(records(topic, partition, ...all))
        const second = member(2)
        const two = await log.subscribe(group, [topic], second)
        while (`${first.mine.length} ${second.mine.length}` !== '2 2') await sleep(20)
        expect([...first.mine, ...second.mine].toSorted()).toEqual([0, 1, 2, 3])
        for (const partition of [0, 1, 2, 3]) await log.append(records(topic, partition, ...all))
        await Promise.all([one.idle(), two.idle()])
        expect(new Set(writers.values())).toEqual(new Set([1, 2]))
        await one.stop()
        while (second.mine.length < 4) await sleep(20)
        for (const partition of [0, 1, 2, 3]) await log.append(records(topic, partition, ...all))
        await two.idle()
        await two.stop()
        expect(overlaps).toEqual([])
        expect(seen.size).toBe(4 * 150)
      })
    })
  })
}
