import { setImmediate } from 'node:timers/promises'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createMemoryStore } from '../../../src/adapters/memory-store.ts'
import { WeirError } from '../../../src/core/errors.ts'
import type { LaneId, StateStore } from '../../../src/core/ports.ts'
import { type Failpoint, failpoints, type LaneObserver, type LaneWork } from '../../../src/stream/lane.ts'
import { type Fate, fates, faultyLog, faultyStore } from './faulty.ts'
import { at, expectComplete, id, LaneWorld, works } from './lane-world.ts'

/** One thing that happens to the partition. */
const step = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      does: fc.constant('deliver'),
      who: fc.nat(1),
      size: fc.integer({ min: 1, max: 5 }),
    }),
  },
  // The group goes back, or on, without being asked: a new generation starts at the committed offset or anywhere.
  { weight: 2, arbitrary: fc.record({ does: fc.constant('jump'), who: fc.nat(1), size: fc.nat(30) }) },
  { weight: 1, arbitrary: fc.record({ does: fc.constant('release'), who: fc.nat(1), size: fc.constant(0) }) },
  // Let go of under its own run, so many turns of the event loop's microtasks after it began.
  {
    weight: 1,
    arbitrary: fc.record({ does: fc.constant('releaseUnder'), who: fc.nat(1), size: fc.nat(80) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ does: fc.constant('steal'), who: fc.constant(0), size: fc.constant(0) }),
  },
  // The store loses everything, or is put back to what it was at the last dump.
  {
    weight: 1,
    arbitrary: fc.record({
      does: fc.constantFrom('lose', 'dump', 'putBack', 'compact'),
      who: fc.constant(0),
      size: fc.constant(0),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      does: fc.constant('wait'),
      who: fc.constant(0),
      size: fc.integer({ min: 1, max: 3 }),
    }),
  },
)
const mostlyOk = fc.oneof(
  { weight: 4, arbitrary: fc.constant<Fate>('ok') },
  { weight: 1, arbitrary: fc.constantFrom(...fates) },
)

const plan = fc.record({
  work: fc.constantFrom('patient' as const, 'degradable' as const),
  kept: fc.array(
    fc.oneof({ weight: 4, arbitrary: fc.constant(true) }, { weight: 1, arbitrary: fc.constant(false) }),
    { minLength: 1, maxLength: 30 },
  ),
  logFates: fc.array(mostlyOk, { maxLength: 40 }),
  storeFates: fc.array(mostlyOk, { maxLength: 60 }),
  steps: fc.array(step, { maxLength: 60 }),
  // Of each member, and of the last: it may have been switched on or off meanwhile.
  changelog: fc.tuple(fc.boolean(), fc.boolean(), fc.boolean()),
  mostAwaited: fc.constantFrom(0, 3, 5_000),
})

/** Does what every kind of lane has in common. */
async function happen(world: LaneWorld, does: string): Promise<void> {
  if (does === 'steal') await world.store.acquire(id, 'thief')
  else if (does === 'lose') world.losable.lose()
  else if (does === 'dump') world.putBack = await world.losable.dump()
  else if (does === 'putBack') await world.putBack()
  else if (does === 'compact') await world.compact()
}

/** A lane may be told these of a world in which it is not alone and calls fail; anything else is a false alarm. */
const expectedCodes = [
  'WEIR_LOG_UNAVAILABLE',
  'WEIR_LOG_FENCED',
  'WEIR_STORE_NOT_OWNER',
  'WEIR_STORE_UNAVAILABLE',
  'WEIR_STORE_GONE',
  // Half restored by another, and without the changelog nothing can be done about it.
  'WEIR_STORE_LOADING',
]

/** Whether a restore broke off, so that only a member with the changelog can go on. */
const isHalfRestored = async ({ store }: LaneWorld) => ((await store.watermark(id)) ?? 0) < 0

