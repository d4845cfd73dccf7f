import { WeirError } from '../core/errors.ts'
import { tlsFailure } from './tls-failure.ts'

/** What a person has to mend: who weir says it is, and what its user may do. */
const denied = /^(WRONGPASS|NOAUTH|NOPERM)/

/** What ioredis says to a call while it connects; why it has to is told to `onConnection`. */
const unconnected =
  /^(Stream isn't writeable|Reached the max retries per request|Cluster isn't ready|Connection is closed)/

/**
 * Any failure as one of ours; retriable unless a certificate, the login, a right or the kind of server is the reason.
 *
 * @param server as a sentence begins with it.
 */
export function unavailable(cause: unknown, server = 'Redis'): WeirError {
  const why = cause instanceof Error ? cause.message : String(cause)
  const tls = tlsFailure(cause, 'redis')
  if (tls !== undefined) {
    const { reason, cure } = tls
    return new WeirError('WEIR_STORE_UNAVAILABLE', `${server} cannot be reached: ${reason}.`, { cure, cause })
  }
  if (denied.test(why)) {
    const cure = why.startsWith('NOPERM')
      ? 'Give the user of redis.username the rights of docs/security.md.'
      : 'Correct redis.username and redis.password.'
    return new WeirError('WEIR_STORE_UNAVAILABLE', `${server} refused it: ${why}`, { cure, cause })
  }
  if (why.includes('cluster support disabled')) {
    const message = 'redis.cluster_nodes names a server that is not of a Redis Cluster.'
    const cure = 'Name it in redis.url, and leave redis.cluster_nodes out.'
    return new WeirError('WEIR_STORE_UNAVAILABLE', message, { cure, cause })
  }
  const said = unconnected.test(why) ? 'there is no connection' : why
  return new WeirError('WEIR_STORE_UNAVAILABLE', `${server} did not answer: ${said}`, {
    retriable: true,
    cause,
  })
}
