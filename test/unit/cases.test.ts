import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { validateCaseAction } from '../../src/core/case-action.ts'
import { type Case, type CaseAction, type CaseAlert, casesOf, workingList } from '../../src/core/cases.ts'
import { anAlert } from '../helpers/contracts.ts'

const hour = 3_600_000
const windowMs = 24 * hour
const noon = Date.UTC(2026, 0, 15, 12)

const alert = (id: string, hours: number, changes: Partial<CaseAlert> = {}): CaseAlert =>
  anAlert({ alert_id: id, customer_id: 'c-1', event_time: noon + hours * hour, loss: 10, ...changes })

let actionNumber = 0
const action = (
  kind: CaseAction['action'],
  case_id: string,
  changes: Partial<CaseAction> = {},
): CaseAction => ({
  action_id: `action-${actionNumber++}`,
  case_id,
  customer_id: 'c-1',
  action: kind,
  who: 'ann',
  action_time: noon,
  text: null,
  disposition: kind === 'dispose' ? 'fraud' : null,
  alert_ids: [],
  ...changes,
})

const links = (cases: readonly Case[]) =>
  cases.map(({ case_id, alerts }) => [case_id, ...alerts.map(({ alert_id }) => alert_id)])

describe('a case', () => {
  test('is opened by the first alert, and holds those of the customer within the window', () => {
    const alerts = [
      alert('a', 0),
      alert('b', 23.9),
      alert('other', 1, { customer_id: 'c-2' }),
      alert('c', 24),
    ]
    expect(links(casesOf(alerts, [], windowMs))).toEqual([
      ['a', 'a', 'b'],
      ['other', 'other'],
      ['c', 'c'],
    ])
  })

  test('sums the losses of its alerts and has their highest risk', () => {
    const alerts = [alert('a', 0, { risk_score: 700 }), alert('b', 1, { loss: null, risk_score: null })]
    expect(casesOf(alerts, [], windowMs)).toMatchObject([{ loss: 10, risk_score: 700 }])
  })

  test('is taken by one until it is released, and closed once', () => {
    const state = (...actions: CaseAction[]) => {
      const [one] = casesOf([alert('a', 0)], actions, windowMs)
      return [one?.status, one?.taken_by, one?.disposition]
    }
    const [ann, bob] = [action('take', 'a'), action('take', 'a', { who: 'bob' })]
    expect(state()).toEqual(['new', null, null])
    expect(state(ann, bob)).toEqual(['open', 'ann', null])
    expect(state(ann, action('release', 'a'))).toEqual(['new', null, null])
    expect(state(ann, action('release', 'a'), bob)).toEqual(['open', 'bob', null])
    const fraud = action('dispose', 'a', { alert_ids: ['a'] })
    const good = action('dispose', 'a', { alert_ids: ['a'], disposition: 'good' })
    expect(state(ann, fraud, good, action('release', 'a'))).toEqual(['closed', 'ann', 'fraud'])
  })

  test('that is closed takes no alert more: the next opens another', () => {
    const alerts = [alert('a', 0), alert('b', 1), alert('c', 2), alert('d', 3)]
    const closing = action('dispose', 'a', { alert_ids: ['a', 'c'] })
    // b was not seen by whoever closed it.
    expect(links(casesOf(alerts, [closing], windowMs))).toEqual([
      ['a', 'a', 'c'],
      ['b', 'b', 'd'],
    ])
  })

  test('that somebody works on keeps its name under another window', () => {
    const alerts = [alert('a', 0), alert('b', 2)]
    expect(links(casesOf(alerts, [action('take', 'b')], windowMs))).toEqual([
      ['a', 'a'],
      ['b', 'b'],
    ])
  })
})

/** Alerts of some customers, actions on some of them. */
const world = fc
  .tuple(
    fc.array(
      fc.record({ customer: fc.nat(3), hours: fc.integer({ min: -30, max: 60 }), loss: fc.nat(100) }),
      {
        maxLength: 25,
      },
    ),
    fc.array(
      fc.record({
        on: fc.nat(24),
        kind: fc.constantFrom('take', 'release', 'note', 'dispose'),
        seen: fc.nat(5),
      }),
      { maxLength: 8 },
    ),
  )
  .map(([made, done]) => {
    const alerts = made.map(({ customer, hours, loss }, i) =>
      alert(`alert-${i}`, hours, { customer_id: `c-${customer}`, loss }),
    )
    const actions = done.flatMap(({ on, kind, seen }, i) => {
      const first = alerts[on % Math.max(1, alerts.length)]
      if (first === undefined) return []
      const own = alerts.filter(({ customer_id }) => customer_id === first.customer_id)
      const alert_ids = [first, ...own.slice(0, seen)].map(({ alert_id }) => alert_id)
      const { customer_id } = first
      return [
        action(kind as CaseAction['action'], first.alert_id, { action_id: `${i}`, customer_id, alert_ids }),
      ]
    })
    return { alerts, actions }
  })

