import { setTimeout as sleep } from 'node:timers/promises'
import { breachesOf, type Fault } from '../fault.ts'
import { MemberProcess } from '../member-process.ts'
import { judge, openScene, settle, startFeed } from '../scene.ts'

const expiry = {
  'transactional.id.expiration.ms': '4000',
  'transaction.remove.expired.transaction.cleanup.interval.ms': '1000',
  'producer.id.expiration.ms': '4000',
  'producer.id.expiration.check.interval.ms': '1000',
}

export const idsExpired: Fault = {
  name: 'ids-expired',
  promise: 'the broker forgets transactional ids that were idle for too long: members fence anew and go on',
  times: { whole: 10, short: 1 },
  async run({ seed, times }) {
    const scene = await openScene({ kafka: expiry })
    try {
      const members = [new MemberProcess(scene.env), new MemberProcess(scene.env)]
      for (let i = 0; i <= times; i++) {
        const feed = startFeed(scene.config, seed + i, 300)
        await sleep(3_000)
        await feed.stop()
        await settle(scene.config)
        // Nothing comes for longer than ids are kept.
        if (i < times) await sleep(7_000)
      }
      await Promise.all(members.map((member) => member.stop()))
      const verdict = await judge(scene.config)
      const forgotten = members.reduce(
        (sum, { log }) => sum + (log.match(/INVALID_PRODUCER_ID_MAPPING/g)?.length ?? 0),
        0,
      )
      return { injected: times, verdict, figures: { refused: forgotten }, breaches: breachesOf(verdict) }
    } finally {
      await scene.stop()
    }
  },
}
