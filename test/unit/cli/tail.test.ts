import { afterEach, expect, it, vi } from 'vitest'
import { alertLine, decisionLine } from '../../../src/cli/tail.ts'
import { aDecision, anAlert } from '../../helpers/contracts.ts'

afterEach(() => vi.unstubAllEnvs())

const hostile = { customer_id: 'c-\u202e1', transaction_id: 'tx-\u2066\u200b\u001b[2J' }

it('ids that a terminal would obey are escaped', () => {
  expect(decisionLine(aDecision(hostile))).toContain(String.raw`c-\u202e1  tx-\u2066\u200b\u001b[2J`)
  expect(alertLine(anAlert(hostile))).toContain(String.raw`c-\u202e1  `)
})

it('verdicts have their colours on a terminal', () => {
  vi.stubEnv('FORCE_COLOR', '1')
  vi.stubEnv('NO_COLOR', undefined)
  const review = '\u001b[33mreview'
  expect(decisionLine(aDecision({ outcome: 'review' }))).toContain(review)
  expect(alertLine(anAlert({ outcome: 'review' }))).toContain(review)
})
