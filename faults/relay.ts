import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'

/** A port of 127.0.0.1 in front of a server: every connection goes on to it, and both sides of it end together. */
export class Relay {
  readonly #server: Server
  readonly #sockets = new Set<Socket>()

  private constructor(server: Server) {
    this.#server = server
  }

  /**
   * @param target `host:port` of the server, asked for each connection.
   * @param onConnection passes the bytes of one connection on, or does not.
   */
  static async open(
    target: () => string,
    onConnection: (client: Socket, server: Socket) => void,
  ): Promise<Relay> {
    const listener = createServer({ noDelay: true }).listen(0, '127.0.0.1')
    await once(listener, 'listening')
    const relay = new Relay(listener)
    listener.on('connection', (client) => {
      const [host = '', port] = target().split(':')
      const server = connect({ port: Number(port), host, noDelay: true })
      relay.#tie(client, server)
      relay.#tie(server, client)
      onConnection(client, server)
    })
    return relay
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  /** Ends all connections; new ones may come. */
  drop(): void {
    for (const socket of this.#sockets) socket.destroy()
  }

  close(): void {
    this.#server.close()
    this.drop()
  }

  #tie(one: Socket, other: Socket): void {
    this.#sockets.add(one)
    one
      .on('error', () => {})
      .on('close', () => {
        this.#sockets.delete(one)
        other.destroy()
      })
  }
}
