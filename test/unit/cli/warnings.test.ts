import { describe, expect, test } from 'vitest'
import type { ThresholdProposal } from '../../../src/apps/threshold.ts'
import { comparisonWarnings, thresholdWarnings } from '../../../src/cli/warnings.ts'
import { aDecisionTable, compared } from '../../helpers/decision-tables.ts'

const { data } = compared(aDecisionTable())
const proposal = (more: object, ...[challenge, review, decline]: readonly number[]) =>
  thresholdWarnings({
    champion: 'champion',
    candidate: 'strict',
    data: { ...data, label_delay_days: null, blocked_without_outcome: { payments: 0, value: 0 } },
    unscored: 0,
    proposed: { thresholds: { challenge, review, decline } },
    segmented: null,
    ...more,
  } as unknown as ThresholdProposal)

describe('a proposal of thresholds', () => {
  test.each([
    [[300, 655, 655], ['proposed review 655, decline 655: nothing is ever reviewed']],
    [[300, 300, 655], ['proposed challenge 300, review 300: nothing is ever challenged']],
    [
      [0, 300, 1000],
      [expect.stringContaining('ever approved'), expect.stringContaining('ever declined')],
    ],
    [[300, 500, 655], []],
  ] as const)('says of %j which outcome is never given', (thresholds, warnings) => {
    expect(proposal({}, ...thresholds)).toEqual(warnings)
  })

  test('says what a comparison says of the same payments', () => {
    const blocked = { payments: 1, value: 57.16 }
    const late = { ...data, labels_until: data.last_event_time, label_delay_days: { median: 2, p95: 8.5 } }
    const told = proposal({ data: { ...late, blocked_without_outcome: blocked }, unscored: 2 }, 1, 2, 3)
    expect(told).toHaveLength(3)
    expect(told[0]).toMatch(/^1 of 20 frauds took 8\.5 days or longer/)
    expect(told[1]).toContain('1 payment worth 57.16 EUR')
    expect(told[2]).toContain('2 judged payments without a score of strict')
  })

  test('says that there is nothing to weigh', () => {
    expect(proposal({ data: { ...data, labelled: 0 } }, 1, 2, 3)[0]).toContain('no payment has a label')
  })
})

test('one that is shown alone is warned of once', () => {
  const [champion] = aDecisionTable().candidates
  const alone = compared({ ...aDecisionTable(), candidates: [champion, champion] as never })
  const unscored = { ...alone.champion, unscored: 3 }
  const told = comparisonWarnings({ ...alone, champion: unscored, candidate: { ...unscored } })
  expect(told.filter((line) => line.includes('without a score'))).toHaveLength(1)
})
