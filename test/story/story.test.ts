import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, inject, test } from 'vitest'
import { Stage } from '../../story/stage.ts'
import { Story } from '../../story/story.ts'
import { storySeed, trafficOf } from '../../story/traffic.ts'

// Some thirty commands, each a process: minutes where a machine is busy.
const longestMs = 600_000

test('the story of npm run story holds, to the last decision', { timeout: longestMs }, async () => {
  const out = mkdtempSync(join(tmpdir(), 'weir-story-'))
  const told: string[] = []
  const stage = await Stage.open({ kafka: inject('kafkaBrokers'), redis: inject('redisUrl') }, (line) =>
    told.push(line),
  )
  try {
    const traffic = trafficOf(storySeed, Date.now())
    const summary = await new Story(stage, traffic, out).tell()
    expect(summary.differ).toBe(0)
    expect(summary.verified).toBe(summary.payments)
    expect(summary.declined_after[0]).toBeGreaterThan(summary.declined_before[0])
    expect(told.filter((line) => /^\n?\d\. /.test(line))).toHaveLength(7)
  } finally {
    await stage.close()
    rmSync(out, { recursive: true })
  }
})
