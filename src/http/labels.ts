import type { FastifyInstance } from 'fastify'
import type { Label } from '../core/types.ts'
import type { Unchecked } from '../core/validate.ts'
import type { ApiParts } from './api.ts'
import { candidateOf, refusedRecord } from './body.ts'
import { answers } from './schemas.ts'

/** POST /v1/labels: what became known about a payment, appended to the labels topic. */
export function serveLabels(api: FastifyInstance, { backend, clock, ready }: ApiParts): void {
  api.post('/v1/labels', {
    attachValidation: true,
    config: { role: 'analyst' },
    schema: {
      operationId: 'sendLabel',
      tags: ['labels'],
      summary: 'Tell what became known about a payment',
      description:
        'Appended to the labels topic, stamped now. Sent again it changes nothing: the same label counts once.',
      body: { $ref: 'Label#' },
      response: answers('LabelReceipt', [400, 413, 415], 202),
    },
    async handler(request, reply) {
      const { appendLabel } = ready(backend())
      const checked = await appendLabel(candidateOf<Unchecked<Label>>(request, 'Label'), clock())
      if (!checked.ok) throw refusedRecord(checked.rejection)
      return reply.code(202).send({ label_id: checked.value.label_id })
    },
  })
}
