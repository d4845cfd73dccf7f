import { setTimeout as sleep } from 'node:timers/promises'
import { Breaches, breachesOf, type Fault } from '../fault.ts'
import { MemberProcess } from '../member-process.ts'
import { judge, openScene, settle, startFeed } from '../scene.ts'

const expiry = {
  'transactional.id.expiration.ms': '4000',
  'transaction.remove.expired.transaction.cleanup.interval.ms': '1000',
  'producer.id.expiration.ms': '4000',
  'producer.id.expiration.check.interval.ms': '1000',
}

/** As a lane is lost that finds its id forgotten (INVALID_PRODUCER_ID_MAPPING). */
const lost = /"cause":"[^"]*producer id which is not currently assigned[^"]*"\},"message":"lane lost/g

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
      const refused = members.reduce((sum, { log }) => sum + (log.match(lost)?.length ?? 0), 0)
      const breaches = new Breaches()
      breaches.must(refused > 0, 'the broker had forgotten no id that was in use: it proved little')
      return {
        injected: times,
        verdict,
        figures: { refused },
        breaches: [...breachesOf(verdict), ...breaches.all],
      }
    } finally {
      await scene.stop()
    }
  },
}