/** The same records, customers one after the other, backwards. */
const byCustomer = <T extends { customer_id: string }>(all: readonly T[]): T[] =>
  [...Map.groupBy(all, ({ customer_id }) => customer_id).values()].toReversed().flat()

test('cases are the same however customers are interleaved', () => {
  fc.assert(
    fc.property(world, ({ alerts, actions }) => {
      expect(casesOf(byCustomer(alerts), byCustomer(actions), windowMs)).toEqual(
        casesOf(alerts, actions, windowMs),
      )
    }),
  )
})

test('every alert is in one case, and an action said twice is one', () => {
  fc.assert(
    fc.property(world, ({ alerts, actions }) => {
      const cases = casesOf(alerts, actions, windowMs)
      const ids = cases.flatMap((one) => one.alerts.map(({ alert_id }) => alert_id))
      expect(ids.toSorted()).toEqual(alerts.map(({ alert_id }) => alert_id).toSorted())
      expect(casesOf(alerts, [...actions, ...actions], windowMs)).toEqual(cases)
    }),
  )
})

describe('the alert budget', () => {
  test('keeps the largest losses of each day, what is taken first; the rest is there and marked', () => {
    const alerts = [
      alert('small', 0, { customer_id: 'c-1', loss: 1 }),
      alert('large', 1, { customer_id: 'c-2', loss: 100 }),
      alert('middle', 2, { customer_id: 'c-3', loss: 10 }),
      alert('tomorrow', 24, { customer_id: 'c-4', loss: 5 }),
    ]
    const list = (actions: CaseAction[]) =>
      workingList(casesOf(alerts, actions, windowMs), 2).map(({ case: one, isOverBudget }) => [
        one.case_id,
        isOverBudget,
      ])
    expect(list([])).toEqual([
      ['large', false],
      ['middle', false],
      ['tomorrow', false],
      ['small', true],
    ])
    expect(list([action('take', 'small')])).toEqual([
      ['large', false],
      ['tomorrow', false],
      ['small', false],
      ['middle', true],
    ])
  })

  test('holds for any cases: no day has more, and none beyond it is larger than one within that nobody works on', () => {
    fc.assert(
      fc.property(world, fc.nat(4), ({ alerts, actions }, perDay) => {
        const listed = workingList(casesOf(alerts, actions, windowMs), perDay)
        for (const ofDay of Map.groupBy(listed, ({ day }) => day).values()) {
          const within = ofDay.filter(({ isOverBudget }) => !isOverBudget)
          expect(within.length).toBe(Math.min(perDay, ofDay.length))
          const least = Math.min(...within.flatMap(({ case: one }) => (one.status === 'new' ? one.loss : [])))
          for (const { case: one, isOverBudget } of ofDay) {
            if (isOverBudget && one.status === 'new') expect(one.loss).toBeLessThanOrEqual(least)
          }
        }
      }),
    )
  })
})

test.each<[string, Partial<CaseAction>]>([
  ['a card number in a note', { text: 'card 4111 1111 1111 1111' }],
  ['a note without words', { text: null }],
  ['a disposition of what is not disposed of', { disposition: 'fraud' }],
  ['a disposal of nothing', { action: 'dispose', disposition: 'fraud', alert_ids: [] }],
  ['a disposal as nothing', { action: 'dispose', disposition: null, alert_ids: ['a'] }],
  ['an unknown action', { action: 'burn' as never }],
  ['nobody', { who: '' }],
])('%s is refused', (_, changes) => {
  const note = action('note', 'payments.transactions.v1-0-7', { text: 'called the customer' })
  expect(validateCaseAction(note).ok).toBe(true)
  expect(validateCaseAction({ ...note, ...changes })).toMatchObject({ ok: false })
})
