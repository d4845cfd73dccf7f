import type { FastifyInstance } from 'fastify'
import { type ReadableDecision, readable } from '../core/feature-values.ts'
import type { Alert, Transaction } from '../core/types.ts'
import type { Unchecked } from '../core/validate.ts'
import type { ApiParts } from './api.ts'
import { candidateOf, refusedRecord } from './body.ts'
import { createGate } from './gate.ts'
import { answers } from './schemas.ts'

/** What is sent back. */
export interface ScoreBody {
  readonly decision: ReadableDecision
  readonly alert: Alert | null
}

/** POST /v1/score: a payment in the contract's field names, answered with the decision that weir would make now. */
export function serveScore(
  api: FastifyInstance,
  { backend, clock, concurrentScores, ready }: ApiParts,
): void {
  const gate = createGate(concurrentScores, 'payments to score')
  api.post('/v1/score', {
    attachValidation: true,
    config: { role: 'score' },
    schema: {
      operationId: 'score',
      tags: ['score'],
      summary: 'What would be decided if this payment came now',
      description:
        'Changes nothing and counts nowhere: a payment is decided by sending it to the transactions topic. The same body has the same answer while states, model, policy, rules and lists stand.',
      querystring: {
        type: 'object',
        additionalProperties: false,
        properties: {
          record_timestamp: {
            type: 'string',
            pattern: '^[0-9]{1,15}$',
            description: 'When the record would be stamped, epoch milliseconds; now without it.',
          },
        },
      },
      body: { $ref: 'Transaction#' },
      response: answers('Score', [400, 413, 415]),
    },
    async handler(request, reply) {
      const { scoreNow, features } = ready(backend())
      const candidate = candidateOf<Unchecked<Transaction>>(request, 'Transaction')
      const { record_timestamp } = request.query as { record_timestamp?: string }
      const checked = await gate(() => scoreNow(candidate, Number(record_timestamp ?? clock())))
      if (!checked.ok) throw refusedRecord(checked.rejection)
      const { decision, alert } = checked.value
      return reply.send({ decision: readable(decision, features), alert } satisfies ScoreBody)
    },
  })
}
