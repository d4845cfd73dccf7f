import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Fault } from '../fault.ts'
import { readiness } from '../health.ts'
import type { MemberProcess } from '../member-process.ts'
import { type Loss, rate, runLosses } from '../outages.ts'
import { openScene } from '../scene.ts'

const deadlineMs = 500
const says = /gives no answer within/
const standingMs = 1_000_000
const slowMs = deadlineMs + 250

/** Waits until the member names the model in /readyz and its log. */
async function named(member: MemberProcess): Promise<void> {
  for (let left = 100; left > 0; left--) {
    if (says.test(await readiness(member, 'model')) && says.test(member.log)) return
    await sleep(100)
  }
  throw new Error(`/readyz says "${await readiness(member, 'model')}" of the model`)
}

/** Every run of the graph takes longer by `delayMs`, until the file is gone again. */
const lossOf = (name: string, file: string, delayMs: number, seconds: number): Loss => ({
  name,
  seconds,
  leastDegraded: (rate * seconds) / 3,
  async take(members) {
    await writeFile(file, String(delayMs))
    await Promise.all(members.map(named))
  },
  giveBack: () => rm(file),
})

export const modelSlow: Fault = {
  name: 'model-slow',
  promise:
    'while the model stands still or is slower than its deadline every payment is decided in time, by the policy, marked with the reason; afterwards it scores again',
  times: { whole: 60, short: 4 },
  async run({ seed, times }) {
    const dir = await mkdtemp(join(tmpdir(), 'weir-model-'))
    const file = join(dir, 'held')
    const scene = await openScene({
      arrivalTimes: true,
      env: {
        NODE_OPTIONS: `--import=${join(import.meta.dirname, '../held-model.ts')}`,
        WEIR_TEST_HELD_MODEL: file,
        WEIR_MODELS__DEADLINE_MS: String(deadlineMs),
        WEIR_LOG__LEVEL: 'info',
      },
    })
    try {
      const losses = [lossOf('standing', file, standingMs, times), lossOf('slow', file, slowMs, times)]
      return await runLosses(scene, seed, losses)
    } finally {
      await scene.stop()
      await rm(dir, { recursive: true, force: true })
    }
  },
}
