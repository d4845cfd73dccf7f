import { describe, expect, it } from 'vitest'
import { loadActiveSet } from '../../../src/apps/active-set.ts'
import { createControlReader } from '../../../src/config/control-texts.ts'
import { loadConfig } from '../../../src/config/load.ts'
import { applyControl, controlled, initialControl, type RefusedChange } from '../../../src/core/control.ts'
import { decide, decideDegraded } from '../../../src/core/decide.ts'
import type { Control } from '../../../src/core/types.ts'
import { aTransaction, eventTime } from '../../helpers/contracts.ts'

const { config } = loadConfig({ file: '/dev/null', env: {} })
const base = await loadActiveSet(config, () => {})
const reader = createControlReader(base)

const aControl = (kind: string, body: unknown, changes: Partial<Control> = {}): Control => ({
  control_id: `change-${kind}`,
  kind,
  name: kind,
  version: '1',
  sha256: '',
  body: Buffer.from(typeof body === 'string' ? body : JSON.stringify(body)),
  author: 'ana',
  comment: null,
  created_time: eventTime,
  ...changes,
})
const rules = (id: string, outcome: string) =>
  aControl(
    'rules',
    `version: ${id}\nrules: [{ id: ${id}, version: 1, when: 'transaction.amount_minor >= 100', outcome: ${outcome}, reason: { code: BIG, text: Big. } }]`,
  )
const entry = (more: object) =>
  aControl('list', {
    changes: [{ op: 'add', list: 'deny', type: 'device', value: 'd-1', who: 'ana', ...more }],
  })

/** The state after changes at offsets 0, 2, 4 …: transactions leave markers between. */
function changedBy(...controls: (Control | null)[]) {
  const refused: RefusedChange[] = []
  const changes = controls.map((control, i) => ({ offset: 2 * i, control }))
  const state = applyControl(initialControl(base), changes, reader, (one) => refused.push(one))
  return { state, refused, active: controlled(base, state) }
}

async function decided(active: typeof base | ReturnType<typeof changedBy>['active']) {
  const arrivals = [{ partition: 0, offset: 7, transaction: aTransaction({ amount_minor: 500 }) }]
  const past = { customers: new Map(), entities: new Map() }
  const { decisions, alerts } = await decide({ topic: 't', arrivals }, past, active)
  return { decision: decisions[0], alert: alerts[0] ?? null }
}

