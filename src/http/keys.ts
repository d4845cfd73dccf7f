import { createHash, timingSafeEqual } from 'node:crypto'
import type { FastifyRequest } from 'fastify'
import { Refused } from './problem.ts'

/** What a caller may do; each may also do what those before it may. */
export const roles = ['payer', 'score', 'analyst'] as const
export type Role = (typeof roles)[number]

/** A caller that is known by its key. */
export interface ApiKey {
  /** Stands in for the key wherever a caller is counted. */
  readonly name: string
  readonly role: Role
  /** SHA-256 of the key's UTF-8 bytes, 64 hexadecimal digits. */
  readonly sha256: string
}

/** Whoever calls from the same machine where no keys are given. */
const local: Pick<ApiKey, 'name' | 'role'> = { name: 'local', role: 'analyst' }

const isLoopback = (host: string): boolean => /^(127\.\d+\.\d+\.\d+|\[?::1\]?|localhost)$/.test(host)

/**
 * Who calls, by `Authorization: Bearer KEY`. Without any key configured everybody is let in, but only where weir listens
 * on a loopback address; and a request must call it by such a name, so that no web page can have a browser ask.
 *
 * @throws {Refused} 401 without a known key, 403 where nobody has one.
 */
export function createKeyring(
  keys: readonly ApiKey[],
  host: string,
): (request: Pick<FastifyRequest, 'headers' | 'hostname'>) => Pick<ApiKey, 'name' | 'role'> {
  const known = keys.map(({ sha256, ...key }) => ({ ...key, digest: Buffer.from(sha256, 'hex') }))
  return ({ headers, hostname }) => {
    if (known.length === 0) {
      if (isLoopback(host) && isLoopback(hostname)) return local
      throw new Refused(
        403,
        'WEIR_HTTP_DENIED',
        'no keys are configured (http.keys), and this is no loopback address',
      )
    }
    const [, given] = /^Bearer ([\x21-\x7e]{1,512})$/i.exec(headers.authorization ?? '') ?? []
    if (given === undefined) throw unknown('the request has no header Authorization: Bearer KEY')
    const digest = createHash('sha256').update(given).digest()
    // All are compared, so that the time tells nothing of which one it is.
    const found = known.filter((key) => timingSafeEqual(key.digest, digest))
    if (found[0] === undefined) throw unknown('the key is not known')
    return found[0]
  }
}

/** @throws {Refused} 403 where a route asks for more than the caller may. */
export function checkRole(caller: Pick<ApiKey, 'role'>, needed: Role): void {
  if (roles.indexOf(caller.role) >= roles.indexOf(needed)) return
  throw new Refused(
    403,
    'WEIR_HTTP_DENIED',
    `this needs the role ${needed}, the key has the role ${caller.role}`,
  )
}

const unknown = (message: string) => new Refused(401, 'WEIR_HTTP_UNAUTHENTICATED', message)
