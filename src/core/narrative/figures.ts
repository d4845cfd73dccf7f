import { minorUnitExponent } from '../currencies.ts'
import { currencyNamesZh } from './names.ts'
import { numeralsIn } from './numerals.ts'

/** Something in a text that can be right or wrong: a number with what it counts, a day, a time, a quoted name. */
export interface Figure {
  /** `unclear`: a way to write numbers that cannot be checked, and so is not allowed. */
  readonly kind: 'number' | 'percent' | 'money' | 'date' | 'time' | 'name' | 'unclear'
  /** As it stands in the text. */
  readonly text: string
  /** Of number, percent and money. */
  readonly value: number
  /** Digits after the point as written, and digits that count. */
  readonly decimals: number
  readonly significant: number
  /** What else tells it apart: codes of currencies with commas between, an ISO date, a time of day, a name. */
  readonly of: string
}

const quotes = /[“"「『]([^”"」』]*)[”"」』]/g
const monthNames =
  'January|February|March|April|May|June|July|August|September|October|November|December'.split('|')
const month = `(${monthNames.map((name) => `${name}|${name.slice(0, 3)}\\.?`).join('|')})`
const isoDate = /(?<!\d)(\d{4})-(\d{1,2})-(\d{1,2})(?!\d)/g
const chineseDate = /(\d{4})\s*年\s*(\d{1,2})\s*月\s*(\d{1,2})\s*日/g
const dayFirst = new RegExp(`(?<!\\d)(\\d{1,2})(?:st|nd|rd|th)? (?:of )?${month},? (\\d{4})(?!\\d)`, 'g')
const monthFirst = new RegExp(`${month} (\\d{1,2})(?:st|nd|rd|th)?,? (\\d{4})(?!\\d)`, 'g')
const clock = /(?<!\d)(\d{1,2}):(\d{2})(?::(\d{2}))?(?!\d)(?:\s*([ap])\.?m\b\.?)?/gi
/** Names with digits that say no number, and the scale of risk scores. */
const terms = /\b3-?D Secure\b|\bPSD[23]\b|(?<=\d )(?:out )?of 999\b|(?:满分|总分|(?<=\d)\/)999(?!\d)/g

const decimal = '(?:(?<![\\p{Script=Latin}\\d])[-−])?(?:\\d{1,3}(?:,\\d{3})+(?!\\d)|\\d+)(?:\\.\\d+)?'
const symbols: Readonly<Record<string, string>> = { '€': 'EUR', '£': 'GBP', '¥': 'JPY,CNY', $: 'USD' }
const codeBefore = new RegExp(`(?<![\\p{L}\\d])([A-Z]{3}|[€£¥$]) ?(${decimal})`, 'gu')
const codeAfter = new RegExp(`(${decimal}) ?([A-Z]{3}(?![\\p{L}\\d])|[€£¥$])`, 'gu')
const namesZh = [...currencyNamesZh].toSorted(([, a], [, b]) => b.length - a.length)
const nameAfter = new RegExp(`(${decimal})(${namesZh.map(([, name]) => name).join('|')})`, 'gu')
const codesZh = new Map(namesZh.map(([code, name]) => [name, code]))
const percentSign = new RegExp(`(${decimal})\\s*(?:%|percent\\b|per cent\\b)`, 'giu')
const percentZh = new RegExp(`百分之(${decimal})`, 'gu')
/** 3k, 1.2 million, 5万. */
const magnified = new RegExp(`${decimal}\\s*(?:k\\b|m\\b|bn\\b|thousand|million|billion|[十百千万亿])`, 'giu')
const plainNumber = new RegExp(decimal, 'gu')
/** Digits of other scripts, fractions, circled numbers: 〇 is one of the Chinese numerals. */
const otherDigits = /(?![〇0-9])\p{N}/gu

/** All figures in a text, in no order that matters. */
export function figuresIn(text: string): readonly Figure[] {
  const figures: Figure[] = []
  // What is taken out leaves a gap, so that nothing is seen twice and nothing grows together.
  let rest = text
  const take = (pattern: RegExp, figure: (match: readonly string[]) => Partial<Figure> | null) => {
    rest = rest.replace(pattern, (...match: readonly string[]) => {
      const whole = match[0] as string
      const found = figure(match)
      if (found === null) return whole
      figures.push({ kind: 'unclear', text: whole, value: 0, decimals: 0, significant: 0, of: '', ...found })
      return ' \u0000 '
    })
  }
  take(quotes, ([, name = '']) => ({ kind: 'name', of: name }))
  rest = rest.replace(/[０-９．％－]/g, narrow).replace(terms, ' \u0000 ')
  take(isoDate, ([, y, m, d]) => dateFigure(y, m, d))
  take(chineseDate, ([, y, m, d]) => dateFigure(y, m, d))
  take(dayFirst, ([, d, m, y]) => dateFigure(y, monthNumber(m), d))
  take(monthFirst, ([, m, d, y]) => dateFigure(y, monthNumber(m), d))
  take(clock, timeFigure)
  take(magnified, () => ({ kind: 'unclear' }))
  take(codeBefore, ([, code = '', number = '']) => moneyFigure(code, number))
  take(codeAfter, ([, number = '', code = '']) => moneyFigure(code, number))
  take(nameAfter, ([, number = '', name = '']) => moneyFigure(codesZh.get(name) as string, number))
  take(percentSign, ([, number = '']) => ({ kind: 'percent', ...measured(number) }))
  take(percentZh, ([, number = '']) => ({ kind: 'percent', ...measured(number) }))
  take(plainNumber, ([number = '']) => ({ kind: 'number', ...measured(number) }))
  take(otherDigits, () => ({ kind: 'unclear' }))
  for (const { text, value, percent } of numeralsIn(rest)) {
    const kind = value === null ? 'unclear' : percent ? 'percent' : 'number'
    figures.push({ kind, text, value: value ?? 0, decimals: 0, significant: 1, of: '' })
  }
  return figures
}

const narrow = (character: string): string => String.fromCharCode(character.charCodeAt(0) - 0xff00 + 0x20)

function measured(number: string): Pick<Figure, 'value' | 'decimals' | 'significant'> {
  const digits = number.replace(/,/g, '').replace('−', '-')
  return {
    value: Number(digits),
    decimals: digits.split('.')[1]?.length ?? 0,
    significant: digits.replace(/^-?[0.]*|\./g, '').length,
  }
}

function moneyFigure(code: string, number: string): Partial<Figure> | null {
  const of = symbols[code] ?? (minorUnitExponent(code) === undefined ? null : code)
  return of === null ? null : { kind: 'money', of, ...measured(number) }
}

const monthNumber = (name = ''): string =>
  String(monthNames.findIndex((month) => month.startsWith(name.slice(0, 3))) + 1)

const dateFigure = (year = '', month = '', day = ''): Partial<Figure> => ({
  kind: 'date',
  of: [year, month.padStart(2, '0'), day.padStart(2, '0')].join('-'),
})

function timeFigure([, hour = '', minute = '', second, half]: readonly (
  | string
  | undefined
)[]): Partial<Figure> {
  const isHalf = typeof half === 'string'
  const hours = isHalf ? (Number(hour) % 12) + (half.toLowerCase() === 'p' ? 12 : 0) : Number(hour)
  const time = `${String(hours).padStart(2, '0')}:${minute}`
  return { kind: 'time', of: second === undefined ? time : `${time}:${second}` }
}
