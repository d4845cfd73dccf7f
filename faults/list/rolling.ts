import type { Fault } from '../fault.ts'
import { changeUnderLoad } from '../group.ts'
import { say } from '../scene.ts'

export const rolling: Fault = {
  name: 'rolling',
  promise:
    'a rolling restart of all members doubles nothing, no partition is idle longer than session timeout + 2 s, and each stop ends with 0 within 5 s',
  times: { whole: 20, short: 1 },
  run: (order) =>
    changeUnderLoad(order, async (group) => {
      await Promise.all([group.join(), group.join(), group.join()])
      for (let round = 0; round < order.times; round++) {
        for (let i = group.size; i > 0; i--) {
          await group.leave(0)
          await group.join()
        }
        say(`${round + 1} of ${order.times} restarts of all`)
      }
    }),
}
