/**
 * Finds primary account numbers (PANs, ISO/IEC 7812-1) in text, so that they can be kept out: 13 to 19 digits, with
 * single spaces or dashes between groups or without, that begin like an issuer's range and pass the Luhn check.
 */

import { lengthOf, unitAt } from './text.ts'

const shortest = 13
const longest = 19

/** Ranges of issuers, with the lengths that they issue. */
const issued = new RegExp(
  `^(?:${[
    '4(?:\\d{12}|\\d{15}|\\d{18})', // Visa
    '(?:5[1-5]\\d\\d|222[1-9]|22[3-9]\\d|2[3-6]\\d\\d|27[01]\\d|2720)\\d{12}', // Mastercard
    '3[47]\\d{13}', // American Express
    '(?:30[0-5]|36\\d|38\\d)\\d{11}', // Diners Club
    '35(?:2[89]|[3-8]\\d)\\d{12,15}', // JCB
    '(?:6011|65\\d\\d|64[4-9]\\d)\\d{12,15}', // Discover
    '62\\d{14,17}', // UnionPay
  ].join('|')})$`,
)

/**
 * Whether a text holds a PAN. Hexadecimal identifiers (24 digits and more, a UUID for one) are none: where their
 * decimal digits look so, it is by chance.
 *
 * @param anywhere also looks inside longer runs of digits and in hexadecimal, and takes up to three characters that are
 *   neither letters nor digits for a separator; most of what it finds is chance. For bytes of unknown make (as Latin-1),
 *   when the answer only decides what is copied.
 */
export function holdsPan(text: string, { anywhere = false } = {}): boolean {
  const length = lengthOf(text)
  if (length < shortest || !hasEnoughDigits(text, length)) return false
  for (let start = 0; start <= length - shortest; start++) {
    const first = unitAt(text, start)
    if (first < 0x32 || first > 0x36) continue
    if ((anywhere || !isDigit(text, start - 1)) && panStartsAt(text, start, anywhere)) return true
  }
  return false
}

function hasEnoughDigits(text: string, length: number): boolean {
  // Most texts have a few other characters too many, and one knows it before their end.
  let others = length - shortest
  for (let at = 0; others >= 0 && at < length; at++) {
    if (!isDigitCode(unitAt(text, at))) others--
  }
  return others >= 0
}

function panStartsAt(text: string, start: number, anywhere: boolean): boolean {
  let count = 0
  for (let at = start; at >= 0 && count < longest; at = nextDigit(text, at + 1, anywhere)) {
    count++
    if (count < shortest || (!anywhere && isDigit(text, at + 1))) continue
    const number = text.slice(start, at + 1).replace(/\D/g, '')
    if (issued.test(number) && passesLuhn(number) && (anywhere || !isInHexadecimal(text, start, at)))
      return true
  }
  return false
}

/** A no-break space and a dash of typesetting are three bytes of UTF-8 at most. */
const longestGap = 3

/** Where the next digit of a number stands, at `from` or behind a separator; -1 where the number ends. */
function nextDigit(text: string, from: number, anywhere: boolean): number {
  if (isDigit(text, from)) return from
  if (!anywhere) return isGroupEnd(text, from) && isDigit(text, from + 1) ? from + 1 : -1
  for (let at = from; at < from + longestGap && isSeparator(text, at); at++) {
    if (isDigit(text, at + 1)) return at + 1
  }
  return -1
}

const isDigitCode = (code: number): boolean => code >= 0x30 && code <= 0x39

/** `at` may lie outside. */
function isDigit(text: string, at: number): boolean {
  return isDigitCode(text.charCodeAt(at))
}

function isGroupEnd(text: string, at: number): boolean {
  const code = text.charCodeAt(at)
  return code === 0x20 || code === 0x2d
}

/** Neither letter nor digit, bytes of other alphabets included. */
function isSeparator(text: string, at: number): boolean {
  return at < text.length && !/[\dA-Za-z]/.test(text.charAt(at))
}

/** ISO/IEC 7812-1 annex B. */
function passesLuhn(number: string): boolean {
  let sum = 0
  for (let back = 0; back < number.length; back++) {
    const digit = number.charCodeAt(number.length - 1 - back) - 0x30
    const weighed = back % 2 === 1 ? digit * 2 : digit
    sum += weighed > 9 ? weighed - 9 : weighed
  }
  return sum % 10 === 0
}

function isInHexadecimal(text: string, from: number, to: number): boolean {
  let first = from
  while (/[\da-f-]/i.test(text.charAt(first - 1))) first--
  let last = to
  while (/[\da-f-]/i.test(text.charAt(last + 1))) last++
  const token = text.slice(first, last + 1).replaceAll('-', '')
  return token.length >= 24 && /[a-f]/i.test(token)
}
