import type { Kafka, KafkaConfig, RetryOptions, SASLOptions } from 'kafkajs'
import { WeirError } from '../core/errors.ts'
import { deniedTypes, kafkajs } from './kafka-patches.ts'
import { tlsFailure } from './tls-failure.ts'

export type {
  Admin,
  Consumer,
  EachBatchPayload,
  Message,
  Producer,
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
 * `retry` governs every step of theirs, the start of a transaction included.
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

const fencedTypes = new Set(['INVALID_PRODUCER_EPOCH', 'PRODUCER_FENCED', 'INVALID_PRODUCER_ID_MAPPING'])

/**
 * Any failure of the client as one of ours: fenced, no such topic, denied, or unavailable; the last is retriable unless
 * a certificate is the reason.
 */
export function asLogError(error: unknown, doing: string): WeirError {
  if (error instanceof WeirError) return error
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    const { type } = cause as { type?: string }
    // 90 is PRODUCER_FENCED, which the client does not know by name.
    if (fencedTypes.has(type ?? '') || cause.message === 'Unknown error code 90') {
      return new WeirError('WEIR_LOG_FENCED', `Another writer took over while ${doing}.`, { cause: error })
    }
    if (type === 'UNKNOWN_TOPIC_OR_PARTITION') {
      return new WeirError('WEIR_LOG_TOPIC', `A topic is missing while ${doing}.`, {
        cure: 'Create the topics: weir topics create.',
        cause: error,
      })
    }
    const lacking = deniedTypes.get(type)
    if (lacking !== undefined) {
      return new WeirError('WEIR_LOG_DENIED', `Kafka denied it while ${doing}: ${cause.message} (${type})`, {
        cure: `Give the user of kafka.sasl or kafka.tls the ACLs of docs/security.md; here ${lacking}.`,
        cause: error,
      })
    }
    if (cause.name === 'KafkaJSSASLAuthenticationError') {
      return new WeirError('WEIR_LOG_DENIED', `Kafka refused the login while ${doing}: ${cause.message}`, {
        cure: 'Check mechanism, username and password of kafka.sasl.',
        cause: error,
      })
    }
  }
  const refused = tlsFailure(error, 'kafka')
  if (refused !== undefined) {
    const { reason, cure } = refused
    return new WeirError('WEIR_LOG_UNAVAILABLE', `Kafka cannot be reached while ${doing}: ${reason}.`, {
      cure,
      cause: error,
    })
  }
  const why = error instanceof Error ? error.message : String(error)
  return new WeirError('WEIR_LOG_UNAVAILABLE', `Kafka failed while ${doing}: ${why}`, {
    cure: 'Check that the brokers run and that kafka.brokers, kafka.tls and kafka.sasl are theirs.',
    retriable: true,
    cause: error,
  })
}

/** True where the error, or what caused it, is of this protocol error type. */
export function isErrorType(error: unknown, wanted: string): boolean {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    if ((cause as { type?: string }).type === wanted) return true
  }
  return false
}
