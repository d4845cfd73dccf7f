import { beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import { createMemoryLog } from '../../../src/adapters/memory-log.ts'
import { createMemoryStore } from '../../../src/adapters/memory-store.ts'
import { WeirError } from '../../../src/core/errors.ts'
import { laneKeys } from '../../../src/core/lane-keys.ts'
import type { StateStore, Subscription } from '../../../src/core/ports.ts'
import { Lane, type LaneObserver, type LaneOptions } from '../../../src/stream/lane.ts'
import { Member } from '../../../src/stream/member.ts'
import { QuietLanes } from '../../../src/stream/quiet-lanes.ts'
import { at, group, id, works } from './lane-world.ts'

let log: ReturnType<typeof createMemoryLog>
let store: StateStore
let fences: number
let seconds: number
let losesWrites: boolean
/** What a restore from the changelog waits for before it begins, and in its midst. */
let opened: Promise<void>
let restored: Promise<void>
let join: (changelog: LaneOptions['changelog']) => Promise<void>
let member: Member
let subscription: Subscription
let quiet: QuietLanes
beforeEach(async () => {
  log = createMemoryLog({ topics: { in: 1, out: 1, features: 1 }, maxRunRecords: 3 })
  store = createMemoryStore()
  fences = 0
  seconds = 0
  losesWrites = false
  opened = Promise.resolve()
  restored = Promise.resolve()
  const read = log.read.bind(log)
  log.read = async function* (from, ...given) {
    if (from.topic === 'features') await opened
    yield* read(from, ...given)
  }
  const forgetful: StateStore = {
    ...store,
    async write(...given) {
      if (losesWrites) throw new WeirError('WEIR_STORE_UNAVAILABLE', 'by the test', { retriable: true })
      await store.write(...given)
      if (given[2].to === Number.MIN_SAFE_INTEGER) await restored
    },
    acquire: (...given) => store.acquire(...given),
    read: (...given) => store.read(...given),
    watermark: (...given) => store.watermark(...given),
  }
  let tokens = 0
  const newToken = () => String(tokens++)
  const now = () => seconds
  const observer: LaneObserver = {
    reached(_, step) {
      if (step === 'fenced') fences++
    },
  }
  // One answer a payment, in order.
  const answered = async () => ({
    next: (await answers()) || null,
    decisionsGone: false,
    lettersGone: false,
  })
  const shared = {
    group,
    topic: at.topic,
    work: works.degradable,
    newToken,
    now,
    observer,
    answered,
  }
  join = async (changelog) => {
    await subscription?.stop()
    member = new Member(() => new Lane({ ...shared, changelog, id, log, store: forgetful }), now)
    subscription = await log.subscribe(group, [at.topic], member)
    quiet = new QuietLanes({ member, subscription, log, store: forgetful })
  }
  await join(null)
})

async function pay(count: number): Promise<void> {
  seconds += 2
  await log.append(Array.from({ length: count }, () => ({ ...at, key: 'a', value: Buffer.from('x') })))
  await subscription.idle()
}

async function look(): Promise<void> {
  seconds += 5
  await quiet.look()
  await subscription.idle()
}

const answers = async () => (await log.bounds({ topic: 'out', partition: 0 })).end

describe('a lane that gets no record', () => {
  it('is made whole when its last write was lost, without another answer', async () => {
    await pay(4)
    losesWrites = true
    await pay(2)
    losesWrites = false
    expect(await store.watermark(id)).toBe(4)
    await look()
    expect(await store.watermark(id)).toBe(4)
    await look()
    expect(await store.watermark(id)).toBe(6)
    expect(member.lanes()[0]?.state).toBe('running')
    expect(await answers()).toBe(6)
  })

  it('is made whole when the store lost everything', async () => {
    await pay(8)
    const [whole] = await store.peek(id, ['a'])
    Object.assign(store, createMemoryStore())
    await look()
    await look()
    expect(await store.watermark(id)).toBe(8)
    expect(await store.peek(id, ['a'])).toEqual([whole])
    expect(await answers()).toBe(8)
  })

  it('is restored from the changelog when a member died while it did that', async () => {
    await join({ topic: 'features', keys: laneKeys('test', id) })
    await pay(4)
    const [whole] = await store.peek(id, ['a'])
    Object.assign(store, createMemoryStore())
    await store.acquire(id, 'dead')
    await store.write(id, 'dead', { from: null, to: Number.MIN_SAFE_INTEGER }, [['b', Buffer.from('half')]])
    await look()
    await look()
    expect(await store.watermark(id)).toBe(4)
    expect(await store.peek(id, ['a'])).toEqual([whole])
    expect(await answers()).toBe(4)
  })

  it.each([
    ['is about to restore', null],
    ['restores', Number.MIN_SAFE_INTEGER],
  ])('is left alone while this member %s it, however long that takes', async (_, watermark) => {
    await join({ topic: 'features', keys: laneKeys('test', id) })
    await pay(4)
    Object.assign(store, createMemoryStore())
    const finish = Promise.withResolvers<void>()
    onTestFinished(() => finish.resolve())
    if (watermark === null) opened = finish.promise
    else restored = finish.promise
    await quiet.look()
    await quiet.look()
    await expect.poll(() => member.quietLanes()).toEqual([])
    await expect.poll(() => store.watermark(id)).toBe(watermark)
    const before = fences
    for (let i = 0; i < 3; i++) await quiet.look()
    finish.resolve()
    await subscription.idle()
    expect(await store.watermark(id)).toBe(4)
    const mirrored = () => log.bounds({ topic: 'features', partition: 0 })
    const { end } = await mirrored()
    await pay(2)
    expect(fences).toBe(before)
    expect((await mirrored()).end).toBeGreaterThan(end)
  })

  it('is left alone while nothing is missing, or the store loads a snapshot', async () => {
    await pay(4)
    for (let i = 0; i < 3; i++) await look()
    await store.acquire(id, 'loader')
    await store.write(id, 'loader', { from: 4, to: -1 }, [])
    for (let i = 0; i < 3; i++) await look()
    expect(fences).toBe(1)
  })
})

it('a lane that moves between two looks is left alone', async () => {
  losesWrites = true
  for (let i = 0; i < 4; i++) {
    await pay(1)
    await look()
  }
  expect(fences).toBe(1)
  expect(await answers()).toBe(4)
})
