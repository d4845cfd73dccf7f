import { setTimeout as sleep } from 'node:timers/promises'
import { Random } from '../../src/core/random.ts'
import type { Fault } from '../fault.ts'
import { changeUnderLoad } from '../group.ts'
import { say } from '../scene.ts'

const changes = ['join', 'leave', 'kill'] as const

/** 50 of them in five minutes. */
const everyMs = 6_000
const [fewest, most] = [2, 4]

function nextChange(members: number, random: Random): (typeof changes)[number] {
  if (members <= fewest) return 'join'
  return members >= most ? random.pick(['leave', 'kill'] as const) : random.pick(changes)
}

export const membership: Fault = {
  name: 'membership',
  promise:
    'members that join, leave and die all the time double nothing, and no partition is idle longer than session timeout + 2 s',
  times: { whole: 50, short: 6 },
  run: (order) =>
    changeUnderLoad(order, async (group) => {
      const random = new Random(order.seed, 1)
      await Promise.all([group.join(), group.join(), group.join()])
      for (let i = 0; i < order.times; i++) {
        const rest = sleep(everyMs)
        const change = nextChange(group.size, random)
        say(`${change}, of ${group.size} members`)
        if (change === 'join') await group.join()
        else await group[change](random.below(group.size))
        await rest
      }
    }),
}
