import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { createMemoryLog } from '../../../src/adapters/memory-log.ts'
import { loadActiveSet } from '../../../src/apps/active-set.ts'
import { openContracts } from '../../../src/apps/connect.ts'
import { publishChange } from '../../../src/apps/control.ts'
import { sha256 } from '../../../src/config/definitions.ts'
import { loadConfig } from '../../../src/config/load.ts'
import { rulesOf } from '../../../src/config/rules-file.ts'
import { compilePolicy } from '../../../src/core/policy.ts'
import { findAtHand, type Version } from '../../../src/replay/at-hand.ts'
import { ControlHistory } from '../../../src/replay/control-history.ts'

const folder = mkdtempSync(join(tmpdir(), 'weir-history-'))
afterAll(() => rmSync(folder, { recursive: true }))
const rulesText = (version: string) =>
  `version: "${version}"\nrules: [{ id: big, version: 1, when: feature.amount > 500, outcome: review, reason: { code: BIG, text: Big. } }]\n`
const rulesFile = join(folder, 'rules.yaml')
writeFileSync(rulesFile, rulesText('file'))

const { config } = loadConfig({ file: '/dev/null', env: {}, set: [`rules=${rulesFile}`] })
const base = await loadActiveSet(config, () => {})
const contracts = await openContracts(config)
const topic = config.topics.control
const log = createMemoryLog({ topics: { [topic]: 1 } })
const publish = (kind: string, body: string | object) =>
  publishChange({ log: log as never, contracts }, config, {
    kind,
    name: kind,
    version: '1',
    author: 'ana',
    body: typeof body === 'string' ? body : JSON.stringify(body),
  })
const watched = (value: string) => ({
  changes: [{ op: 'add', list: 'watch', type: 'device', value, who: 'ana' }],
})

const wary = { ...base.policy.file, version: 'wary' }
await publish('list', watched('d-1'))
await publish('policy', wary)
await publish('rules', 'version: *nothing')
await publish('rules', rulesText('topic'))
await publish('policy', base.policy.file)
await publish('policy', wary)
await publish('list', watched('d-2'))

const control = await ControlHistory.read(log, topic, contracts.control)
const atHand = await findAtHand(config, { control })
const version = (control_offset: number | null, policy: string, rules: string | null): Version => ({
  feature_hash: base.features.hash,
  model: base.model.id,
  model_sha256: base.model.sha256,
  policy,
  rules,
  control_offset,
})

/** What the set that is found would write into decisions, and how many entries its lists have; or why none is. */
async function found(control_offset: number | null, policy: string, rules: string | null) {
  const one = await atHand.find(version(control_offset, policy, rules))
  if ('missing' in one) return one.missing
  const { active } = one
  const lists = (active.lists as { readonly size: number } | null)?.size ?? 0
  return [active.controlOffset, active.policy.id, active.rules?.id ?? null, lists]
}

describe('what decided at an offset of the control topic', () => {
  const plain = base.policy.id
  const waryId = compilePolicy(wary, base.features, sha256).id
  const ofFile = base.rules?.id as string
  const ofTopic = rulesOf('topic', rulesText('topic'), {
    features: base.features.names,
    parts: base.model.parts,
  }).id

  it('is that of the files, then of the changes, whatever was asked for before', async () => {
    const wanted: [number, string, string, number][] = [
      [7, waryId, ofTopic, 2],
      [0, plain, ofFile, 0],
      [5, plain, ofTopic, 1],
      [3, waryId, ofFile, 1],
      [6, waryId, ofTopic, 1],
      [1, plain, ofFile, 1],
      [4, waryId, ofTopic, 1],
    ]
    for (const [offset, policy, rules, entries] of wanted) {
      expect(await found(offset, policy, rules)).toEqual([offset, policy, rules, entries])
    }
  })

  it('is none where others decided then, or the topic does not reach that far', async () => {
    expect(await found(2, plain, ofFile)).toContain('no policy')
    expect(await found(4, waryId, ofFile)).toContain('no rules')
    expect(await found(8, plain, ofFile)).toContain('nothing before offset 8')
    expect(await found(null, plain, null)).toEqual([null, plain, null, 0])
  })
})
