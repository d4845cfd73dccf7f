import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { holdsPan } from '../../../src/core/pan.ts'

/** Numbers that issuers and processors publish for testing, and made ones for the other lengths. */
const published = [
  '4222222222222', // Visa, 13
  '4111111111111111', // Visa
  '4000056655665556', // Visa
  '4000000000000000006', // Visa, 19
  '5555555555554444', // Mastercard
  '2223003122003222', // Mastercard
  '2720992222222222', // Mastercard, made
  '378282246310005', // American Express
  '371449635398431', // American Express
  '30569309025904', // Diners Club
  '36227206271667', // Diners Club
  '38520000023237', // Diners Club
  '6011111111111117', // Discover
  '6510000000000034', // Discover, made
  '6445644564456445', // Discover
  '3530111333300000', // JCB
  '6200000000000005', // UnionPay
  '6205500000000000004', // UnionPay, 19
].map((number) => number.slice(0, -1) + checkDigit(number.slice(0, -1)))

function checkDigit(payload: string): string {
  const sum = [...payload].reverse().reduce((total, digit, back) => {
    const weighed = Number(digit) * (back % 2 === 0 ? 2 : 1)
    return total + (weighed > 9 ? weighed - 9 : weighed)
  }, 0)
  return String((10 - (sum % 10)) % 10)
}

const issued =
  /^(?:4(?:\d{12}|\d{15}|\d{18})|(?:5[1-5]\d\d|222[1-9]|22[3-9]\d|2[3-6]\d\d|27[01]\d|2720)\d{12}|3[47]\d{13}|(?:30[0-5]|36\d|38\d)\d{11}|35(?:2[89]|[3-8]\d)\d{12,15}|(?:6011|65\d\d|64[4-9]\d)\d{12,15}|62\d{14,17})$/

/** The rule of pan.ts, said in the plainest way: every part of the text is tried. */
function findsPan(text: string, anywhere: boolean): boolean {
  for (let from = 0; from < text.length; from++) {
    for (let to = from + 13; to <= text.length; to++) {
      const part = text.slice(from, to)
      const number = part.replace(/\D/g, '')
      const grouped = anywhere ? /^\d(?:[^\dA-Za-z]{0,3}\d){12,18}$/ : /^\d(?:[ -]?\d){12,18}$/
      if (!grouped.test(part) || !issued.test(number)) continue
      if (checkDigit(number.slice(0, -1)) !== number.at(-1)) continue
      if (anywhere) return true
      if (/\d$/.test(text.slice(0, from)) || /^\d/.test(text.slice(to))) continue
      const before = /[\da-f-]*$/i.exec(text.slice(0, from))?.[0] ?? ''
      const after = /^[\da-f-]*/i.exec(text.slice(to))?.[0] ?? ''
      const token = (before + part + after).replaceAll('-', '')
      if (token.length < 24 || !/[a-f]/i.test(token)) return true
    }
  }
  return false
}

