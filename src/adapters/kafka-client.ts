import { connect as connectTcp, isIP } from 'node:net'
import { connect as connectTls } from 'node:tls'
import type { ISocketFactory, Kafka, KafkaConfig, RetryOptions, SASLOptions } from 'kafkajs'
import { coalesced } from './coalesced.ts'
import { kafkajs } from './kafka-patches.ts'

export type {
  Admin,
  Consumer,
  EachBatchPayload,
  Message,
  Producer,
  RetryOptions,
  TopicMessages,
} from 'kafkajs'

export interface KafkaClientOptions {
  /** `host:port` of the brokers to ask first. */
  readonly brokers: readonly string[]
  /** Name in the brokers' logs and quotas. Default `weir`. */
  readonly clientId?: string
  /** PEM texts; `true` trusts the system's authorities. Absent: no TLS. */
  readonly tls?: true | { readonly ca?: string; readonly cert?: string; readonly key?: string }
  readonly sasl?: {
    readonly mechanism: 'plain' | 'scram-sha-256' | 'scram-sha-512'
    readonly username: string
    readonly password: string
  }
  /** Where the client's own warnings and errors go. Default: nowhere. */
  readonly logger?: KafkaLogger
}

export type KafkaLogger = (level: 'error' | 'warn' | 'info', message: string, details: object) => void

/**
 * A client of its own. Not shared between consumers and producers: clients cache committed offsets by group, and
 * `retry` governs every step of theirs.
 */
export function createKafkaClient(options: KafkaClientOptions, retry: RetryOptions): Kafka {
  const { brokers, clientId = 'weir', tls, sasl, logger } = options
  const { logLevel } = kafkajs
  const config: KafkaConfig = {
    brokers: [...brokers],
    clientId,
    retry,
    connectionTimeout: 5_000,
    requestTimeout: 15_000,
    socketFactory: openSocket,
    logLevel: logger === undefined ? logLevel.NOTHING : logLevel.WARN,
    logCreator: () => (entry) => {
      const { message, timestamp, logger: _, ...details } = entry.log
      logger?.(entry.level === logLevel.ERROR ? 'error' : 'warn', message, details)
    },
  }
  if (tls !== undefined) config.ssl = tls
  if (sasl !== undefined) config.sasl = sasl as SASLOptions
  return new kafkajs.Kafka(config)
}

/** After so much silence the system asks whether the peer is there, milliseconds. */
const keepAliveMs = 60_000

/** As kafkajs's own, but for what it leaves to the system: a request does not wait until the one before is acknowledged. */
const openSocket: ISocketFactory = ({ host, port, ssl, onConnect }) => {
  const name = isIP(host) === 0 ? { servername: host } : {}
  const socket = ssl
    ? connectTls({ host, port, ...name, ...ssl }, onConnect)
    : connectTcp({ host, port }, onConnect)
  socket.setKeepAlive(true, keepAliveMs)
  socket.setNoDelay(true)
  return coalesced(socket)
}
