import type { FastifyInstance } from 'fastify'
import type { ListName } from '../core/verdict.ts'
import type { ApiParts } from './api.ts'
import { checkQuery } from './body.ts'
import { answers } from './schemas.ts'

const largestPage = 1_000
const wholeNumber = '^(0|[1-9][0-9]{0,8})$'

/** GET /v1/rules and /v1/lists/{list}: what this member decides with now. */
export function serveControl(api: FastifyInstance, { backend, ready }: ApiParts): void {
  api.get('/v1/rules', {
    config: { role: 'analyst' },
    schema: {
      operationId: 'listRules',
      tags: ['control'],
      summary: 'The rules that hold now',
      response: answers('Rules', []),
    },
    async handler(_, reply) {
      const { offset, rules } = ready(backend()).control()
      return reply.send({ control_offset: offset, id: rules?.id ?? null, rules: rules?.file.rules ?? [] })
    },
  })

  api.get('/v1/lists/:list', {
    attachValidation: true,
    config: { role: 'analyst' },
    schema: {
      operationId: 'listEntries',
      tags: ['control'],
      summary: 'What stands on a list now, a page at a time',
      params: { type: 'object', properties: { list: { type: 'string', enum: ['allow', 'deny', 'watch'] } } },
      querystring: {
        type: 'object',
        additionalProperties: false,
        properties: {
          from: { type: 'string', pattern: wholeNumber, description: 'Entries to pass over; 0 without it.' },
          limit: {
            type: 'string',
            pattern: wholeNumber,
            description: `Entries at most, 100 without it, up to ${largestPage}.`,
          },
        },
      },
      response: answers('ListPage', [400, 404]),
    },
    async handler(request, reply) {
      checkQuery(request)
      const { list } = request.params as { list: ListName }
      const { from = '0', limit = '100' } = request.query as { from?: string; limit?: string }
      const { offset, lists } = ready(backend()).control()
      const [first, size] = [Number(from), Math.min(largestPage, Math.max(1, Number(limit)))]
      const all = [...lists.entries(list)]
      const entries = all.slice(first, first + size)
      const next = first + size < all.length ? first + size : null
      return reply.send({ control_offset: offset, total: all.length, next, entries })
    },
  })
}
