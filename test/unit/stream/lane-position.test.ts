import { describe, expect, it } from 'vitest'
import { createMemoryStore } from '../../../src/adapters/memory-store.ts'
import { WeirError } from '../../../src/core/errors.ts'
import type { Log } from '../../../src/core/ports.ts'
import { faultyStore } from './faulty.ts'
import { at, expectComplete, group, LaneWorld, offsetsOf, works } from './lane-world.ts'

describe('a position that cannot be', () => {
  it('states ahead of the group are refused: somebody reset the offsets', async () => {
    const world = new LaneWorld(Array(6).fill(true))
    await world.member(works.degradable).finish()
    const writer = await world.log.fence(group, at)
    await writer.commit([], 2)
    const member = world.member(works.degradable)
    expect(await member.deliver(2)).toMatchObject({ code: 'WEIR_LOG_OFFSETS_RESET' })
    expect(await world.answered()).toHaveLength(6)
  })

  const reset = async (world: LaneWorld, to: number) => (await world.log.fence(group, at)).commit([], to)
  /** The log as it is once somebody has deleted the offsets of the group. */
  const withoutOffsets = (log: Log): Log =>
    new Proxy(log, {
      get(target, name) {
        if (name === 'committed') return async () => null
        const member = Reflect.get(target, name)
        return typeof member === 'function' ? member.bind(target) : member
      },
    })
  const noStates = () => createMemoryStore()
  const noStore = (world: LaneWorld) => faultyStore(world.store, () => 'before')

  it.each([
    ['set to the beginning, the states being gone', 0, noStates, 'decided again'],
    ['set to the beginning, the store being away', 0, noStore, 'decided again'],
    ['set back by one', 5, noStates, 'decided again'],
    ['set to the end', 10, (world: LaneWorld) => world.store, 'never be decided'],
    ['set to the end, the states being gone', 10, noStates, 'never be decided'],
    ['set to the end, the store being away', 10, noStore, 'never be decided'],
  ] as const)('offsets that were %s are refused by what was written', async (_, to, storeOf, why) => {
    const world = new LaneWorld(Array(12).fill(true))
    await world.member(works.degradable).deliver(6)
    await reset(world, to)
    const member = world.member(works.degradable, {}, world.log, storeOf(world))
    member.position = to
    const refused = { code: 'WEIR_LOG_OFFSETS_RESET', message: expect.stringContaining(why) }
    expect(await member.deliver(2)).toMatchObject({ ...refused, cure: expect.stringContaining('weir reset') })
    expect(await member.deliver(2)).toMatchObject(refused)
    expect(await world.answered()).toHaveLength(6)
    // Where the outputs stand, the group can go on.
    await reset(world, 6)
    await world.member(works.degradable).finish()
    await expectComplete(world)
  })

  it.each([
    ['as they are', (world: LaneWorld) => world.store],
    ['gone', noStates],
    ['out of reach', noStore],
  ] as const)('offsets that were deleted are refused, the states being %s', async (_, storeOf) => {
    const world = new LaneWorld(Array(10).fill(true))
    await world.member(works.degradable).deliver(6)
    const member = world.member(works.degradable, {}, withoutOffsets(world.log), storeOf(world))
    for (let i = 0; i < 3; i++) {
      expect(await member.deliver(4)).toMatchObject({ code: 'WEIR_LOG_OFFSETS_RESET' })
    }
    expect(await world.answered()).toHaveLength(6)
  })

  it('a group may begin anywhere before it has written anything', async () => {
    const world = new LaneWorld(Array(6).fill(true))
    await reset(world, 4)
    const member = world.member(works.degradable)
    await member.finish()
    expect(offsetsOf(await world.answered())).toEqual([4, 5])
  })

  it('a log that begins after the position is told, not asked again and again', async () => {
    const world = new LaneWorld(Array(10).fill(true))
    let first = 0
    const log: Log = {
      partitions: (topic) => world.log.partitions(topic),
      bounds: async () => ({ first, end: 10 }),
      offsetAt: (...given) => world.log.offsetAt(...given),
      read: (...given) => world.log.read(...given),
      append: (records) => world.log.append(records),
      fence: (...given) => world.log.fence(...given),
      committed: (...given) => world.log.committed(...given),
      members: (...given) => world.log.members(...given),
      subscribe: (name, topics, handler) => world.log.subscribe(name, topics, handler),
      close: async () => {},
    }
    const member = world.member(works.degradable, {}, log)
    await member.deliver(4)
    first = 8
    const outcomes: unknown[] = []
    for (let i = 0; i < 4; i++) {
      member.position = 8
      outcomes.push(await member.deliver(2))
    }
    expect(outcomes.at(-1)).toMatchObject({ code: 'WEIR_LOG_HISTORY_GONE' })
    expect(await world.answered()).toHaveLength(4)
  })

  it('a group ahead of the log is refused: the topic was made anew', async () => {
    const world = new LaneWorld(Array(2).fill(true))
    const writer = await world.log.fence(group, at)
    await writer.commit([], 9)
    const error = await world.member(works.degradable).deliver(2)
    expect(error).toMatchObject({ code: 'WEIR_LOG_OFFSETS_RESET', cure: expect.stringContaining('group') })
    expect(error).toBeInstanceOf(WeirError)
  })
})