describe('a lane', () => {
  it('answers each record once and folds it once, whatever fails and whoever else wants the partition', async () => {
    await fc.assert(
      fc.asyncProperty(plan, async ({ work, kept, logFates, storeFates, steps, changelog, mostAwaited }) => {
        const world = new LaneWorld(kept)
        const pending = { log: [...logFates], store: [...storeFates] }
        const log = faultyLog(world.log, () => pending.log.shift() ?? 'ok')
        const store = faultyStore(world.store, () => pending.store.shift() ?? 'ok')
        const members = [0, 1].map((i) =>
          world.member(works[work], {}, log, store, { hasChangelog: changelog[i] as boolean, mostAwaited }),
        )
        for (const { does, who, size } of steps) {
          const member = members[who] as (typeof members)[number]
          if (does === 'jump') member.position = Math.min(size, kept.length)
          else if (does === 'release') await member.lane.release()
          else if (does === 'wait') world.seconds += size
          else if (does !== 'deliver' && does !== 'releaseUnder') await happen(world, does)
          else {
            const run = member.deliver(does === 'deliver' ? size : 3)
            for (let turn = 0; does === 'releaseUnder' && turn < size; turn++) await null
            if (does === 'releaseUnder') await member.lane.release()
            const error = await run
            if (error !== null) expect(expectedCodes).toContain(error.code)
          }
        }
        pending.log = []
        pending.store = []
        world.seconds += 10
        // The one that is left, on a state that may miss what was decided degraded: its next chunk brings it all back.
        const hasChangelog = changelog[2] || (await isHalfRestored(world))
        const last = world.member(works[work], {}, log, store, { hasChangelog })
        await last.finish()
        await expectComplete(world)
        if (hasChangelog) await expectRestorable(world, works[work])
      }),
      { numRuns: 3_000 },
    )
  })

  it('reaches its steps in order', async () => {
    const world = new LaneWorld(Array(6).fill(true))
    const steps: Failpoint[] = []
    const reached = (_: LaneId, name: Failpoint) => void steps.push(name)
    const member = world.member(works.degradable, { reached })
    await member.deliver(3)
    expect(steps).toEqual([...failpoints])
    await member.deliver(3)
    expect(steps.slice(failpoints.length)).toEqual(failpoints.slice(2))
  })

  it.each(failpoints)(
    'that dies when it has %s leaves the partition whole to the next',
    async (failpoint) => {
      const world = new LaneWorld(Array(12).fill(true))
      let countdown = 2
      // Dying is not failing: what comes after never happens, not even the lane's own cleaning up.
      const { promise: dead, resolve: die } = Promise.withResolvers<void>()
      const observer: LaneObserver = {
        reached: (_, name) => {
          if (name !== failpoint || --countdown > 0) return
          die()
          return new Promise(() => {})
        },
      }
      const victim = world.member(works.degradable, observer)
      if (failpoint === 'fenced' || failpoint === 'acquired') {
        await victim.deliver(4)
        await victim.lane.release()
      }
      await Promise.race([victim.finish(), dead])
      const heir = world.member(works.degradable)
      await heir.finish()
      await expectComplete(world)
    },
  )

  it('that was taken over while the store was away is fenced, and cries no alarm', async () => {
    const world = new LaneWorld(Array(8).fill(true))
    let isAway = false
    const store = faultyStore(world.store, () => (isAway ? 'before' : 'ok'))
    const zombie = world.member(works.degradable, {}, world.log, store)
    await zombie.deliver(2)
    isAway = true
    await zombie.deliver(2)
    const heir = world.member(works.degradable)
    await heir.finish()
    isAway = false
    world.seconds += 2
    expect(await zombie.deliver(2)).toMatchObject({ code: 'WEIR_LOG_FENCED' })
    // Nobody but the group, which delivers again, may have it take the partition back.
    expect(zombie.lane).toMatchObject({ isTaken: true, state: 'acquiring' })
    await zombie.finish()
    expect(zombie.lane.isTaken).toBe(false)
    await expectComplete(world)
  })
})

