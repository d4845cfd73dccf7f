/** Numbers in words of English: thousands by commas, a point before fractions. */

/** 1234.5 with two digits after the point as 1,234.50. */
export const fixed = (value: number, digits: number): string =>
  value.toLocaleString('en-US', { minimumFractionDigits: digits, maximumFractionDigits: digits })

/** `1 payment`, `2,000 payments`. */
export const numbered = (value: number, noun: string): string =>
  `${fixed(value, 0)} ${noun}${value === 1 ? '' : 's'}`
