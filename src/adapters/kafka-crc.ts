/** Bytes taken at a time: "slicing", M. Kounavis and F. Berry, ISCC 2005. */
const slice = 16

/** At 256 n + byte: what a byte does to the checksum when n more follow in its slice. */
const table = new Int32Array(slice * 256)
for (let byte = 0; byte < 256; byte++) {
  let crc = byte
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1
  table[byte] = crc
}
for (let at = 256; at < table.length; at++) table[at] = append(entry(at - 256), 0)

/**
 * CRC-32C (Castagnoli), the checksum of Kafka's record batches, unsigned. Words are read in the machine's order, which
 * is little-endian wherever ONNX Runtime runs.
 */
export function crc32c(bytes: Uint8Array): number {
  let crc = -1
  let at = 0
  while (at < bytes.length && (bytes.byteOffset + at) % 4 !== 0) crc = append(crc, bytes[at++] as number)
  if (at === bytes.length) return ~crc >>> 0
  const slices = Math.floor((bytes.length - at) / slice)
  const words = new Int32Array(bytes.buffer, bytes.byteOffset + at, 4 * slices)
  for (let word = 0; word < words.length; word += 4) {
    crc =
      fold(crc ^ (words[word] as number), 12) ^
      fold(words[word + 1] as number, 8) ^
      fold(words[word + 2] as number, 4) ^
      fold(words[word + 3] as number, 0)
  }
  for (at += slice * slices; at < bytes.length; at++) crc = append(crc, bytes[at] as number)
  return ~crc >>> 0
}

function entry(at: number): number {
  return table[at] as number
}

function append(crc: number, byte: number): number {
  return (crc >>> 8) ^ entry((crc ^ byte) & 255)
}

/** Four bytes at once, with so many more to follow in their slice. */
function fold(word: number, more: number): number {
  return (
    entry(256 * (more + 3) + (word & 255)) ^
    entry(256 * (more + 2) + ((word >>> 8) & 255)) ^
    entry(256 * (more + 1) + ((word >>> 16) & 255)) ^
    entry(256 * more + (word >>> 24))
  )
}