describe('a change', () => {
  it('decides from then on, and decisions name what decided', async () => {
    const { active } = changedBy(rules('strict', 'decline'))
    const { decision, alert } = await decided(active)
    expect(decision).toMatchObject({
      outcome: 'decline',
      rules_hit: ['strict'],
      lists_hit: [],
      control_offset: 1,
      reasons: expect.arrayContaining(['BIG']),
    })
    expect(decision?.rules).toMatch(/^strict#[\da-f]{8}$/)
    expect(alert).toMatchObject({
      rules_hit: ['strict'],
      reasons: expect.arrayContaining([{ code: 'BIG', text: 'Big.' }]),
    })
    expect((await decided(base)).decision).toMatchObject({ rules: null, control_offset: null, rules_hit: [] })
  })

  it('replaces the one before it', async () => {
    const { active } = changedBy(rules('strict', 'decline'), rules('mild', 'challenge'))
    expect((await decided(active)).decision).toMatchObject({
      outcome: 'challenge',
      rules_hit: ['mild'],
      control_offset: 3,
    })
  })

  it('of the policy decides with its thresholds', async () => {
    const file = { ...base.policy.file, version: 'wary', thresholds: { challenge: 0, review: 0, decline: 0 } }
    const { decision } = await decided(changedBy(aControl('policy', file)).active)
    expect(decision).toMatchObject({ outcome: 'decline', policy: expect.stringMatching(/^wary#/) })
  })

  it('of a list holds in degraded decisions, too, where rules do not', async () => {
    const { active } = changedBy(rules('strict', 'review'), entry({}))
    const arrivals = [{ partition: 0, offset: 7, transaction: aTransaction() }]
    const { decisions, alerts } = decideDegraded({ topic: 't', arrivals }, active)
    expect(decisions[0]).toMatchObject({
      status: 'degraded',
      outcome: 'decline',
      lists_hit: ['deny:device'],
      rules_hit: [],
    })
    expect(decisions[0]?.reasons).toEqual(['DENY_LISTED', 'DEGRADED'])
    expect(alerts).toHaveLength(1)
  })

  it('of the watch list makes an alert of what is approved', async () => {
    const before = await decided(base)
    const { decision, alert } = await decided(changedBy(entry({ list: 'watch' })).active)
    expect(before).toMatchObject({ decision: { outcome: 'approve' }, alert: null })
    expect(decision).toMatchObject({ outcome: 'approve', lists_hit: ['watch:device'] })
    expect(alert).toMatchObject({ outcome: 'approve', lists_hit: ['watch:device'] })
  })

  it('silences one rule for the addresses of a range, however they are written', async () => {
    const snoozed = async (value: string) => {
      const snooze = aControl('snooze', { rule: 'strict', type: 'ip', value, until: eventTime + 1 })
      return (await decided(changedBy(rules('strict', 'decline'), snooze).active)).decision?.rules_hit
    }
    expect(await snoozed('192.0.2.0/24')).toEqual([])
    expect(await snoozed('::ffff:c000:211')).toEqual([])
    expect(await snoozed('198.51.100.0/24')).toEqual(['strict'])
  })

  it('silences one rule for one device until its time', async () => {
    const until = (time: number, value = 'd-1') =>
      aControl('snooze', { rule: 'strict', type: 'device', value, until: time })
    const outcomeAfter = async (snooze: Control) =>
      (await decided(changedBy(rules('strict', 'decline'), snooze).active)).decision?.rules_hit
    expect(await outcomeAfter(until(eventTime + 1))).toEqual([])
    expect(await outcomeAfter(until(eventTime))).toEqual(['strict'])
    expect(await outcomeAfter(until(eventTime + 1, 'd-2'))).toEqual(['strict'])
  })
})

describe('what cannot be applied', () => {
  it.each<[string, Control, string]>([
    [
      'rules with a name that is not there',
      aControl(
        'rules',
        "version: x\nrules: [{ id: a, version: 1, when: 'feature.amuont > 1', adjust: 5, reason: { code: A, text: a } }]",
      ),
      'feature.amount',
    ],
    [
      'a policy of other features',
      aControl('policy', {
        ...base.policy.file,
        reasons: [{ code: 'X', feature: 'nothing', at_least: 1, text: 'x' }],
      }),
      'nothing',
    ],
    ['rules with an alias of nothing', aControl('rules', 'version: *nothing'), 'alias'],
    [
      'a policy that aliases blow up',
      aControl(
        'policy',
        [
          'a: &a [x]',
          ...'bcdefg'.split('').map((name, i) => `${name}: &${name} [${`*${'abcdef'[i]},`.repeat(9)}]`),
        ].join('\n'),
      ),
      'alias',
    ],
    [
      'rules with a card number in words',
      aControl(
        'rules',
        "version: x\nrules: [{ id: a, version: 1, when: 'true', adjust: 5, reason: { code: A, text: 4111 1111 1111 1111 } }]",
      ),
      'card number',
    ],
    ['a list that is no JSON', aControl('list', '{'), 'JSON'],
    ['an address that is none', entry({ type: 'ip', value: '1.2.3' }), 'address'],
    ['a card number', entry({ type: 'card', value: '4111111111111111' }), 'card number'],
    ['a snooze without an end', aControl('snooze', { rule: 'a', type: 'device', value: 'd-1' }), 'until'],
    ['a kind of later', aControl('model', ''), 'model'],
  ])('%s: changes nothing, and says why', async (_, control, why) => {
    const { state, refused, active } = changedBy(rules('strict', 'decline'), control)
    expect(refused).toMatchObject([{ offset: 2, control }])
    expect(refused[0]?.cause.message).toContain(why)
    expect(state.offset).toBe(3)
    expect((await decided(active)).decision).toMatchObject({ rules_hit: ['strict'], control_offset: 3 })
  })

  it('says nothing of a card number but that it is one', () => {
    const { refused } = changedBy(entry({ list: '4111111111111111' }))
    expect(refused.map(({ cause }) => cause.message)).toEqual(['it holds a card number'])
  })

  it('a record that cannot be read is passed over, and told of', () => {
    const { state, refused } = changedBy(null, entry({}))
    expect(state).toMatchObject({ offset: 3, lists: { size: 1 } })
    expect(refused).toMatchObject([{ offset: 0, control: null, cause: { code: 'WEIR_CONTROL_REFUSED' } }])
  })
})
