import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'

/** An address behind which another server can be put, and whose answers can be held back. */
export class SlowProxy {
  /** Milliseconds by which each answer comes late. */
  delayMs = 0
  readonly #server: Server
  readonly #sockets = new Set<Socket>()
  #target: string

  private constructor(server: Server, target: string) {
    this.#server = server
    this.#target = target
    server.on('connection', (client) => this.#connect(client))
  }

  /** @param target `host:port` of the server. */
  static async open(target: string): Promise<SlowProxy> {
    const server = createServer({ noDelay: true }).listen(0, '127.0.0.1')
    await once(server, 'listening')
    return new SlowProxy(server, target)
  }

  get address(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  /** From now on another server; clients find out by a cut connection. */
  moveTo(target: string): void {
    this.#target = target
    for (const socket of this.#sockets) socket.destroy()
  }

  close(): void {
    this.#server.close()
    for (const socket of this.#sockets) socket.destroy()
  }

  #connect(client: Socket): void {
    const [host = '', port] = this.#target.split(':')
    const server = connect({ port: Number(port), host, noDelay: true })
    for (const [one, other] of [
      [client, server],
      [server, client],
    ] as const) {
      this.#sockets.add(one)
      // What was held back is lost with the connection, as on a link that dies.
      one
        .on('error', () => {})
        .on('close', () => {
          this.#sockets.delete(one)
          other.destroy()
        })
    }
    client.on('data', (bytes) => server.write(bytes))
    let due = 0
    server.on('data', (bytes) => {
      due = Math.max(due, performance.now() + this.delayMs)
      setTimeout(() => client.write(bytes), Math.max(0, due - performance.now()))
    })
  }
}
