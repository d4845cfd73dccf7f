import type { FastifyInstance } from 'fastify'
import { readable } from '../core/feature-values.ts'
import type { Outcome } from '../core/types.ts'
import type { FoundDecision } from '../ledger/find-decision.ts'
import type { ApiParts, Backend } from './api.ts'
import { createGate } from './gate.ts'
import { Refused } from './problem.ts'
import { answers } from './schemas.ts'

/** A search reads some megabytes of the topic. */
const mostSearches = 4

/** What a payer is told of an outcome: nothing that helps to find out where the thresholds lie. */
const publicWords: Readonly<Record<Outcome, { readonly outcome: string; readonly reason: string }>> = {
  approve: { outcome: 'approved', reason: 'The payment was approved.' },
  challenge: { outcome: 'confirm', reason: 'Please confirm that it is you who pays.' },
  review: { outcome: 'pending', reason: 'The payment is being looked at.' },
  decline: { outcome: 'declined', reason: 'The payment was declined for security reasons.' },
}

const params = {
  type: 'object',
  properties: { decision_id: { type: 'string', minLength: 1, maxLength: 300 } },
}

/** GET /v1/decisions/{decision_id}/explain for who works on it, …/public for the payer. */
export function serveDecisions(api: FastifyInstance, { backend, ready }: ApiParts): void {
  const gate = createGate(mostSearches, 'searches for a decision')

  async function find(given: unknown): Promise<FoundDecision & { backend: Backend }> {
    const { decision_id } = given as { decision_id: string }
    const asked = ready(backend())
    const found = await gate(() => asked.findDecision(decision_id))
    if (found === null) throw new Refused(404, 'WEIR_HTTP_NOT_FOUND', 'no decision has this id')
    return { ...found, backend: asked }
  }

  api.get('/v1/decisions/:decision_id/explain', {
    config: { role: 'analyst' },
    schema: {
      operationId: 'explainDecision',
      tags: ['decisions'],
      summary: 'A decision with what led to it',
      params,
      response: answers('Explanation', [404]),
    },
    async handler({ params }, reply) {
      const { decision, alert, backend } = await find(params)
      return reply.send({ decision: readable(decision, backend.features), alert })
    },
  })

  api.get('/v1/decisions/:decision_id/public', {
    config: { role: 'payer' },
    schema: {
      operationId: 'publicDecision',
      tags: ['decisions'],
      summary: 'What the payer may know of a decision',
      params,
      response: answers('PublicDecision', [404]),
    },
    async handler({ params }, reply) {
      const { decision_id } = params as { decision_id: string }
      let { decision } = await find(params)
      // Of a payment that was sent twice the first decision stands.
      if (decision.duplicate_of !== null)
        decision = (await find({ decision_id: decision.duplicate_of })).decision
      return reply.send({ decision_id, ...publicWords[decision.outcome as Outcome] })
    },
  })
}
