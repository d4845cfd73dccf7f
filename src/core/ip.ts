/** An address as a number, with its bits: 32 for IPv4, 128 for IPv6. IPv4 inside IPv6 (RFC 4291, 2.5.5.2) is IPv4. */
export interface Address {
  readonly bits: 32 | 128
  readonly value: bigint
}

/** An address or a range of them (RFC 4632), which begins with `prefix` bits. */
export interface AddressRange extends Address {
  /** 0 to `bits`; all of them: a single address. */
  readonly prefix: number
}

const mapped = 0xffffn << 32n

/** Null where the text is no address. */
export function parseAddress(text: string): Address | null {
  if (!text.includes(':')) {
    const value = parseIpv4(text)
    return value === null ? null : { bits: 32, value }
  }
  const value = parseIpv6(text)
  if (value === null) return null
  return value >> 32n === 0xffffn ? { bits: 32, value: value - mapped } : { bits: 128, value }
}

/** `192.0.2.0/24`, `2001:db8::/32`, or an address alone; null where the text is neither. */
export function parseRange(text: string): AddressRange | null {
  const [address = '', length, ...rest] = text.split('/')
  const parsed = parseAddress(address)
  if (parsed === null || rest.length > 0) return null
  if (length === undefined) return { ...parsed, prefix: parsed.bits }
  // Of an IPv4 address that is written as IPv6, the length counts 128 bits.
  const prefix = /^\d{1,3}$/.test(length)
    ? Number(length) - (address.includes(':') ? 128 - parsed.bits : 0)
    : -1
  if (prefix < 0 || prefix > parsed.bits) return null
  return { ...parsed, value: beginning(parsed, prefix), prefix }
}

/** The address with all but its first `prefix` bits 0. */
export function beginning({ bits, value }: Address, prefix: number): bigint {
  const rest = BigInt(bits - prefix)
  return (value >> rest) << rest
}

function parseIpv4(text: string): bigint | null {
  const parts = text.split('.')
  if (parts.length !== 4) return null
  let value = 0
  for (const part of parts) {
    if (!/^\d{1,3}$/.test(part) || Number(part) > 255) return null
    value = value * 256 + Number(part)
  }
  return BigInt(value)
}

function parseIpv6(text: string): bigint | null {
  const halves = text.split('::')
  if (halves.length > 2) return null
  const [head, tail] = halves.map((half, i) => groupsOf(half, i === halves.length - 1))
  if (head == null || tail === null) return null
  const missing = 8 - head.length - (tail?.length ?? 0)
  if (tail === undefined ? missing !== 0 : missing < 1) return null
  const groups = [...head, ...new Array<number>(missing).fill(0), ...(tail ?? [])]
  return groups.reduce((value, group) => (value << 16n) | BigInt(group), 0n)
}

/** Of a text without `::`; null where one is none. The last of an address may be an IPv4 address, which makes two. */
function groupsOf(text: string, isEnd: boolean): number[] | null {
  if (text === '') return []
  const groups: number[] = []
  const parts = text.split(':')
  for (const [i, part] of parts.entries()) {
    if (part.includes('.') && isEnd && i === parts.length - 1) {
      const value = parseIpv4(part)
      if (value === null) return null
      groups.push(Number(value >> 16n), Number(value & 0xffffn))
    } else if (/^[\da-fA-F]{1,4}$/.test(part)) groups.push(Number.parseInt(part, 16))
    else return null
  }
  return groups
}
