import { WeirError } from '../../../src/core/errors.ts'
import type { Log, StateStore, TransactionalWriter } from '../../../src/core/ports.ts'

/**
 * What becomes of a call. before: it fails, and nothing was done. after: it was done, and its answer is lost.
 * late (commits only): its answer is lost, and it is done at the last possible moment, when the next writer fences.
 */
export const fates = ['ok', 'before', 'after', 'late'] as const
export type Fate = (typeof fates)[number]

const unavailable = (code: 'WEIR_LOG_UNAVAILABLE' | 'WEIR_STORE_UNAVAILABLE') =>
  new WeirError(code, 'by the test', { retriable: true })

/** The log it is given, with fences and commits that fail as told. A writer that is used after it failed is a bug. */
export function faultyLog(log: Log, nextFate: () => Fate): Log {
  let late: (() => Promise<unknown>)[] = []

  function faultyWriter(writer: TransactionalWriter): TransactionalWriter {
    let dead = false
    let isClosed = false
    return {
      async commit(records, nextOffset) {
        // Let go of under its own run.
        if (isClosed) throw unavailable('WEIR_LOG_UNAVAILABLE')
        if (dead) throw new Error('a commit on a writer that has failed')
        const fate = nextFate()
        dead = fate !== 'ok'
        if (fate === 'ok' || fate === 'after') {
          dead = true
          await writer.commit(records, nextOffset)
          dead = fate === 'after'
        }
        if (fate === 'late') late.push(() => writer.commit(records, nextOffset))
        if (dead) throw unavailable('WEIR_LOG_UNAVAILABLE')
      },
      // The client says goodbye; what is under way to the broker arrives all the same.
      close: async () => {
        isClosed = true
      },
    }
  }

  return {
    partitions: (topic) => log.partitions(topic),
    bounds: (at) => log.bounds(at),
    offsetAt: (...given) => log.offsetAt(...given),
    read: (...given) => log.read(...given),
    append: (records) => log.append(records),
    committed: (group, at) => log.committed(group, at),
    members: (group) => log.members(group),
    subscribe: (group, topics, handler) => log.subscribe(group, topics, handler),
    close: () => log.close(),
    async fence(group, at) {
      const fate = nextFate()
      if (fate === 'before') throw unavailable('WEIR_LOG_UNAVAILABLE')
      const arriving = late
      late = []
      for (const commit of arriving) await commit().catch(() => {})
      const writer = await log.fence(group, at)
      if (fate === 'after') throw unavailable('WEIR_LOG_UNAVAILABLE')
      return faultyWriter(writer)
    },
  }
}

/** The store it is given, with calls that fail as told. */
export function faultyStore(store: StateStore, nextFate: () => Fate): StateStore {
  async function call<T>(work: () => Promise<T>): Promise<T> {
    const fate = nextFate()
    if (fate === 'before') throw unavailable('WEIR_STORE_UNAVAILABLE')
    const result = await work()
    if (fate !== 'ok') throw unavailable('WEIR_STORE_UNAVAILABLE')
    return result
  }
  return {
    acquire: (lane, token) => call(() => store.acquire(lane, token)),
    read: (lane, token, watermark, keys) => call(() => store.read(lane, token, watermark, keys)),
    write: (lane, token, move, states) => call(() => store.write(lane, token, move, states)),
    peek: (lane, keys) => call(() => store.peek(lane, keys)),
    watermark: (lane) => call(() => store.watermark(lane)),
    keys: (lane) => store.keys(lane),
    clear: (...given) => call(() => store.clear(...given)),
    close: () => store.close(),
  }
}
