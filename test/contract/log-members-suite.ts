import { afterAll, beforeAll, expect, test } from 'vitest'
import type { RunHandler } from '../../src/core/ports.ts'
import type { LogUnderTest } from './log-suite.ts'

const idle: RunHandler = { onAssigned() {}, onRun: async ({ records }) => (records.at(-1)?.offset ?? -1) + 1 }

/** What Log promises of the members of a group, for any implementation of it. */
export function logMembersSuite(name: string, open: () => Promise<LogUnderTest>): void {
  let opened: LogUnderTest
  beforeAll(async () => {
    opened = await open()
  })
  afterAll(() => opened.log.close())

  test(`${name} counts subscribers as members of their group until they stop`, async () => {
    const { log, createTopic } = opened
    const topic = `members-${process.pid}-${Date.now().toString(36)}`
    const group = `g-${topic}`
    await createTopic(topic, 2)
    expect(await log.members(group)).toBe(0)
    const one = await log.subscribe(group, [topic], idle)
    expect(await log.members(group)).toBe(1)
    const two = await log.subscribe(group, [topic], idle)
    expect(await log.members(group)).toBe(2)
    await Promise.all([one.stop(), two.stop()])
    expect(await log.members(group)).toBe(0)
  })
}