describe('holdsPan', () => {
  it.each(published)('finds %s', (pan) => {
    expect(holdsPan(pan)).toBe(true)
    expect(holdsPan(`card${pan}x`)).toBe(true)
    expect(holdsPan(`paid ${pan}, thanks`)).toBe(true)
    expect(holdsPan(`"pan":"${pan}"`)).toBe(true)
    expect(holdsPan(pan.replace(/(\d{4})(?=\d)/g, '$1 '))).toBe(true)
    expect(holdsPan(pan.replace(/(\d{4})(?=\d)/g, '$1-'))).toBe(true)
    expect(holdsPan(`${pan}-20260115`)).toBe(true)
    expect(holdsPan(`20260115-${pan}`)).toBe(true)
  })

  it('finds the groups that American Express prints', () => {
    expect(holdsPan('3782 822463 10005')).toBe(true)
  })

  it.each([
    ['', 'nothing'],
    ['411111111111', 'twelve digits'],
    ['4111111111111112', 'a wrong check digit'],
    ['1234567890123452', 'no issuer'],
    ['41111111111111116', 'a length that its issuer does not issue'],
    ['94111111111111111', 'digits inside a longer run'],
    ['4111  1111  1111  1111', 'two spaces'],
    ['4111.1111.1111.1111', 'dots'],
    ['4111111111111111a5fbbe29c0ab44d1', 'a hexadecimal identifier'],
    ['4916cf03-4123-4567-8901-23456789abcd', 'a UUID'],
  ])('does not take %j for one: %s', (text) => {
    expect(holdsPan(text)).toBe(false)
  })

  it('looks anywhere when asked', () => {
    expect(holdsPan('94111111111111111', { anywhere: true })).toBe(true)
    expect(holdsPan('4111111111111111a5fbbe29c0ab44d1', { anywhere: true })).toBe(true)
    expect(holdsPan('4111111111111112', { anywhere: true })).toBe(false)
    expect(holdsPan('4111.1111_1111/1111', { anywhere: true })).toBe(true)
    expect(holdsPan('4111    1111 1111 1111', { anywhere: true })).toBe(false)
    const typeset = Buffer.from('4111\u00a01111\u20131111\u202f1111').toString('latin1')
    expect(holdsPan(typeset, { anywhere: true })).toBe(true)
  })

  it('finds every PAN by its rule, in any grouping', () => {
    const pan = fc
      .tuple(fc.constantFrom('4', '51', '55', '2221', '2720', '62', '6011', '649', '3589'), fc.nat(1e12 - 1))
      .map(([prefix, rest]) => (prefix + String(rest).padStart(15, '7')).slice(0, 15))
      .map((payload) => payload + checkDigit(payload))
    const separators = fc.array(fc.constantFrom('', ' ', '-'), { minLength: 15, maxLength: 15 })
    fc.assert(
      fc.property(pan, separators, (number, gaps) => {
        const text = [...number].map((digit, at) => digit + (gaps[at] ?? '')).join('')
        expect(holdsPan(text)).toBe(true)
      }),
    )
  })

  it('finds what trying every part of the text finds', () => {
    const parts = fc.oneof(
      fc.constantFrom(...published),
      fc.constantFrom(...published.map((pan) => pan.slice(1))),
      fc.string({ unit: fc.constantFrom(...'0123456789'), maxLength: 19 }),
      fc.constantFrom('4', '6', ' ', '-', '  ', 'a', 'f-', 'x', '.', '\u00a0', '....', 'abcdef'),
    )
    const spaced = fc
      .tuple(parts, fc.constantFrom('', ' ', '-', '. '), fc.integer({ min: 1, max: 6 }))
      .map(([part, gap, size]) => part.replace(new RegExp(`(\\d{${size}})(?=\\d)`, 'g'), `$1${gap}`))
    const texts = fc.array(spaced, { maxLength: 4 }).map((some) => some.join(''))
    let found = 0
    fc.assert(
      fc.property(texts, fc.boolean(), (text, anywhere) => {
        const holds = findsPan(text, anywhere)
        if (holds) found++
        expect(holdsPan(text, { anywhere })).toBe(holds)
      }),
      { numRuns: 2_000 },
    )
    expect(found).toBeGreaterThan(100)
  })

  it('takes hardly any random identifier for one', () => {
    const uuids = fc.sample(fc.uuid(), { numRuns: 20_000, seed: 1 })
    expect(uuids.filter((uuid) => holdsPan(uuid)).length).toBe(0)
  })

  it('takes bounded time for what an attacker sends', () => {
    const started = performance.now()
    for (const text of ['4'.repeat(65_536), '4-'.repeat(32_768), '4111111111111112'.repeat(4_096)]) {
      holdsPan(text)
      holdsPan(text, { anywhere: true })
    }
    expect(performance.now() - started).toBeLessThan(5_000)
  })
})
