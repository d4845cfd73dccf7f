import { afterAll, beforeAll, expect, test } from 'vitest'
import { MemberProcess } from './member-process.ts'
import { chooseSeed, flawless, judge, openScene, type Scene, settle, startFeed } from './scene.ts'

let scene: Scene
beforeAll(async () => {
  scene = await openScene()
})
afterAll(() => scene.stop())

test('a member that sleeps through its own replacement does nothing when it wakes', async () => {
  const feed = startFeed(scene.config, chooseSeed(), 200)
  // It stops with a chunk worked out and not committed, its other lanes wherever they are.
  const at = { name: 't.worked', count: 20 } as const
  const sleeper = new MemberProcess(scene.env, { at, signal: 'SIGSTOP' })
  await sleeper.stopped()
  const successor = new MemberProcess(scene.env)
  // Once its session has ended all partitions are the successor's, which answers what the sleeper was about to.
  for (let chunks = 0; chunks < 40; chunks++) await successor.step('written')
  sleeper.signal('SIGCONT')
  await sleeper.step('written')
  await feed.stop()
  await settle(scene.config)
  await Promise.all([sleeper.stop(), successor.stop()])

  // It did try to commit, and Kafka refused: else this would prove nothing.
  expect(sleeper.log).toContain('WEIR_LOG_FENCED')
  const verdict = await judge(scene.config)
  expect(verdict).toMatchObject({ ...flawless, degraded: 0 })
})
