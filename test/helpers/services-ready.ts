import { type AddressInfo, connect, createServer } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'

/** Nobody listens on them yet: the system may name one again. */
const promised = new Set<number>()

/** A TCP port that was free a moment ago, and that this process has not been given before. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  if (promised.has(port)) return freePort()
  promised.add(port)
  return port
}

/**
 * Tries until it answers. `failed` tells why there is no more to hope for; null while there is.
 *
 * @throws Error after 90 seconds, or as soon as `failed` says so.
 */
export async function untilReady(
  what: string,
  answers: () => Promise<boolean>,
  failed: () => string | null = () => null,
): Promise<void> {
  const deadline = Date.now() + 90_000
  while (!(await answers())) {
    const reason = failed()
    if (reason !== null) throw new Error(`${what} ended while starting: ${reason}`)
    if (Date.now() > deadline) throw new Error(`${what} did not answer within 90 seconds`)
    await pause(100)
  }
}

/** Whether a broker has joined its cluster: asked for metadata, it names at least one live broker. */
export async function kafkaAnswers(address: string): Promise<boolean> {
  const metadataV1 = Buffer.from('0000000e' + '0003' + '0001' + '00000000' + 'ffff' + '00000000', 'hex')
  const reply = await ask(address, metadataV1)
  const [size, correlation] = [4, 4]
  return reply.length > 12 && reply.readInt32BE(size + correlation) > 0
}

/** Whether a Redis takes commands: it refuses PING while it loads its data. */
export async function redisAnswers(address: string): Promise<boolean> {
  return (await ask(address, Buffer.from('PING\r\n'))).toString().startsWith('+PONG')
}

/** The first bytes of the reply; none when there is no reply within a second. */
function ask(address: string, request: Buffer): Promise<Buffer> {
  const [host = '', port] = address.split(':')
  return new Promise((resolve) => {
    const socket = connect(Number(port), host)
    const end = (reply = Buffer.alloc(0)) => {
      socket.destroy()
      resolve(reply)
    }
    socket.setTimeout(1_000, () => end())
    socket.on('error', () => end()).on('close', () => end())
    socket.on('data', end)
    socket.write(request)
  })
}
