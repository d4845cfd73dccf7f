import type { FastifyInstance } from 'fastify'
import { readable } from '../core/feature-values.ts'
import { type Language, languages } from '../core/narrative/language.ts'
import { narrate } from '../core/narrative/narrate.ts'
import type { Alert, Decision, Outcome } from '../core/types.ts'
import type { ApiParts } from './api.ts'
import { checkQuery } from './body.ts'
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

  async function find(id: string): Promise<Decision> {
    const found = await ready(backend()).findDecision(id)
    if (found === null) throw new Refused(404, 'WEIR_HTTP_NOT_FOUND', 'no decision has this id')
    return found
  }

  api.get('/v1/decisions/:decision_id/explain', {
    attachValidation: true,
    config: { role: 'analyst' },
    schema: {
      operationId: 'explainDecision',
      tags: ['decisions'],
      summary: 'A decision with what led to it',
      params,
      querystring: {
        type: 'object',
        additionalProperties: false,
        properties: {
          language: {
            type: 'string',
            enum: languages,
            description: 'Of the narrative; without it as it was written.',
          },
        },
      },
      response: answers('Explanation', [400, 404]),
    },
    async handler(request, reply) {
      checkQuery(request)
      const { decision_id } = request.params as { decision_id: string }
      const { language } = request.query as { language?: Language }
      const { features, findAlert, explain } = ready(backend())
      const found = await gate(async () => {
        const decision = await find(decision_id)
        const alert = await findAlert(decision_id)
        const why = alert === null || alert.base === null ? await explain(decision) : alert
        return { decision, alert, why }
      })
      const { decision, why } = found
      const narrative = (alert: Alert) =>
        language === undefined ? alert.narrative : narrate(alert, language)
      return reply.send({
        decision: readable(decision, features),
        base: why?.base ?? null,
        contributions: why?.contributions ?? [],
        alert: found.alert && { ...found.alert, narrative: narrative(found.alert) },
      })
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
      const { outcome } = await gate(async () => {
        const decision = await find(decision_id)
        // Of a payment that was sent twice the first decision stands.
        return decision.duplicate_of === null ? decision : find(decision.duplicate_of)
      })
      return reply.send({ decision_id, ...publicWords[outcome as Outcome] })
    },
  })
}
