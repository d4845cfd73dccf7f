import { connect, type Socket } from 'node:net'
import { createServer, type Server } from 'node:tls'
import type { Certificate } from './certificates.ts'

/**
 * TLS in front of a server that has none, as a load balancer or stunnel would do it. Its certificate can be changed and
 * its connections cut while it runs.
 */
export class TlsFront {
  readonly port: number
  /** Connections that were tried since the last `count()`, TLS or not. */
  #tried = 0
  readonly #server: Server
  readonly #open = new Set<Socket>()

  private constructor(port: number, server: Server) {
    this.port = port
    this.#server = server
    server.on('connection', (socket: Socket) => {
      this.#tried++
      this.#open.add(socket)
      socket.on('error', () => {}).on('close', () => this.#open.delete(socket))
    })
  }

  /**
   * @param port of 127.0.0.1, free.
   * @param behind the server, `host:port`.
   * @param clientCa demands client certificates of this authority.
   */
  static async open(
    port: number,
    behind: string,
    certificate: Certificate,
    clientCa?: string,
  ): Promise<TlsFront> {
    const [host = '', target] = behind.split(':')
    const { cert, key } = certificate
    const mutual = clientCa === undefined ? {} : { ca: clientCa, requestCert: true, rejectUnauthorized: true }
    const server = createServer({ cert, key, ...mutual }, (secure) => {
      const plain = connect(Number(target), host)
      secure.pipe(plain).pipe(secure)
      for (const socket of [secure, plain])
        socket.on('error', () => {}).on('close', () => [secure, plain].map((one) => one.destroy()))
    })
    const front = new TlsFront(port, server)
    server.on('tlsClientError', () => {})
    await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
    return front
  }

  /** The connections that were tried since the last call. */
  count(): number {
    const tried = this.#tried
    this.#tried = 0
    return tried
  }

  /** Shows another certificate from the next connection on. */
  present({ cert, key }: Certificate): void {
    this.#server.setSecureContext({ cert, key })
  }

  cut(): void {
    for (const socket of this.#open) socket.destroy()
  }

  async close(): Promise<void> {
    this.cut()
    await new Promise((resolve) => this.#server.close(resolve))
  }
}
