import type { Socket } from 'node:net'
import { Relay } from './relay.ts'

/** An address behind which another server can be put, and whose answers can be held back. */
export class SlowProxy {
  /** Milliseconds by which each answer comes late. */
  delayMs = 0
  #relay!: Relay
  #target: string

  private constructor(target: string) {
    this.#target = target
  }

  /** @param target `host:port` of the server. */
  static async open(target: string): Promise<SlowProxy> {
    const proxy = new SlowProxy(target)
    proxy.#relay = await Relay.open(
      () => proxy.#target,
      (client, server) => proxy.#pass(client, server),
    )
    return proxy
  }

  /** Where clients connect, on 127.0.0.1. */
  get port(): number {
    return this.#relay.port
  }

  get address(): string {
    return `127.0.0.1:${this.port}`
  }

  /** From now on another server; clients find out by a cut connection. */
  moveTo(target: string): void {
    this.#target = target
    this.#relay.drop()
  }

  close(): void {
    this.#relay.close()
  }

  /** What was held back is lost with the connection, as on a link that dies. */
  #pass(client: Socket, server: Socket): void {
    client.on('data', (bytes) => server.write(bytes))
    let due = 0
    server.on('data', (bytes) => {
      due = Math.max(due, performance.now() + this.delayMs)
      // A timer drops what is less than a millisecond.
      setTimeout(() => client.write(bytes), Math.max(0, Math.ceil(due - performance.now())))
    })
  }
}
