/**
 * Hashes of identifiers for packed state: the same on every platform and for ever, since states outlive releases.
 * Two 32-bit lanes of multiply-and-rotate over UTF-16 code units, closed with the finaliser of MurmurHash3
 * (A. Appleby, public domain). Not for security: an attacker who can choose identifiers can at worst make two of
 * his own look alike.
 */

import { lengthOf, unitAt } from './text.ts'

/** 0 to 2^53-1, exact in a float64. */
export function hash53(text: string): number {
  const length = lengthOf(text)
  let a = 0x9e3779b9 ^ length
  let b = 0x85ebca6b
  for (let i = 0; i < length; i++) {
    const unit = unitAt(text, i)
    a = Math.imul(a ^ unit, 0xcc9e2d51)
    a = (a << 13) | (a >>> 19)
    b = Math.imul(b ^ unit, 0x1b873593)
    b = (b << 15) | (b >>> 17)
  }
  const low = finalise(a ^ Math.imul(b, 5))
  const high = finalise(b ^ Math.imul(low, 3))
  return (high & 0x1fffff) * 0x1_0000_0000 + low
}

/** 1 to 2^32-1 of an identifier; 0 stands for "no identifier". */
export function hash32(text: string | null): number {
  if (text === null) return 0
  return hash53(text) >>> 0 || 1
}

function finalise(x: number): number {
  let h = x
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b)
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
  return (h ^ (h >>> 16)) >>> 0
}
