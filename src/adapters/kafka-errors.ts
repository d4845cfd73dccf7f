import { WeirError } from '../core/errors.ts'
import { tlsFailure } from './tls-failure.ts'

/** Error types of what an ACL forbids, and what the ACL that lacks allows. */
export const deniedTypes: ReadonlyMap<unknown, string> = new Map([
  ['TOPIC_AUTHORIZATION_FAILED', 'Read on the topic where it reads it, Write where it writes it'],
  ['GROUP_AUTHORIZATION_FAILED', 'Read on the group'],
  [
    'TRANSACTIONAL_ID_AUTHORIZATION_FAILED',
    'Write on the transactional ids that begin with the group and a dash',
  ],
  ['CLUSTER_AUTHORIZATION_FAILED', 'Write on the topic'],
])

const fencedTypes = new Set(['INVALID_PRODUCER_EPOCH', 'PRODUCER_FENCED', 'INVALID_PRODUCER_ID_MAPPING'])

const tooLarge =
  'Send smaller records, or raise max.message.bytes of the topic (at brokers message.max.bytes) where they are right.'

/** Error types of what a broker does not take, however often it is sent, and what to do. */
const refusedTypes: ReadonlyMap<unknown, string> = new Map([
  [
    'INVALID_TIMESTAMP',
    "Mend the time, or the clock: it lies further from now than the topic's message.timestamp.after.max.ms (or before.max.ms) allows.",
  ],
  ['MESSAGE_TOO_LARGE', tooLarge],
  ['RECORD_LIST_TOO_LARGE', tooLarge],
])

/**
 * Any failure of the client as one of ours: fenced, no such topic, denied, refused, or unavailable; the last is retriable
 * unless a certificate is the reason.
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
    const cure = refusedTypes.get(type)
    if (cure !== undefined) {
      const what = `Kafka refused a record while ${doing}: ${cause.message} (${type})`
      return new WeirError('WEIR_LOG_REFUSED', what, { cure, cause: error })
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
