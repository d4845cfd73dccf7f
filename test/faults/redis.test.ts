import { setTimeout as sleep } from 'node:timers/promises'
import { Redis } from 'ioredis'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { MemberProcess } from './member-process.ts'
import { chooseSeed, flawless, judge, openScene, type Scene, settle, startFeed } from './scene.ts'

let scene: Scene
let members: MemberProcess[]
beforeEach(async () => {
  // Without its file Redis comes back empty.
  scene = await openScene({ appendonly: 'no' })
  members = [new MemberProcess(scene.env), new MemberProcess(scene.env)]
})
afterEach(() => scene.stop())

/** Feeds two members, does the damage in the middle and waits until everything is at rest. */
async function underLoad(damage: () => Promise<void>): Promise<void> {
  const feed = startFeed(scene.config, chooseSeed(), 300)
  await Promise.all(members.map((member) => member.step('written')))
  await sleep(3_000)
  await damage()
  await sleep(3_000)
  await Promise.all(members.map((member) => member.step('written')))
  await feed.stop()
  await settle(scene.config)
  await Promise.all(members.map((member) => member.stop()))
}

test('states that somebody deletes come back from the log', async () => {
  await underLoad(async () => {
    const redis = new Redis(scene.config.redis.url)
    await redis.flushall()
    redis.disconnect()
  })
  const verdict = await judge(scene.config)
  expect(verdict).toMatchObject({ ...flawless, degraded: 0 })
})

test('without Redis the policy decides, nothing waits, and the states come back', async () => {
  await underLoad(async () => {
    await scene.redis.kill()
    await sleep(5_000)
    await scene.redis.restart()
  })
  const verdict = await judge(scene.config)
  expect(verdict).toMatchObject(flawless)
  // At 300 records a second, some 1,500 came while it was away. That members write states again is part of the load.
  expect(verdict.degraded).toBeGreaterThan(500)
})
