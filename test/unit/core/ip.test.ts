import { BlockList, isIP } from 'node:net'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { beginning, parseAddress, parseRange } from '../../../src/core/ip.ts'

const ipv4 = fc.ipV4()
const ipv6 = fc.ipV6()

describe('an address', () => {
  it('is one exactly where Node.js sees one', () => {
    const texts = fc.oneof(
      ipv4,
      ipv6,
      fc.string({ unit: fc.constantFrom(...'0123456789abf:./'), maxLength: 20 }),
    )
    fc.assert(
      fc.property(texts, (text) => {
        // Node.js refuses leading zeros of IPv4, which some read as octal; here they are what a person reads.
        if (/(^|[.:])0\d+(\.|$)/.test(text)) return
        expect(parseAddress(text) !== null, text).toBe(isIP(text) !== 0)
      }),
    )
  })

  it('written in several ways is one address', () => {
    const same = ['2001:db8::1', '2001:0DB8:0:0:0:0:0:1', '2001:db8:0::0.0.0.1'].map(
      (text) => parseAddress(text)?.value,
    )
    expect(new Set(same).size).toBe(1)
    expect(parseAddress('::ffff:192.0.2.7')).toEqual(parseAddress('192.0.2.7'))
    expect(parseRange('::ffff:192.0.2.0/120')).toEqual(parseRange('192.0.2.0/24'))
  })

  it.each([
    '',
    '1.2.3',
    '1.2.3.256',
    '1.2.3.4/',
    '1::2::3',
    ':::',
    '12345::',
    '1.2.3.4:5',
    '::1.2.3',
    '1.2.3.4::',
    '1.2.3.4::1',
  ])('is not %j', (text) => {
    expect(parseAddress(text)).toBeNull()
  })
})

describe('a range', () => {
  it.each(['192.0.2.0/33', '192.0.2.0/-1', '2001:db8::/129', '192.0.2.0/8/9', '192.0.2.0/x'])(
    'is not %j',
    (text) => {
      expect(parseRange(text)).toBeNull()
    },
  )

  it('holds what Node.js says it holds', () => {
    const cases = fc.oneof(
      fc.tuple(ipv4, ipv4, fc.integer({ min: 0, max: 32 }), fc.constant('ipv4' as const)),
      fc.tuple(ipv6, ipv6, fc.integer({ min: 0, max: 128 }), fc.constant('ipv6' as const)),
    )
    fc.assert(
      fc.property(cases, fc.boolean(), ([start, other, prefix, family], isStart) => {
        const [address, range] = [parseAddress(isStart ? start : other), parseRange(`${start}/${prefix}`)]
        if (address === null || range === null) return
        const known = new BlockList()
        known.addSubnet(start, prefix, family)
        const holds = address.bits === range.bits && beginning(address, range.prefix) === range.value
        if (address.bits === (family === 'ipv4' ? 32 : 128) && range.bits === address.bits)
          expect(holds).toBe(known.check(isStart ? start : other, family))
      }),
    )
  })
})
