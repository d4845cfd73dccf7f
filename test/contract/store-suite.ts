import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { WeirError } from '../../src/core/errors.ts'
import type { LaneId, StateStore } from '../../src/core/ports.ts'

const notOwner = expect.objectContaining({ code: 'WEIR_STORE_NOT_OWNER' })

let lastPartition = 0

/** A lane that no other test has used. */
function freshLane(): LaneId {
  return { kind: 't', partition: lastPartition++ }
}

/** Every promise of the StateStore port, for any implementation of it. */
export function storeSuite(name: string, open: () => Promise<StateStore>): void {
  describe(`${name} keeps the promises of StateStore`, () => {
    let store: StateStore
    beforeAll(async () => {
      store = await open()
    })
    afterAll(() => store.close())

    test('an empty lane has no watermark and no states', async () => {
      const lane = freshLane()
      expect(await store.acquire(lane, 'a')).toBeNull()
      expect(await store.peek(lane, ['x'])).toEqual([null])
    })

    test('the first write starts from null and sets the watermark', async () => {
      const lane = freshLane()
      await store.acquire(lane, 'a')
      await store.write(lane, 'a', { from: null, to: 7 }, [['x', Buffer.from('one')]])
      expect(await store.acquire(lane, 'b')).toBe(7)
    })

    test('states come back by key, in the order asked, null where there is none', async () => {
      const lane = freshLane()
      const binary = Buffer.from([0, 255, 10, 13, 128, 0])
      await store.acquire(lane, 'a')
      await store.write(lane, 'a', { from: null, to: 1 }, [
        ['x', binary],
        ['y', Buffer.alloc(0)],
        ['zwölf:{}', Buffer.from('z')],
      ])
      const states = await store.read(lane, 'a', 1, ['zwölf:{}', 'nobody', 'x', 'y', 'x'])
      expect(states).toEqual([Buffer.from('z'), null, binary, Buffer.alloc(0), binary])
      expect(await store.peek(lane, ['y', 'nobody'])).toEqual([Buffer.alloc(0), null])
    })

    test.each([1, 99, 100, 101, 199, 200, 250])('a write of %i states is whole', async (count) => {
      const lane = freshLane()
      await store.acquire(lane, 'a')
      const states = Array.from({ length: count }, (_, i) => [`s${i}`, Buffer.from(`state ${i}`)] as const)
      await store.write(lane, 'a', { from: null, to: 1 }, states)
      const found = await store.read(
        lane,
        'a',
        1,
        states.map(([key]) => key),
      )
      expect(found).toEqual(states.map(([, state]) => state))
    })

    test('a lane that is cleared holds nothing, and the others what they held', async () => {
      const [lane, other] = [freshLane(), freshLane()]
      const states = Array.from({ length: 2_500 }, (_, i) => [`s${i}`, Buffer.of(1)] as const)
      for (const one of [lane, other]) {
        await store.acquire(one, 'a')
        await store.write(one, 'a', { from: null, to: 7 }, states)
      }
      await store.clear(lane)
      expect(await store.watermark(lane)).toBeNull()
      expect(await store.peek(lane, ['s0', 's2499'])).toEqual([null, null])
      for await (const keys of store.keys(lane)) expect(keys).toEqual([])
      const gone = { code: 'WEIR_STORE_GONE' }
      await expect(store.write(lane, 'a', { from: 7, to: 9 }, [])).rejects.toMatchObject(gone)
      expect(await store.acquire(lane, 'c')).toBeNull()
      expect(await store.acquire(other, 'c')).toBe(7)
      expect(await store.peek(other, ['s2499'])).toEqual([Buffer.of(1)])
    })

    test('no keys and no states are fine', async () => {
      const lane = freshLane()
      await store.acquire(lane, 'a')
      await store.write(lane, 'a', { from: null, to: 3 }, [])
      expect(await store.read(lane, 'a', 3, [])).toEqual([])
      expect(await store.peek(lane, [])).toEqual([])
    })

    test('after a takeover the earlier owner can neither read nor write', async () => {
      const lane = freshLane()
      await store.acquire(lane, 'a')
      await store.write(lane, 'a', { from: null, to: 1 }, [['x', Buffer.from('old')]])
      await store.acquire(lane, 'b')
      await expect(store.read(lane, 'a', 1, ['x'])).rejects.toEqual(notOwner)
      await expect(store.write(lane, 'a', { from: 1, to: 2 }, [['x', Buffer.from('new')]])).rejects.toEqual(
        notOwner,
      )
      expect(await store.read(lane, 'b', 1, ['x'])).toEqual([Buffer.from('old')])
    })

    test('a write from another watermark changes nothing', async () => {
      const lane = freshLane()
      await store.acquire(lane, 'a')
      await store.write(lane, 'a', { from: null, to: 5 }, [['x', Buffer.from('old')]])
      for (const from of [null, 4, 6]) {
        await expect(store.write(lane, 'a', { from, to: 9 }, [['x', Buffer.from('new')]])).rejects.toEqual(
          notOwner,
        )
      }
      await expect(store.read(lane, 'a', 9, ['x'])).rejects.toEqual(notOwner)
      expect(await store.read(lane, 'a', 5, ['x'])).toEqual([Buffer.from('old')])
    })

    test('lanes of other kinds and partitions are strangers', async () => {
      const { partition } = freshLane()
      await store.acquire({ kind: 't', partition }, 'a')
      await store.write({ kind: 't', partition }, 'a', { from: null, to: 1 }, [['x', Buffer.from('t')]])
      expect(await store.acquire({ kind: 'e', partition }, 'a')).toBeNull()
      expect(await store.peek({ kind: 'l', partition }, ['x'])).toEqual([null])
      expect(await store.peek(freshLane(), ['x'])).toEqual([null])
    })

    test('anybody can ask for watermark and keys of a lane, and nobody loses it by that', async () => {
      const lane = freshLane()
      expect(await store.watermark(lane)).toBeNull()
      expect(await keysOf(lane)).toEqual([])
      const names = Array.from({ length: 3_000 }, (_, i) => `c[${i}]*?`)
      await store.acquire(lane, 'a')
      const states = names.map((name) => [name, Buffer.from(name)] as const)
      await store.write(lane, 'a', { from: null, to: -5 }, states)
      await store.acquire({ kind: 'e', partition: lane.partition }, 'a')
      await store.write({ kind: 'e', partition: lane.partition }, 'a', { from: null, to: 1 }, [
        ['other', Buffer.from('x')],
      ])
      expect(await store.watermark(lane)).toBe(-5)
      expect(await keysOf(lane)).toEqual(names.toSorted())
      expect(await store.read(lane, 'a', -5, ['c[7]*?'])).toEqual([Buffer.from('c[7]*?')])
    })

    const keysOf = async (lane: LaneId): Promise<string[]> => {
      const found = new Set<string>()
      for await (const keys of store.keys(lane)) for (const key of keys) found.add(key)
      return [...found].sort()
    }

    test('a full chunk of large states is written and read whole', async () => {
      const lane = freshLane()
      const states = Array.from(
        { length: 2_000 },
        (_, i) => [`customer-${i}`, Buffer.alloc(1_024, i)] as const,
      )
      await store.acquire(lane, 'a')
      await store.write(lane, 'a', { from: null, to: 2_000 }, states)
      const read = await store.read(
        lane,
        'a',
        2_000,
        states.map(([key]) => key),
      )
      expect(read.every((state, i) => state?.equals(states[i]?.[1] as Buffer))).toBe(true)
    })

    test('of many racing owners exactly one wins each step', async () => {
      const lane = freshLane()
      await store.acquire(lane, 'a')
      const racing = Array.from({ length: 20 }, (_, i) =>
        store.write(lane, 'a', { from: null, to: i + 1 }, [['x', Buffer.from(String(i + 1))]]),
      )
      const won = (await Promise.allSettled(racing)).flatMap(({ status }, i) =>
        status === 'fulfilled' ? [i + 1] : [],
      )
      expect(won).toHaveLength(1)
      expect(await store.read(lane, 'a', won[0] as number, ['x'])).toEqual([Buffer.from(String(won[0]))])
    })

    test('a lane that nobody has is gone, which is retriable; lost ownership is not', async () => {
      const lane = freshLane()
      const error = await store.read(lane, 'nobody', 0, ['x']).catch((reason) => reason)
      expect(error).toBeInstanceOf(WeirError)
      expect(error).toMatchObject({ code: 'WEIR_STORE_GONE', retriable: true })
      await expect(store.write(lane, 'nobody', { from: null, to: 1 }, [])).rejects.toMatchObject({
        code: 'WEIR_STORE_GONE',
      })
      await store.acquire(lane, 'a')
      await expect(store.read(lane, 'nobody', null, ['x'])).rejects.toMatchObject({ retriable: false })
    })
  })
}
