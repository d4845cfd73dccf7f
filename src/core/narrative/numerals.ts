/** A number in words. null: one that is not worth to be worked out, and so counts as unproven. */
export interface Numeral {
  readonly text: string
  readonly value: number | null
  readonly percent: boolean
}

const small =
  'two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen twenty'.split(
    ' ',
  )
const englishValues: ReadonlyMap<string, number> = new Map([
  ...small.map((word, i) => [word, i + 2] as const),
  ...['third', 'fourth', 'fifth', 'sixth', 'seventh', 'eighth', 'ninth', 'tenth'].map(
    (word, i) => [word, i + 3] as const,
  ),
  ['twice', 2],
  ['double', 2],
  ['doubled', 2],
  ['thrice', 3],
  ['triple', 3],
  ['tripled', 3],
  ['dozen', 12],
])
const others =
  'thirty forty fifty sixty seventy eighty ninety hundred hundreds thousand thousands million millions billion half quarter dozens'.split(
    ' ',
  )
/** `one` and `first` are more often no numbers than numbers, and `second` is a time. */
const english = new RegExp(
  `(?<![\\p{L}\\d])(?:${[...englishValues.keys(), ...others].join('|')})(?![\\p{L}\\d])`,
  'giu',
)

const digits = '零一二三四五六七八九'
/** Words in which a numeral counts nothing. */
const idle = /十分|第三方|万一|千万别|百慕大/g
const chinese = /(百分之)?(第)?([零〇一二两三四五六七八九十百千万亿半]+)/g

/** Numbers in words of English and Chinese; not a lone `one`, 一 or 第一, which are seldom meant as numbers. */
export function numeralsIn(text: string): readonly Numeral[] {
  const inEnglish = [...text.matchAll(english)].map(([word]) => ({
    text: word,
    value: englishValues.get(word.toLowerCase()) ?? null,
    percent: false,
  }))
  const inChinese = [...text.replace(idle, ' ').matchAll(chinese)]
    .filter(([, percent, , numeral]) => percent !== undefined || numeral !== '一')
    .map(([text, percent, , numeral = '']) => ({
      text,
      value: chineseValue(numeral),
      percent: percent !== undefined,
    }))
  return [...inEnglish, ...inChinese]
}

/** Up to 99, which is as far as people spell numbers out. */
function chineseValue(numeral: string): number | null {
  const match = /^([二两三四五六七八九])?(十)?([零〇一二两三四五六七八九])?$/.exec(numeral)
  if (match === null) return null
  const [, tens, ten, ones] = match
  if (ten === undefined) return tens !== undefined && ones !== undefined ? null : digitOf(tens ?? ones)
  return (tens === undefined ? 1 : digitOf(tens)) * 10 + (ones === undefined ? 0 : digitOf(ones))
}

const digitOf = (digit = ''): number => (digit === '两' ? 2 : digit === '〇' ? 0 : digits.indexOf(digit))