describe('a lane that only feeds states', () => {
  it('folds each record once, whatever the store does and whoever else wants the partition', async () => {
    await fc.assert(
      fc.asyncProperty(plan, async ({ kept, logFates, storeFates, steps, changelog }) => {
        const world = new LaneWorld(kept)
        const pending = { log: [...logFates], store: [...storeFates] }
        const log = faultyLog(world.log, () => pending.log.shift() ?? 'ok')
        const store = faultyStore(world.store, () => pending.store.shift() ?? 'ok')
        const member = (hasChangelog: boolean | undefined) =>
          hasChangelog
            ? world.member(works.silent, {}, log, store, { hasChangelog: true })
            : world.folder(store)
        const members = [0, 1].map((i) => member(changelog[i]))
        for (const { does, who, size } of steps) {
          const member = members[who] as (typeof members)[number]
          if (does === 'jump') member.position = Math.min(size, kept.length)
          else if (does === 'release') await member.lane.release()
          else if (does !== 'deliver') await happen(world, does)
          else {
            const error = await member.deliver(size)
            if (error !== null) expect(expectedCodes).toContain(error.code)
          }
        }
        pending.log = []
        pending.store = []
        const hasChangelog = changelog[2] || (await isHalfRestored(world))
        await member(hasChangelog).finish()
        const last = world.records.at(-1)?.offset
        const { watermark, states } = await world.stored()
        expect(states).toEqual((await world.expected()).states)
        expect(watermark).toBe(last === undefined ? null : last + 1)
        if (hasChangelog) await expectRestorable(world, works.silent)
      }),
      { numRuns: 2_000 },
    )
  })
})

