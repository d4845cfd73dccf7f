import { expect, test } from 'vitest'
import { PackedStates } from '../../../src/core/packed-states.ts'
import { Random } from '../../../src/core/random.ts'

test('states that come and grow and shrink are what a plain map says', () => {
  const random = new Random(1, 1)
  const [states, plain] = [new PackedStates(), new Map<string, Buffer>()]
  for (let i = 0; i < 20_000; i++) {
    const key = `key-${Math.floor(random.unit() * 300)}`
    const packed = Buffer.alloc(Math.floor(random.unit() * 1_500), i)
    states.set(key, packed)
    plain.set(key, packed)
    if (i % 1_000 === 0) expect([...states]).toEqual([...plain])
  }
  expect([...states]).toEqual([...plain])
})

test('a state is copied: whoever made it may use its bytes again', () => {
  const states = new PackedStates()
  const packed = Buffer.from([1, 2, 3])
  states.set('a', packed)
  packed.fill(0)
  expect(states.get('a')).toEqual(Buffer.from([1, 2, 3]))
})

test('states of changing lengths share a few slabs', () => {
  const states = new PackedStates()
  for (let i = 0; i < 50_000; i++) states.set(`key-${i % 100}`, Buffer.alloc(64 + (i % 1_000)))
  const slabs = new Set([...states].map(([, { buffer }]) => buffer))
  expect(slabs.size).toBeLessThanOrEqual(2)
})

test('a state longer than a slab has its own memory', () => {
  const states = new PackedStates()
  const long = Buffer.alloc(3 * 1024 * 1024, 7)
  states
    .set('long', long)
    .set('empty', Buffer.alloc(0))
    .set('short', Buffer.from([1]))
  expect(states.get('long')?.equals(long)).toBe(true)
  expect(states.get('empty')).toHaveLength(0)
  expect(states.get('short')).toEqual(Buffer.from([1]))
})
