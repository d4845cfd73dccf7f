import type { Socket } from 'node:net'
import { Relay } from './relay.ts'

/** Requests of the Kafka protocol that a member sends while it lives, by their API key. */
export const requestKinds = {
  Produce: 0,
  Fetch: 1,
  ListOffsets: 2,
  Metadata: 3,
  OffsetFetch: 9,
  FindCoordinator: 10,
  JoinGroup: 11,
  Heartbeat: 12,
  SyncGroup: 14,
  ApiVersions: 18,
  InitProducerId: 22,
  AddPartitionsToTxn: 24,
  AddOffsetsToTxn: 25,
  EndTxn: 26,
  TxnOffsetCommit: 28,
} as const
export type RequestKind = keyof typeof requestKinds

/** before: the request does not reach the broker. after: its answer does not come back. amid: half of the answer does. */
export const moments = ['before', 'after', 'amid'] as const

/** Where a connection is to be cut. */
export interface Cut {
  readonly kind: RequestKind
  readonly moment: (typeof moments)[number]
}

/** Stands between Kafka's clients and one broker, reads which request passes, and cuts the connection where it is told. */
export class KafkaProxy {
  #relay!: Relay
  #armed: { readonly cut: Cut; readonly done: () => void } | null = null

  private constructor() {}

  /** @param brokerPort where the broker listens, on 127.0.0.1; it must advertise the port of the proxy. */
  static async open(brokerPort: number): Promise<KafkaProxy> {
    const proxy = new KafkaProxy()
    proxy.#relay = await Relay.open(
      () => `127.0.0.1:${brokerPort}`,
      (client, broker) => proxy.#pass(client, broker),
    )
    return proxy
  }

  /** Where clients connect, on 127.0.0.1. */
  get port(): number {
    return this.#relay.port
  }

  /** Cuts the connection over which the next request of the kind comes. Resolves when it is cut. */
  cut(cut: Cut): Promise<void> {
    return new Promise((done) => {
      this.#armed = { cut, done }
    })
  }

  close(): void {
    this.#relay.close()
  }

  #pass(client: Socket, broker: Socket): void {
    /** The request whose answer must not come back whole. */
    let doomed: { readonly id: number; readonly cut: Cut; readonly done: () => void } | null = null
    const requests = new Frames((request) => {
      const { cut, done } = this.#armed ?? {}
      if (cut !== undefined && done !== undefined && request.readInt16BE(4) === requestKinds[cut.kind]) {
        this.#armed = null
        if (cut.moment === 'before') {
          client.destroy()
          done()
          return
        }
        doomed = { id: request.readInt32BE(8), cut, done }
      }
      broker.write(request)
    })
    const answers = new Frames((answer) => {
      if (client.destroyed || client.writableEnded) return
      if (doomed === null || answer.readInt32BE(4) !== doomed.id) {
        client.write(answer)
        return
      }
      if (doomed.cut.moment === 'amid') client.end(answer.subarray(0, answer.length / 2))
      else client.destroy()
      doomed.done()
    })
    client.on('data', (bytes) => requests.take(bytes))
    broker.on('data', (bytes) => answers.take(bytes))
  }
}

/** Cuts a stream into the messages of the protocol: each begins with its length in four bytes. */
class Frames {
  readonly #each: (frame: Buffer) => void
  #bytes: Buffer = Buffer.alloc(0)

  constructor(each: (frame: Buffer) => void) {
    this.#each = each
  }

  take(bytes: Buffer): void {
    this.#bytes = this.#bytes.length === 0 ? bytes : Buffer.concat([this.#bytes, bytes])
    while (this.#bytes.length >= 4) {
      const end = 4 + this.#bytes.readInt32BE(0)
      if (this.#bytes.length < end) return
      const frame = this.#bytes.subarray(0, end)
      this.#bytes = this.#bytes.subarray(end)
      this.#each(frame)
    }
  }
}
