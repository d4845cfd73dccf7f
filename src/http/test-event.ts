import type { FastifyError, FastifyInstance, FastifyReply } from 'fastify'
import { WeirError } from '../core/errors.ts'
import type { Alert, Decision, Transaction } from '../core/types.ts'
import type { Unchecked } from '../core/validate.ts'
import type { TestEvent } from '../stream/test-event.ts'

export interface TestEventRoute {
  /** Null while there is nobody to ask. */
  readonly answer: () => TestEvent | null
  /** Every field of the contract. */
  readonly fields: readonly string[]
  /** Names of the features, in the order of Decision.features. */
  readonly features: readonly string[]
  /** Larger bodies are refused, bytes. */
  readonly maxBytes: number
  /** Epoch milliseconds. */
  readonly clock: () => number
}

/** Codes of what is wrong with a request; a text never holds what the request held. */
interface Refusal {
  readonly status: number
  readonly code: WeirError['code']
  readonly message: string
}

/**
 * POST /v1/test-event: a payment in the contract's field names, answered with the decision that weir would make now.
 *
 * @param unready what keeps the member from being ready, in words; null when nothing does.
 */
export function serveTestEvents(
  server: FastifyInstance,
  route: TestEventRoute,
  unready: () => string | null,
): void {
  const fields = new Set(route.fields)
  server.post('/v1/test-event', {
    bodyLimit: route.maxBytes,
    errorHandler: (error: FastifyError | WeirError, _, reply) =>
      refuse(reply, refusalOf(error, route.maxBytes)),
    async handler({ body, query }, reply) {
      const why = unready()
      const answer = route.answer()
      if (why !== null || answer === null) {
        return refuse(reply, { status: 503, code: 'WEIR_HTTP_NOT_READY', message: why ?? 'starting' })
      }
      const { record_timestamp } = query as { record_timestamp?: string }
      const timestamp = record_timestamp === undefined ? route.clock() : Number(record_timestamp)
      if (!Number.isSafeInteger(timestamp)) {
        return refuse(reply, outOfRange('record_timestamp is not a number of milliseconds since 1970'))
      }
      if (typeof body !== 'object' || body === null || Array.isArray(body)) {
        return refuse(reply, undecodable('the body is not a JSON object'))
      }
      const unknown = Object.keys(body).find((name) => !fields.has(name))
      if (unknown !== undefined) {
        const name = /^[A-Za-z_]{1,40}$/.test(unknown) ? `field ${unknown}` : 'a field'
        return refuse(reply, undecodable(`the body has ${name} that schemas/transaction.avsc lacks`))
      }
      const absent = Object.fromEntries(route.fields.map((name) => [name, null]))
      const checked = await answer({ ...absent, ...body } as Unchecked<Transaction>, timestamp)
      if (!checked.ok) return refuse(reply, { status: 400, ...checked.rejection })
      const { decision, alert } = checked.value
      return reply.send({ decision: readable(decision, route.features), alert } satisfies TestEventBody)
    },
  })
}

/** What is sent back. */
export interface TestEventBody {
  readonly decision: Omit<Decision, 'features'> & {
    /** By name; null: missing. Empty where nothing was scored. */
    readonly features: Readonly<Record<string, number | null>>
  }
  readonly alert: Alert | null
}

function readable(decision: Decision, names: readonly string[]): TestEventBody['decision'] {
  const { features } = decision
  const scored = features.length === 0 ? [] : names
  const values = scored.map((name, i) => {
    const value = features.readFloatLE(4 * i)
    return [name, Number.isNaN(value) ? null : value] as const
  })
  return { ...decision, features: Object.fromEntries(values) }
}

const undecodable = (message: string): Refusal => ({ status: 400, code: 'WEIR_RECORD_UNDECODABLE', message })
const outOfRange = (message: string): Refusal => ({ status: 400, code: 'WEIR_RECORD_OUT_OF_RANGE', message })

function refuse(reply: FastifyReply, { status, code, message }: Refusal): FastifyReply {
  return reply.code(status).send({ code, message })
}

/** Fastify's own texts may repeat what was sent; these do not. */
function refusalOf(error: FastifyError | WeirError, maxBytes: number): Refusal {
  if (error instanceof WeirError) return { status: 503, code: error.code, message: error.message }
  if (error.statusCode === 413) {
    return { status: 413, code: 'WEIR_RECORD_TOO_LARGE', message: `the body has more than ${maxBytes} bytes` }
  }
  if (error.statusCode === 415) {
    return { ...undecodable('the body is not announced as application/json'), status: 415 }
  }
  if (error.statusCode === 400) return undecodable('the body is not JSON')
  throw error
}
