import { once } from 'node:events'
import { createWriteStream } from 'node:fs'
import type { Duplex } from 'node:stream'
import { finished } from 'node:stream/promises'
import { unwritable } from './write-whole.ts'

/** A file that is written bit by bit, under its own name. */
export interface Written<T> {
  /** Waits while the disk is behind. */
  write(value: T): Promise<void>
  /** Resolves when everything is on disk. */
  close(): Promise<void>
}

/**
 * @param encoder turns what is written into bytes; without it, text is written.
 * @throws {WeirError} WEIR_CLI_INPUT when the file cannot be opened; `write` and `close` throw it when a disk fills up.
 */
export async function openWritten(path: string): Promise<Written<string>>
export async function openWritten(path: string, encoder: Duplex): Promise<Written<object>>
export async function openWritten(path: string, encoder?: Duplex): Promise<Written<unknown>> {
  const file = createWriteStream(path)
  // The disk may fail while nobody waits for it: kept for whoever writes next.
  const failed = new AbortController()
  const { signal } = failed
  file.on('error', (cause) => failed.abort(unwritable(path, cause)))
  const unlessFailed = (work: Promise<unknown>) =>
    work.then(
      () => {},
      (error: unknown) => {
        throw signal.reason ?? error
      },
    )
  await unlessFailed(once(file, 'open'))
  const head = encoder ?? file
  encoder?.pipe(file)
  return {
    async write(value) {
      signal.throwIfAborted()
      if (!head.write(value)) await unlessFailed(once(head, 'drain', { signal }))
    },
    async close() {
      head.end()
      await unlessFailed(finished(file))
    },
  }
}
