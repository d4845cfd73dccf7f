import { createHash } from 'node:crypto'
import { createReadStream, createWriteStream } from 'node:fs'
import { open, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { createGunzip, createGzip } from 'node:zlib'
import { WeirError } from '../core/errors.ts'
import { checkReplaceable, unwritable } from '../files/write-whole.ts'

/**
 * A file of frames, gzipped: 9 bytes of head (kind, length of the key, length of the value; lengths 32 bits,
 * big-endian), the key in UTF-8, the value. The last frame, of kind `end`, holds the SHA-256 of all bytes before it, so
 * that a file is known to be whole. Written and read piece by piece, whatever its size.
 */
export interface Frame {
  readonly kind: FrameKind
  readonly key: string
  readonly value: Buffer
}

const kinds = ['end', 'head', 'customer', 'labelled', 'entity'] as const
export type FrameKind = (typeof kinds)[number]

const headBytes = 9
const digestBytes = 32
/** Larger ones are damage: the largest state has 256 KiB. */
const mostKeyBytes = 4_096
const mostValueBytes = 64 * 1_024 * 1_024
/** Frames are handed on in pieces of about this size. */
const pieceBytes = 256 * 1_024

/**
 * Writes the frames: the file appears whole or not at all.
 *
 * @throws WeirError WEIR_CLI_INPUT when it cannot be written.
 */
export async function writeFrames(path: string, frames: Iterable<Frame>): Promise<void> {
  const part = `${path}.part`
  checkReplaceable(path)
  try {
    await pipeline(pieces(frames), createGzip({ level: 1 }), createWriteStream(part, { flush: true }))
    await rename(part, path)
    await sync(dirname(path))
  } catch (cause) {
    await rm(part, { force: true })
    throw unwritable(path, cause)
  }
}

/** So that the new name, too, outlives a power failure. */
async function sync(folder: string): Promise<void> {
  const handle = await open(folder)
  await handle.sync().finally(() => handle.close())
}

async function* pieces(frames: Iterable<Frame>): AsyncGenerator<Buffer, void, undefined> {
  const hash = createHash('sha256')
  let parts: Buffer[] = []
  let bytes = 0
  for (const frame of frames) {
    const encoded = encode(frame)
    parts.push(encoded)
    bytes += encoded.length
    if (bytes < pieceBytes) continue
    const piece = Buffer.concat(parts)
    hash.update(piece)
    yield piece
    parts = []
    bytes = 0
  }
  const last = Buffer.concat(parts)
  hash.update(last)
  yield last
  yield encode({ kind: 'end', key: '', value: hash.digest() })
}

function encode({ kind, key, value }: Frame): Buffer {
  const keyBytes = Buffer.byteLength(key)
  const bytes = Buffer.allocUnsafe(headBytes + keyBytes + value.length)
  bytes.writeUInt8(kinds.indexOf(kind), 0)
  bytes.writeUInt32BE(keyBytes, 1)
  bytes.writeUInt32BE(value.length, 5)
  bytes.write(key, headBytes)
  value.copy(bytes, headBytes + keyBytes)
  return bytes
}

/**
 * The frames of a file but the last, many at a time. They can be trusted only when the generator has ended: whether the
 * file is whole shows at its end.
 *
 * @throws WeirError WEIR_STATE_SNAPSHOT where it is damaged or cut short, WEIR_CLI_INPUT when it cannot be read.
 */
export async function* readFrames(path: string): AsyncGenerator<readonly Frame[], void, undefined> {
  const hash = createHash('sha256')
  let rest: Buffer = Buffer.alloc(0)
  let isWhole = false
  const file = createReadStream(path)
  const content = createGunzip({ chunkSize: pieceBytes })
  file.on('error', (error) => content.destroy(error)).pipe(content)
  try {
    for await (const piece of content) {
      if (isWhole) throw damaged(path, 'bytes follow its end')
      rest = rest.length === 0 ? piece : Buffer.concat([rest, piece])
      const { frames, at, digest } = decode(path, rest)
      hash.update(rest.subarray(0, at))
      if (digest !== null) {
        if (!hash.digest().equals(digest)) throw damaged(path, 'its SHA-256 is another')
        isWhole = true
      }
      rest = rest.subarray(at)
      if (frames.length > 0) yield frames
    }
  } catch (error) {
    throw asReadError(path, error)
  } finally {
    file.destroy()
  }
  if (!isWhole) throw damaged(path, 'it is cut short')
}

/** The frames that are there whole, where the next one begins, and the digest if the end was reached. */
function decode(path: string, bytes: Buffer): { frames: Frame[]; at: number; digest: Buffer | null } {
  const frames: Frame[] = []
  let at = 0
  while (bytes.length - at >= headBytes) {
    const kind = kinds[bytes.readUInt8(at)]
    const keyBytes = bytes.readUInt32BE(at + 1)
    const valueBytes = bytes.readUInt32BE(at + 5)
    if (kind === undefined || keyBytes > mostKeyBytes || valueBytes > mostValueBytes) {
      throw damaged(path, 'it holds what is no state')
    }
    const key = at + headBytes
    const end = key + keyBytes + valueBytes
    if (end > bytes.length) break
    // A copy: else each state would keep the whole piece in memory.
    const value = Buffer.from(bytes.subarray(key + keyBytes, end))
    if (kind === 'end') {
      if (valueBytes !== digestBytes || end !== bytes.length) throw damaged(path, 'bytes follow its end')
      return { frames, at, digest: value }
    }
    frames.push({ kind, key: bytes.toString('utf8', key, key + keyBytes), value })
    at = end
  }
  return { frames, at, digest: null }
}

/** A file that is no snapshot, or no longer one. */
export function damaged(path: string, why: string): WeirError {
  return new WeirError('WEIR_STATE_SNAPSHOT', `${path} is no whole snapshot of states: ${why}`, {
    cure: 'copy it again, or make it again by `weir replay --state`',
  })
}

function asReadError(path: string, error: unknown): unknown {
  if (!isSystemError(error)) return error
  const { code } = error
  if (code === 'Z_BUF_ERROR') return damaged(path, 'it is cut short')
  if (code.startsWith('Z_')) return damaged(path, error.message)
  return new WeirError('WEIR_CLI_INPUT', `cannot read ${path}: ${error.message}`, {
    cure: 'check the path and its rights',
    cause: error,
  })
}

const isSystemError = (error: unknown): error is NodeJS.ErrnoException & { code: string } =>
  error instanceof Error && !(error instanceof WeirError) && 'code' in error
