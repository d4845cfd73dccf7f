import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createCachedStore } from '../../../src/adapters/cached-store.ts'
import { createMemoryStore } from '../../../src/adapters/memory-store.ts'
import { WeirError } from '../../../src/core/errors.ts'
import type { StateStore } from '../../../src/core/ports.ts'
import { fates, faultyStore } from '../stream/faulty.ts'

const lane = { kind: 'e', partition: 0 } as const
const bytes = (text: string) => Buffer.from(text)
const texts = (states: readonly (Buffer | null)[]) => states.map((state) => state?.toString() ?? null)

/** A store and what was asked of it. */
function watched(store: StateStore): StateStore & { asked: string[] } {
  const asked: string[] = []
  return {
    ...store,
    asked,
    read(id, token, watermark, keys) {
      asked.push(...keys)
      return store.read(id, token, watermark, keys)
    },
    peek(id, keys) {
      asked.push(...keys)
      return store.peek(id, keys)
    },
  }
}

describe('a cached store', () => {
  test('asks for a state once, and peeks without asking for it', async () => {
    const store = watched(createMemoryStore())
    const cached = createCachedStore(store, 10_000)
    await cached.acquire(lane, 'a')
    await cached.write(lane, 'a', { from: null, to: 1 }, [['x', bytes('1')]])
    expect(texts(await cached.read(lane, 'a', 1, ['x', 'new']))).toEqual(['1', null])
    expect(texts(await cached.peek(lane, ['x']))).toEqual(['1'])
    expect(store.asked).toEqual(['new'])
  })

  test('serves nothing remembered once another has taken the lane over', async () => {
    const store = createMemoryStore()
    const [mine, theirs] = [createCachedStore(store, 10_000), createCachedStore(store, 10_000)]
    await mine.acquire(lane, 'a')
    await mine.write(lane, 'a', { from: null, to: 1 }, [['x', bytes('1')]])
    await theirs.acquire(lane, 'b')
    await theirs.write(lane, 'b', { from: 1, to: 2 }, [['x', bytes('2')]])
    expect(texts(await mine.peek(lane, ['x']))).toEqual(['2'])
    await expect(mine.read(lane, 'a', 1, ['x'])).rejects.toMatchObject({ code: 'WEIR_STORE_NOT_OWNER' })
  })

  test('forgets what a write may or may not have changed', async () => {
    const store = createMemoryStore()
    let fate: (typeof fates)[number] = 'ok'
    const cached = createCachedStore(
      faultyStore(store, () => fate),
      10_000,
    )
    await cached.acquire(lane, 'a')
    await cached.write(lane, 'a', { from: null, to: 1 }, [['x', bytes('1')]])
    fate = 'after'
    await expect(cached.write(lane, 'a', { from: 1, to: 2 }, [['x', bytes('2')]])).rejects.toThrow()
    fate = 'ok'
    expect(texts(await cached.peek(lane, ['x']))).toEqual(['2'])
  })

  test('serves no earlier state in the place of one that is too large to be remembered', async () => {
    const store = watched(createMemoryStore())
    const cached = createCachedStore(store, 1_000_000)
    await cached.acquire(lane, 'a')
    await cached.write(lane, 'a', { from: null, to: 1 }, [['x', bytes('small')]])
    await cached.write(lane, 'a', { from: 1, to: 2 }, [['x', Buffer.alloc(100_000, 'l')]])
    const [large] = await cached.read(lane, 'a', 2, ['x'])
    expect(large).toEqual(Buffer.alloc(100_000, 'l'))
    expect(store.asked).toEqual(['x'])
    await cached.write(lane, 'a', { from: 2, to: 3 }, [['x', bytes('again')]])
    expect(texts(await cached.read(lane, 'a', 3, ['x']))).toEqual(['again'])
    expect(store.asked).toEqual(['x'])
  })

  test.each([1_000, 1_000_000])('what was read stays as it was, of %i bytes', async (most) => {
    const cached = createCachedStore(createMemoryStore(), most)
    await cached.acquire(lane, 'a')
    const keys = Array.from({ length: 20 }, (_, i) => `${i}`)
    const statesAt = (to: number) => keys.map((key) => [key, bytes(`${to}-${key}`)] as const)
    await cached.write(lane, 'a', { from: null, to: 0 }, statesAt(0))
    const first = await cached.read(lane, 'a', 0, keys)
    // As long as before: they are written in place.
    for (let to = 1; to < 10; to++) await cached.write(lane, 'a', { from: to - 1, to }, statesAt(to))
    expect(texts(first)).toEqual(keys.map((key) => `0-${key}`))
  })

  test('keeps what was used last within its memory', async () => {
    const store = watched(createMemoryStore())
    const cached = createCachedStore(store, 200)
    await cached.acquire(lane, 'a')
    const states = Array.from({ length: 100 }, (_, i) => [`${i}`, bytes('0123456789')] as const)
    await cached.write(lane, 'a', { from: null, to: 1 }, states)
    await cached.read(lane, 'a', 1, ['99', '0'])
    expect(store.asked).toEqual(['0'])
  })

  test('leaves to a busy lane what the others do not need', async () => {
    const store = watched(createMemoryStore())
    const cached = createCachedStore(store, 8_000)
    const quiet = Array.from({ length: 10 }, (_, i) => ({ kind: 'l', partition: i }) as const)
    for (const one of [lane, ...quiet]) await cached.acquire(one, 'a')
    const keys = Array.from({ length: 60 }, (_, i) => `${i}`)
    const states = keys.map((key) => [key, bytes('0123456789')] as const)
    await cached.write(lane, 'a', { from: null, to: 1 }, states)
    for (const one of quiet) await cached.write(one, 'a', { from: null, to: 1 }, [['x', bytes('1')]])
    await cached.read(lane, 'a', 1, keys)
    expect(store.asked).toEqual([])
  })

  test('answers as the store beneath, whatever two owners do and whatever fails', async () => {
    const step = fc.record({
      who: fc.nat(1),
      does: fc.constantFrom('acquire', 'read', 'write', 'peek' as const),
      keys: fc.subarray(['p', 'q', 'r', 's']),
      fate: fc.oneof({ weight: 4, arbitrary: fc.constant('ok' as const) }, fc.constantFrom(...fates)),
    })
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
        const store = createMemoryStore()
        let fate: (typeof fates)[number] = 'ok'
        const owners = [0, 1].map(() => ({
          cached: createCachedStore(
            faultyStore(store, () => fate),
            // Of four states with their heads, two or three.
            300,
          ),
          token: '',
          watermark: null as number | null,
        }))
        for (const [i, { who, does, keys, fate: next }] of steps.entries()) {
          const owner = owners[who] as (typeof owners)[number]
          const { cached } = owner
          // What a plain store says, before anything is changed.
          const truth = texts(await store.peek(lane, keys))
          fate = next
          try {
            if (does === 'acquire') {
              owner.token = `${who}-${i}`
              owner.watermark = await cached.acquire(lane, owner.token)
            } else if (does === 'write') {
              const states = keys.map((key) => [key, bytes(`${key}${i}`)] as const)
              await cached.write(lane, owner.token, { from: owner.watermark, to: i }, states)
              owner.watermark = i
            } else {
              const call =
                does === 'read'
                  ? cached.read(lane, owner.token, owner.watermark, keys)
                  : cached.peek(lane, keys)
              expect(texts(await call)).toEqual(truth)
            }
          } catch (error) {
            expect(error).toBeInstanceOf(WeirError)
          }
          fate = 'ok'
        }
      }),
      { numRuns: 300 },
    )
  })
})
