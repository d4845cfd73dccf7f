import type { Socket } from 'node:net'

/** What is larger leaves at once: a system call is little beside what it takes to copy that. */
const mostHeldBytes = 16_384

/**
 * Lets what is written within one turn of the event loop leave together. A chunk of a few records asks Redis and Kafka
 * some ten small questions, several at a time, and a system call that wakes up a server takes longer than to encode one.
 *
 * @returns `socket`.
 */
export function coalesced<S extends Socket>(socket: S): S {
  const write = socket.write
  let isHeld = false
  const release = (): void => {
    if (!isHeld) return
    isHeld = false
    socket.uncork()
  }
  socket.write = function (this: S, ...args: Parameters<Socket['write']>) {
    if (!isHeld) {
      isHeld = true
      socket.cork()
      process.nextTick(release)
    }
    const isTaken = write.apply(this, args)
    if (socket.writableLength > mostHeldBytes) release()
    return isTaken
  } as Socket['write']
  return socket
}
