const m = 0x5bd1e995

/**
 * MurmurHash2 (A. Appleby, public domain), 32 bits, as org.apache.kafka.common.utils.Utils has it; signed.
 * Kafka's own producers choose partitions by it, so every producer of payments agrees where a customer lies.
 */
export function murmur2(bytes: Uint8Array): number {
  const { length } = bytes
  const whole = length - (length % 4)
  let h = 0x9747b28c ^ length
  for (let at = 0; at < whole; at += 4) {
    const word =
      byte(bytes, at) | (byte(bytes, at + 1) << 8) | (byte(bytes, at + 2) << 16) | (byte(bytes, at + 3) << 24)
    const k = Math.imul(word, m)
    h = Math.imul(h, m) ^ Math.imul(k ^ (k >>> 24), m)
  }
  if (length > whole) {
    for (let at = length - 1; at >= whole; at--) h ^= byte(bytes, at) << (8 * (at - whole))
    h = Math.imul(h, m)
  }
  h = Math.imul(h ^ (h >>> 13), m)
  return h ^ (h >>> 15)
}

const byte = (bytes: Uint8Array, at: number): number => bytes[at] as number

const utf8 = new TextEncoder()

/** The partition that Kafka's default partitioner gives a key: 0 to partitions - 1. */
export function partitionOf(key: string | Uint8Array, partitions: number): number {
  return (murmur2(typeof key === 'string' ? utf8.encode(key) : key) & 0x7fffffff) % partitions
}