describe('without the store', () => {
  it('decides degraded, asks for the store once a second, and makes up for it from the log', async () => {
    const world = new LaneWorld(Array(12).fill(true))
    let [isAway, calls] = [false, 0]
    const store = faultyStore(world.store, () => {
      calls++
      return isAway ? 'before' : 'ok'
    })
    const told = { lost: 0, degraded: 0, rebuilt: 0 }
    const observer: LaneObserver = {
      lost: () => void told.lost++,
      degraded: (_, records) => {
        told.degraded += records.length
      },
      rebuilt: (_, records) => {
        told.rebuilt += records
      },
    }
    const member = world.member(works.degradable, observer, world.log, store)
    await member.deliver(2)
    expect(member.lane.state).toBe('running')

    isAway = true
    await member.deliver(2)
    expect(member.lane.state).toBe('degraded')
    const before = calls
    world.seconds += 0.9
    await member.deliver(2)
    expect(calls).toBe(before)
    world.seconds += 0.2
    await member.deliver(2)
    expect(calls).toBe(before + 1)
    expect(told).toEqual({ lost: 2, degraded: 6, rebuilt: 0 })

    isAway = false
    world.seconds += 1.1
    // It is asked again. What it lacks is little: folded in at once.
    await member.deliver(2)
    expect(member.position).toBe(10)
    expect(member.lane.state).toBe('running')
    await member.finish()
    expect(told.rebuilt).toBe(6)
    await expectComplete(world)
    const statuses = (await world.answered()).map((one) => one.split(' ')[1])
    expect(statuses).toEqual([
      ...Array(2).fill('scored'),
      ...Array(6).fill('degraded'),
      ...Array(4).fill('scored'),
    ])
  })

  it('a write that is lost after its commit costs a rebuild, no answer', async () => {
    const world = new LaneWorld(Array(6).fill(true))
    const calls: Fate[] = ['ok', 'ok', 'before']
    const store = faultyStore(world.store, () => calls.shift() ?? 'ok')
    const member = world.member(works.degradable, {}, world.log, store)
    await member.deliver(3)
    expect(member.position).toBe(3)
    expect(await world.store.peek(id, ['a'])).toEqual([null])
    world.seconds += 2
    await member.finish()
    await expectComplete(world)
    expect((await world.answered()).every((one) => one.endsWith('scored'))).toBe(true)
  })

  it('a store too slow for a rebuild holds up no decision', async () => {
    const world = new LaneWorld(Array(30).fill(true))
    // Acquiring is answered; reading is not.
    let isSlow = false
    const store: StateStore = {
      ...world.store,
      async read(...given) {
        if (isSlow) throw new WeirError('WEIR_STORE_UNAVAILABLE', 'too slow', { retriable: true })
        return world.store.read(...given)
      },
    }
    const member = world.member(works.degradable, {}, world.log, store)
    await member.deliver(2)
    isSlow = true
    await member.deliver(2)
    for (let round = 0; round < 4; round++) {
      world.seconds += 1.1
      // It is begun, and fails: degraded until the next attempt.
      for (let i = 0; i < 3; i++) expect(await member.deliver(1)).toBeNull()
    }
    expect((await world.answered()).length).toBeGreaterThan(4)
    isSlow = false
    world.seconds += 1.1
    await member.finish()
    await setImmediate()
    await expectComplete(world)
  })

  it('a long rebuild holds up no decision, and what is decided meanwhile is made up for', async () => {
    const world = new LaneWorld(Array.from({ length: 1_000 }, (_, offset) => offset % 7 !== 3))
    const later = world.records.splice(-12)
    const first = world.member(works.degradable)
    const before = world.records.length
    await first.finish(20)
    // It comes back empty, and so slow that the rebuild is not done before somebody pays.
    Object.assign(world.store, createMemoryStore())
    const { promise, resolve: answer } = Promise.withResolvers<void>()
    const store: StateStore = {
      ...world.store,
      read: async (...given) => promise.then(() => world.store.read(...given)),
    }
    const member = world.member(works.degradable, {}, world.log, store, { mostAwaited: 10 })
    member.position = first.position
    for (const record of later.splice(0, 4)) {
      world.records.push(record)
      expect(await member.deliver(1)).toBeNull()
      expect(member.position).toBe(record.offset + 1)
      expect(member.lane.state).toBe('rebuilding')
    }
    answer()
    await setImmediate()
    world.records.push(...later)
    await member.finish(1)
    expect(member.lane.state).toBe('running')
    await expectComplete(world)
    const statuses = (await world.answered()).map((one) => one.split(' ')[1])
    expect(statuses).toEqual(statuses.map((_, i) => (i < before || i >= before + 4 ? 'scored' : 'degraded')))
  })

  it('what makes a rebuild aside fail is what the next run rejects with; then it begins again', async () => {
    const world = new LaneWorld(Array(1_000).fill(true))
    const later = world.records.splice(-10)
    const first = world.member(works.degradable)
    await first.finish(20)
    Object.assign(world.store, createMemoryStore())
    const { read } = world.log
    world.log.read = async function* (from, ...range) {
      if (from.topic !== at.topic) yield* read.call(world.log, from, ...range)
      else throw new WeirError('WEIR_LOG_HISTORY_GONE', 'by the test')
    }
    const member = world.member(works.degradable, {}, world.log, world.store, { mostAwaited: 10 })
    member.position = first.position
    world.records.push(...later)
    expect(await member.deliver(1)).toBeNull()
    await setImmediate()
    expect(await member.deliver(1)).toMatchObject({ code: 'WEIR_LOG_HISTORY_GONE' })
    world.log.read = read
    await member.deliver(1)
    await setImmediate()
    await member.finish(1)
    await setImmediate()
    await expectComplete(world)
  })

  it('work that cannot do without waits', async () => {
    const world = new LaneWorld(Array(3).fill(true))
    let isAway = true
    const store = faultyStore(world.store, () => (isAway ? 'before' : 'ok'))
    const member = world.member(works.patient, {}, world.log, store)
    expect(await member.deliver(3)).toMatchObject({ code: 'WEIR_STORE_UNAVAILABLE', retriable: true })
    expect(await world.answered()).toEqual([])
    isAway = false
    await member.finish()
    await expectComplete(world)
  })
})

/** A store that loses everything now comes back from the changelog alone. */
async function expectRestorable(world: LaneWorld, work: LaneWork): Promise<void> {
  if (world.records.length === 0) return
  const before = await world.stored()
  world.losable.lose()
  let restored = 0
  const observer: LaneObserver = {
    restored: (_, states) => {
      restored += states
    },
  }
  const rebuild = () => Promise.reject(new Error('the log was read'))
  const member = world.member({ ...work, rebuild }, observer, world.log, world.store, { hasChangelog: true })
  expect(await member.deliver(1)).toBeNull()
  expect(restored).toBeGreaterThan(0)
  expect(await world.stored()).toEqual(before)
}
