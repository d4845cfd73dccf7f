import { describe, expect, it } from 'vitest'
import { progressLine } from '../../../src/cli/output.ts'
import { differences, wantedTopics } from '../../../src/cli/topics.ts'
import { loadConfig } from '../../../src/config/load.ts'

const set = ['topics.partitions=12', 'topics.min_insync_replicas=2', 'topics.replication=3']
const wanted = wantedTopics(loadConfig({ file: '/dev/null', env: {}, set }).config)

describe('the topics', () => {
  it('are all of the configuration, with as many partitions each but control, which has one', () => {
    expect(wanted.map(({ topic, partitions }) => `${topic} ${partitions}`)).toEqual([
      'payments.transactions.v1 12',
      'fraud.labels.v1 12',
      'fraud.control.v1 1',
      'fraud.decisions.v1 12',
      'fraud.alerts.v1 12',
      'fraud.case-actions.v1 12',
      'fraud.dead-letters.v1 12',
      'weir.entity-updates.v1 12',
    ])
  })

  it('have a compacted one of states where it is wanted', () => {
    const named = [...set, 'topics.features=weir.features.v1']
    const features = wantedTopics(loadConfig({ file: '/dev/null', env: {}, set: named }).config).at(-1)
    expect(features).toEqual({
      topic: 'weir.features.v1',
      partitions: 12,
      replication: 3,
      settings: { 'cleanup.policy': 'compact', 'min.insync.replicas': '2', 'segment.bytes': '16777216' },
    })
  })

  it('are right when they are as wanted, or have more copies', () => {
    for (const topic of wanted) expect(differences(topic, { ...topic, replication: 5 })).toEqual([])
  })

  it('are wrong otherwise, and it says how', () => {
    const [topic] = wanted as [(typeof wanted)[0]]
    expect(differences(topic, null)).toEqual(['does not exist'])
    const settings = { ...topic.settings, 'retention.ms': '1000' }
    expect(differences(topic, { ...topic, partitions: 4, replication: 1, settings })).toEqual([
      '4 partitions, not 12',
      '1 copies, not 3',
      'retention.ms is 1000, not -1',
    ])
  })
})

describe('progress', () => {
  it.each<[number, number, number, string]>([
    [12_000, 0.24, 4, '12,000 records, 3,000/s, 13 s left'],
    [12_000, 0, 4, '12,000 records, 3,000/s'],
    [0, 0, 0, '0 records, 0/s'],
  ])('after %i, %d of all, in %i s is a line', (count, fraction, seconds, line) => {
    expect(progressLine('records', count, fraction, seconds)).toBe(line)
  })
})
