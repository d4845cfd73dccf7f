/** Numbers in words of English: thousands by commas, a point before fractions. */

/** From here on a number has no digits after the point, and `toFixed` writes an exponent. */
const leastWithoutDigits = 1e21

/** 1234.5 with two digits after the point as 1,234.50. By hand: alerts are written with it, and Intl takes 30 times as long. */
export function fixed(value: number, digits: number): string {
  if (Math.abs(value) >= leastWithoutDigits && Number.isFinite(value)) return inThousands(`${BigInt(value)}`)
  const [whole = '', fraction] = value.toFixed(digits).split('.')
  return fraction === undefined ? inThousands(whole) : `${inThousands(whole)}.${fraction}`
}

/** Whole digits, a sign before them or not, as 1,234. */
export const inThousands = (digits: string): string => digits.replace(/\B(?=(\d{3})+$)/g, ',')

/** `1 payment`, `2,000 payments`. */
export const numbered = (value: number, noun: string): string =>
  `${fixed(value, 0)} ${noun}${value === 1 ? '' : 's'}`
