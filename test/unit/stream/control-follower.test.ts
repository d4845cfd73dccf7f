import { describe, expect, it } from 'vitest'
import { createMemoryLog } from '../../../src/adapters/memory-log.ts'
import { loadActiveSet } from '../../../src/apps/active-set.ts'
import { openContracts } from '../../../src/apps/connect.ts'
import { publishChange } from '../../../src/apps/control.ts'
import { createControlReader } from '../../../src/config/control-texts.ts'
import { loadConfig } from '../../../src/config/load.ts'
import { ControlFollower } from '../../../src/stream/control-follower.ts'

const { config } = loadConfig({ file: '/dev/null', env: {} })
const base = await loadActiveSet(config, () => {})
const contracts = await openContracts(config)
const topic = config.topics.control

const open = () => createMemoryLog({ topics: { [topic]: 1 } })
const watch = (log: ReturnType<typeof open>, device: string, more: object = {}) => {
  const change = { op: 'add', list: 'watch', type: 'device', value: device, who: 'ana' }
  const body = JSON.stringify({ changes: [change] })
  return publishChange({ log: log as never, contracts }, config, {
    kind: 'list',
    name: 'lists',
    version: '1',
    author: 'ana',
    body,
    ...more,
  })
}

async function follow(log: ReturnType<typeof open>) {
  const told: unknown[] = []
  const follower = await ControlFollower.open({
    log,
    topic,
    codec: contracts.control,
    reader: createControlReader(base),
    base,
    observer: {
      controlRefused: ({ offset, control }) => told.push(['refused', offset, control]),
      controlFailed: (cause) => told.push(['failed', (cause as { code?: string }).code]),
    },
  })
  return { follower, told }
}

describe('a member that follows the control topic', () => {
  it('reads all of it first, then what has come since, and tells of what it cannot read', async () => {
    const log = open()
    await watch(log, 'd-1')
    await log.append([{ topic, partition: 0, key: 'list', value: Buffer.from('no record of ours') }])
    const { follower, told } = await follow(log)
    expect(follower.active.controlOffset).toBe(2)
    expect(told).toEqual([['refused', 1, null]])
    const before = follower.active
    await watch(log, 'd-2')
    await follower.look()
    expect(follower.state).toMatchObject({ offset: 3, lists: { size: 2 } })
    expect(before).toMatchObject({ controlOffset: 2, lists: { size: 1 } })
  })

  it('decides on as it did, and says so, when the topic is made anew', async () => {
    const log = open()
    await watch(log, 'd-1')
    await watch(log, 'd-2')
    const { follower, told } = await follow(log)
    log.createTopic(topic, 1)
    await watch(log, 'd-3')
    await follower.look()
    expect(told).toEqual([['failed', 'WEIR_LOG_HISTORY_GONE']])
    expect(follower.active).toMatchObject({ controlOffset: 2, lists: { size: 2 } })
  })
})

describe('a change', () => {
  it.each(['author', 'name', 'version', 'comment'])(
    'is not sent with a card number for %s',
    async (field) => {
      const sent = watch(open(), 'd-1', { [field]: '4111 1111 1111 1111' })
      await expect(sent).rejects.toMatchObject({ code: 'WEIR_CONTROL_REFUSED' })
    },
  )
})
