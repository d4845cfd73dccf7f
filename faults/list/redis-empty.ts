import type { Fault } from '../fault.ts'
import { runLosses } from '../outages.ts'
import { openScene } from '../scene.ts'

export const redisEmpty: Fault = {
  name: 'redis-empty',
  promise:
    'a Redis that comes back empty is filled again from a long history, and no payment waits for that: the policy decides meanwhile',
  // Thousands of records on the log before.
  times: { whole: 100, short: 30 },
  async run({ seed, times }) {
    // Without its file Redis comes back empty. Chunks as large as usual: the history must be decided first.
    const scene = await openScene({
      arrivalTimes: true,
      redis: { appendonly: 'no' },
      env: { WEIR_CHUNK__MAX_RECORDS: '2000' },
    })
    const { kill, restart } = scene.redis
    try {
      return await runLosses(
        scene,
        seed,
        [{ name: 'empty', seconds: 0, take: kill, giveBack: restart }],
        times * 1_000,
      )
    } finally {
      await scene.stop()
    }
  },
}
