import fc from 'fast-check'
import { expect, test } from 'vitest'
import { evidenceOf, unproven } from '../../../src/core/narrative/evidence.ts'
import { languages } from '../../../src/core/narrative/language.ts'
import { narrate } from '../../../src/core/narrative/narrate.ts'
import type { Alert } from '../../../src/core/types.ts'
import { arbitraryAlert } from '../../helpers/alerts.ts'
import { anAlert } from '../../helpers/contracts.ts'

const alert = anAlert({
  event_time: Date.UTC(2026, 2, 3, 14, 5, 9),
  amount_minor: 123_450,
  risk_score: 712,
  score: 0.2345,
  country: 'BM',
  reasons: [
    { code: 'V', text: '4 payments in the 10 minutes before.' },
    { code: 'N', text: 'Between 00:00 and 05:59, local time.' },
  ],
  rules_hit: ['night_2'],
  contributions: [{ feature: 'geo_speed', value: 1234.567, contribution: -0.81 }],
  loss: 289.125,
})
const runs = { seed: 7, numRuns: Number(process.env['WEIR_TEST_RUNS'] ?? 500) }
const found = (text: string) => unproven(text, evidenceOf(alert))

test.each(languages)('every number and name of a narrative in %s is in the evidence', (language) => {
  fc.assert(
    fc.property(arbitraryAlert, (alert) => {
      expect(unproven(narrate(alert, language), evidenceOf(alert))).toBeNull()
    }),
    runs,
  )
})

/** Numbers as they stand outside of quotation marks, each with its place. */
function numbersIn(text: string): { at: number; digits: string }[] {
  const open = text.replace(/“[^”]*”/g, (name) => ' '.repeat(name.length))
  return [...open.matchAll(/\d[\d,]*(?:\.\d+)?/g)].map(({ 0: digits, index }) => ({ at: index, digits }))
}

test.each(languages)('a narrative in %s with one number changed is refused', (language) => {
  let changed = 0
  fc.assert(
    fc.property(arbitraryAlert, fc.nat(), fc.integer({ min: 1, max: 9 }), (alert, which, by) => {
      const text = narrate(alert, language)
      const numbers = numbersIn(text)
      const { at, digits } = numbers[which % numbers.length] as (typeof numbers)[number]
      // The first digit, so that no rounding can stand for it.
      const other = `${(Number(digits[0]) + by) % 10}${digits.slice(1)}`
      fc.pre(
        !numbers.some(
          ({ digits }) => Number(digits.replaceAll(',', '')) === Number(other.replaceAll(',', '')),
        ),
      )
      fc.pre(!isKnown(alert, Number(other.replaceAll(',', ''))))
      changed++
      expect(
        unproven(text.slice(0, at) + other + text.slice(at + digits.length), evidenceOf(alert)),
      ).not.toBeNull()
    }),
    runs,
  )
  expect(changed).toBeGreaterThan(runs.numRuns / 2)
})

/** Whether another number of the alert happens to be the same, or would be so rounded. */
function isKnown(alert: Alert, number: number): boolean {
  const { score, disagreement, base, loss, parts, contributions, risk_score } = alert
  const known = [score, disagreement, base, loss, risk_score, ...parts.map(({ score }) => score)]
    .flatMap((value) => (value === null ? [] : [value, value * 100]))
    .concat(contributions.flatMap(({ value, contribution }) => [value, contribution]))
    .concat(
      alert.reasons.flatMap(({ text }) => [...text.matchAll(/[\d.]+/g)].map(([digits]) => Number(digits))),
    )
  // `Three times` of a reason.
  return [...known, 3].some((value) => value !== null && Math.abs(value - number) <= 0.5)
}

test.each([
  ['a rounded number', 'It moved at 1,235 km/h, 1234.6 to be exact.'],
  ['the scale', 'a risk score of 712 of 999, 712/999, 满分999分'],
  ['a share', 'The probability is 23.45%, or 23 percent; 百分之23。'],
  ['an amount', 'EUR 1,234.50, 1234.5 EUR, €1,234.50, 1,234.50欧元'],
  ['a date', '3 March 2026, March 3rd, 2026, Mar 3, 2026, 2026-03-03, 2026年3月3日'],
  ['a time', 'at 14:05, 14:05:09, 2:05 PM UTC, 02:05 p.m.; between 00:00 and 05:59'],
  ['numbers in words', 'four payments within ten minutes, 四笔, 十分钟内四笔'],
  ['no numbers', 'One of the first payments, 一笔, 第一, in Bermuda, 百慕大, with 3-D Secure under PSD2'],
  ['names', 'at “Kiosk am Eck” by "night_2" and 「geo_speed」'],
  ['full-width digits', '风险分７１２，共有４笔'],
])('%s that is in the alert is proven', (_, text) => {
  expect(found(text)).toBeNull()
})

test.each([
  ['another number', '5 payments', 'the number 5'],
  ['the scale as a number', 'a risk score of 999 of 999', 'the number 999'],
  ['an ordinal', 'the 5th payment', 'the number 5'],
  ['a wrong rounding', '1,236 km/h', 'the number 1,236'],
  ['too little of a number', 'a speed of 1,000', 'the number 1,000'],
  ['a rounded share', 'a probability of 24%', 'the share 24%'],
  ['a number of its own as a share', '712 percent', 'the share 712 percent'],
  ['a share as a number', '23.45 payments', 'the number 23.45'],
  ['another amount', 'EUR 1,234.60', 'the amount EUR 1,234.60'],
  ['another currency', 'USD 1,234.50', 'the amount USD 1,234.50'],
  ['another symbol', '$1,234.50', 'the amount $1,234.50'],
  ['another currency in Chinese', '1,234.50美元', 'the amount 1,234.50美元'],
  ['a number as an amount', 'EUR 712', 'the amount EUR 712'],
  ['a sign', 'a score of -712', 'the number -712'],
  ['thousands', '4k payments', 'the number 4k'],
  ['thousands in Chinese', '4万笔', 'the number 4万'],
  ['another day', '4 March 2026', 'the date 4 March 2026'],
  ['another month', '2026-04-03', 'the date 2026-04-03'],
  ['another year in Chinese', '2025年3月3日', 'the date 2025年3月3日'],
  ['another time', 'at 14:06', 'the time 14:06'],
  ['the other half of the day', 'at 2:05 am', 'the time 2:05 am'],
  ['a word', 'five payments', 'the number five'],
  ['a large word', 'some hundred payments', 'the number hundred'],
  ['a Chinese numeral', '五笔', 'the number 五'],
  ['a large Chinese numeral', '二百笔', 'the number 二百'],
  ['a share in Chinese', '百分之三十', 'the share 百分之三十'],
  ['digits of another script', '٥ payments', 'the number ٥'],
  ['a fraction', '½ of them', 'the number ½'],
  ['a circled number', '⑤ payments', 'the number ⑤'],
  ['full-width digits', '５笔', 'the number 5'],
  ['another merchant', 'at “Kiosk am Ende”', "the name 'Kiosk am Ende'"],
  ['a card number', 'card 4111 1111 1111 1111', 'the number 4111'],
])('%s is found', (_, text, what) => {
  expect(found(text)).toBe(what)
})
