import { expect, test } from 'vitest'
import { KeyBytes } from '../../../src/core/key-bytes.ts'
import { PackedStates } from '../../../src/core/packed-states.ts'
import { Random } from '../../../src/core/random.ts'

test.each([1024 * 1024, 4_096])(
  'in slabs of %i bytes, states that come and grow and shrink are what a plain map says',
  (slab) => {
    const random = new Random(1, 1)
    const [states, plain] = [new PackedStates(slab), new Map<string, Buffer>()]
    for (let i = 0; i < 20_000; i++) {
      const key = `key-${Math.floor(random.unit() * 300)}`
      const packed = Buffer.alloc(Math.floor(random.unit() * 1_500), i)
      states.set(key, packed)
      plain.set(key, packed)
      if (i % 1_000 === 0) expect(new Map(states)).toEqual(plain)
    }
    expect(new Map(states)).toEqual(plain)
    expect(states.size).toBe(plain.size)
    expect(new Set(states.keys())).toEqual(new Set(plain.keys()))
    for (const [key, packed] of plain) expect(states.get(key)).toEqual(packed)
    // A head, the key, and a sixteenth more for each state to grow; never as much again.
    const held = [...plain].reduce((sum, [key, { length }]) => sum + key.length + length, 0)
    expect(states.bytes).toBeGreaterThan(held)
    expect(states.bytes).toBeLessThan(2 * held)
  },
)

test('cleared, they are as new, and take what comes after', () => {
  const random = new Random(2, 1)
  const states = new PackedStates(4_096)
  for (let round = 0; round < 20; round++) {
    const plain = new Map<string, Buffer>()
    for (let i = 0; i < 500; i++) {
      const key = `key-${Math.floor(random.unit() * 300)}`
      const packed = Buffer.alloc(Math.floor(random.unit() * 1_500), round + i)
      states.set(key, packed)
      plain.set(key, packed)
    }
    expect(new Map(states)).toEqual(plain)
    // More than it has, a few slabs, none.
    states.clear([1e9, 10_000, 0][round % 3] as number)
    expect([states.size, states.bytes, ...states]).toEqual([0, 0])
    for (const key of plain.keys()) expect(states.get(key)).toBeUndefined()
  }
})

test('keys are told apart to the last unit, whatever they are written in', () => {
  const states = new PackedStates()
  const keys = [
    '',
    'a',
    'b',
    'ab',
    'ba',
    'aa',
    'ÿ',
    'ÿ\0',
    'Ā',
    '\0',
    '\0\0',
    '字',
    '\ud83d',
    '\ud83d\ude00',
    '\ufffd',
  ]
  keys.push(...keys.map((key) => `${key}${'x'.repeat(5_000)}`))
  for (const [i, key] of keys.entries()) states.set(key, Buffer.from([i]))
  for (const [i, key] of keys.entries()) expect(states.get(key)).toEqual(Buffer.from([i]))
  expect([...states.keys()].sort()).toEqual([...keys].sort())
  expect(states.get('c')).toBeUndefined()
  expect(states.size).toBe(keys.length)
})

test('keys with one hash are told apart', () => {
  const keys = ['k3581143343', 'k15012174', 'k1589527731', 'k872830652']
  const hashes = keys.map((key) => {
    const bytes = new KeyBytes()
    bytes.set(key)
    return bytes.hash
  })
  expect([hashes[0], hashes[2]]).toEqual([hashes[1], hashes[3]])
  const states = new PackedStates()
  for (const [i, key] of keys.entries()) states.set(key, Buffer.from([i]))
  for (const [i, key] of keys.entries()) expect(states.get(key)).toEqual(Buffer.from([i]))
})

test('a table that widens loses nothing', () => {
  const states = new PackedStates()
  for (let i = 0; i < 100_000; i++) states.set(`k${i}`, Buffer.from([i % 251]))
  expect(states.size).toBe(100_000)
  for (let i = 0; i < 100_000; i++) if (states.get(`k${i}`)?.[0] !== i % 251) expect.fail(`k${i}`)
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

test('states that grow one after the other leave little behind', () => {
  const states = new PackedStates()
  const slabs = () => new Set([...states].map(([, { buffer }]) => buffer)).size
  for (let length = 100; length <= 1_300; length += 48) {
    for (let i = 0; i < 10_000; i++) states.set(`c-${i}`, Buffer.alloc(length, i))
  }
  // 13 million bytes, a head and a sixteenth for each, an eighth: 16 slabs.
  expect(slabs()).toBeLessThanOrEqual(16)
  for (let i = 0; i < 10_000; i++)
    if (states.get(`c-${i}`)?.every((byte) => byte === i % 256) !== true) expect.fail()
})

test('a state that is longer than any is refused, and the one before it stays', () => {
  const states = new PackedStates().set('a', Buffer.from([1]))
  expect(() => states.set('a', Buffer.alloc(1_000_000))).toThrow('more than is ever kept')
  expect(states.get('a')).toEqual(Buffer.from([1]))
  expect(states.set('long', Buffer.alloc(300_000, 7)).get('long')).toEqual(Buffer.alloc(300_000, 7))
})
