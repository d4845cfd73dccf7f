import { minorUnitExponent } from '../currencies.ts'
import type { Alert } from '../types.ts'
import { leastShown, plain } from './facts.ts'
import { type Figure, figuresIn } from './figures.ts'
import { countryName } from './names.ts'

/** What a text about an alert may say in figures. */
export interface Evidence {
  readonly numbers: readonly number[]
  readonly percents: readonly number[]
  readonly money: readonly { readonly of: string; readonly value: number }[]
  /** ISO dates and times of day, UTC; names as they stand between quotation marks. */
  readonly dates: ReadonlySet<string>
  readonly times: ReadonlySet<string>
  readonly names: ReadonlySet<string>
  /** Numbers that cannot be worked out, as the reasons write them. */
  readonly unclear: ReadonlySet<string>
  /** Words that hold numerals by chance. */
  readonly words: readonly string[]
}

/** The figures of an alert, those of its reasons' sentences among them. */
export function evidenceOf(alert: Alert): Evidence {
  const exponent = minorUnitExponent(alert.currency) ?? 0
  const time = new Date(alert.event_time).toISOString()
  const said = alert.reasons.flatMap(({ text }) => figuresIn(plain(text, text.length)))
  const of = (kind: Figure['kind']) => said.filter((figure) => figure.kind === kind)
  const numbers = [
    alert.risk_score,
    alert.score,
    ...alert.parts.map(({ score }) => score),
    alert.disagreement,
    alert.base,
    alert.loss,
    // Money has cents, however small it is.
    alert.loss === null ? null : Number(alert.loss.toFixed(2)),
    ...alert.contributions.flatMap(({ value, contribution }) => [value, contribution]),
  ]
  return {
    numbers: [
      ...(numbers.filter((value) => value !== null && !Number.isNaN(value)) as number[]),
      ...of('number').map(({ value }) => value),
    ],
    percents: [
      ...[alert.score, ...alert.parts.map(({ score }) => score)].flatMap((score) =>
        score === null ? [] : score * 100,
      ),
      ...of('percent').map(({ value }) => value),
    ],
    money: [{ of: alert.currency, value: alert.amount_minor / 10 ** exponent }, ...of('money')],
    dates: new Set([time.slice(0, time.indexOf('T')), ...of('date').map(({ of }) => of)]),
    times: new Set([time.slice(-13, -8), time.slice(-13, -5), ...of('time').map(({ of }) => of)]),
    names: new Set(namesOf(alert)),
    unclear: new Set(of('unclear').map(({ text }) => text)),
    words: alert.country === null ? [] : [countryName(alert.country, 'en'), countryName(alert.country, 'zh')],
  }
}

function namesOf(alert: Alert): string[] {
  const { merchant_id, merchant_name, terminal_id, device_id, sca } = alert
  return [
    ...[merchant_id, merchant_name, terminal_id, device_id, sca].flatMap((name) => name ?? []),
    ...alert.rules_hit,
    ...alert.lists_hit.flatMap((hit) => [hit, hit.slice(hit.indexOf(':') + 1)]),
    ...alert.parts.map(({ name }) => name),
    ...alert.contributions.map(({ feature }) => feature),
    ...alert.reasons.map(({ code }) => code),
  ]
    .map((name) => plain(name))
    .concat(alert.reasons.map(({ text }) => plain(text, text.length)))
}

/**
 * What a text says that the evidence does not hold, in words; null where there is nothing of the kind. Every number
 * must be in the evidence as that which it is written as: a share in percent among the shares, an amount with its
 * currency, a day, a time, anything else among the numbers. It may be rounded, rightly, to two digits that count or
 * more, not beyond the unit. What is quoted must be a name of the alert.
 *
 * It is about figures and names: it cannot tell whether a number stands in the right place, or what a sentence means.
 */
export function unproven(text: string, evidence: Evidence): string | null {
  const bare = evidence.words.reduce((rest, word) => rest.replaceAll(word, ' '), text)
  const wrong = figuresIn(bare).find((figure) => !isProven(figure, evidence))
  return wrong === undefined ? null : `${kinds[wrong.kind]} ${plain(wrong.text)}`
}

const kinds = {
  number: 'the number',
  percent: 'the share',
  money: 'the amount',
  date: 'the date',
  time: 'the time',
  name: 'the name',
  unclear: 'the number',
} as const

function isProven(figure: Figure, evidence: Evidence): boolean {
  switch (figure.kind) {
    case 'number':
      return evidence.numbers.some((value) => stands(figure, value))
    case 'percent':
      return evidence.percents.some((value) => stands(figure, value))
    case 'money':
      return evidence.money.some(
        ({ of, value }) => figure.of.split(',').includes(of) && stands(figure, value),
      )
    case 'date':
      return evidence.dates.has(figure.of)
    case 'time':
      return evidence.times.has(figure.of)
    case 'name':
      return evidence.names.has(figure.of)
    case 'unclear':
      return evidence.unclear.has(figure.text)
  }
}

const fewestSignificant = 2

/** Whether a number as written stands for the value: it is the value, or the value rounded. */
function stands({ value: written, decimals, significant }: Figure, value: number): boolean {
  if (written === value || Math.abs(written - value) < leastShown) return true
  if (significant < fewestSignificant) return false
  return Math.abs(written - value) <= 0.5 * 10 ** -decimals + Math.abs(value) * Number.EPSILON
}
