import { beforeEach, expect, test } from 'vitest'
import { Member } from '../../../src/stream/member.ts'
import { at, type LaneMember, LaneWorld, works } from './lane-world.ts'

/** The log says so when it is written to, or the store before. */
const isTaken = { code: expect.stringMatching(/^WEIR_(LOG_FENCED|STORE_NOT_OWNER)$/) }

let world: LaneWorld
let member: Member
let rival: LaneMember

/** Hands the member the next two records of the partition. */
const run = (from: number) =>
  member.onRun({ ...at, from, records: world.records.slice(from, from + 2) }, async () => {})

beforeEach(async () => {
  world = new LaneWorld(new Array<boolean>(12).fill(true))
  const { lane } = world.member(works.patient)
  member = new Member(
    () => lane,
    () => 0,
  )
  member.onAssigned([at])
  expect(await run(0)).toBe(2)
  rival = world.member(works.patient)
  while (rival.position < 4) await rival.deliver(2)
})

test('what another has taken is not taken back without a word of the group', async () => {
  await expect(run(2)).rejects.toMatchObject(isTaken)
  member.restart()
  await new Promise(setImmediate)
  expect(await rival.deliver(2)).toBeNull()
})

test('what the group gave back meanwhile is taken, with or without a record', async () => {
  const fenced = run(2)
  member.onAssigned([at])
  await expect(fenced).rejects.toMatchObject(isTaken)
  member.restart()
  await new Promise(setImmediate)
  expect(await rival.deliver(2)).toMatchObject(isTaken)
})
