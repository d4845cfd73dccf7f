import { STATUS_CODES } from 'node:http'
import type { FastifyError, FastifyReply } from 'fastify'
import { type ErrorCode, WeirError } from '../core/errors.ts'

/** The answer to a request that is not served. Its message never holds what was sent. */
export class Refused extends Error {
  readonly status: number
  readonly code: ErrorCode
  /** Seconds after which the same request may be served; null: not by waiting. */
  readonly retryAfter: number | null

  constructor(status: number, code: ErrorCode, message: string, retryAfter: number | null = null) {
    super(message)
    this.status = status
    this.code = code
    this.retryAfter = retryAfter
  }
}

/** Problem details, RFC 9457. */
export interface Problem {
  /** `urn:weir:error:` and the code. */
  readonly type: string
  /** The status in words, RFC 9110. */
  readonly title: string
  readonly status: number
  /** Stable; its meaning is in docs/reference/errors.md. */
  readonly code: ErrorCode
  /** What is wrong with the request, without anything of what it held. */
  readonly detail: string
}

export const problemMediaType = 'application/problem+json'

/** Answers with problem details. */
export function sendProblem(reply: FastifyReply, refused: Refused): FastifyReply {
  const { status, code, message, retryAfter } = refused
  if (retryAfter !== null) void reply.header('retry-after', retryAfter)
  if (status === 401) void reply.header('www-authenticate', 'Bearer')
  const title = STATUS_CODES[status] as string
  const problem: Problem = { type: `urn:weir:error:${code}`, title, status, code, detail: message }
  return reply.code(status).type(problemMediaType).send(JSON.stringify(problem))
}

/**
 * What is answered to whatever a route threw. Fastify's own texts may repeat what was sent; these do not.
 *
 * @param maxBytes largest body that is taken.
 * @returns null for what is no fault of the request: a bug.
 */
export function refusalOf(error: unknown, maxBytes: number): Refused | null {
  if (error instanceof Refused) return error
  // Log and store: what cannot be had now may be had later, unless they deny it.
  if (error instanceof WeirError) {
    return new Refused(503, error.code, error.message, error.retriable ? 1 : null)
  }
  const { statusCode } = error as FastifyError
  if (statusCode === 413) {
    return new Refused(413, 'WEIR_RECORD_TOO_LARGE', `the body has more than ${maxBytes} bytes`)
  }
  if (statusCode === 415) {
    return new Refused(415, 'WEIR_RECORD_UNDECODABLE', 'the body is not announced as application/json')
  }
  if (statusCode === 400) return new Refused(400, 'WEIR_RECORD_UNDECODABLE', 'the body is not JSON')
  return null
}
