import swagger from '@fastify/swagger'
import Fastify, { type FastifyInstance } from 'fastify'
import { serveApi } from './api.ts'
import type { JsonSchema } from './contract-schema.ts'
import { schemas } from './schemas.ts'

/** GET /openapi.json: made from the routes and from the schemas that what is sent is checked against. */
export async function serveOpenApi(server: FastifyInstance): Promise<void> {
  await server.register(swagger, {
    hideUntagged: true,
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'weir',
        version: '1',
        description: 'Score a payment, explain a decision, send a label. Meaning and examples: docs/http.md.',
      },
      components: { securitySchemes: { key: { type: 'http', scheme: 'bearer' } } },
      security: [{ key: [] }],
    },
    refResolver: { buildLocalReference: ({ $id }) => String($id) },
  })
  for (const [name, schema] of Object.entries<JsonSchema>(schemas)) server.addSchema({ $id: name, ...schema })
  server.get('/openapi.json', () => server.swagger())
}

/** docs/openapi.json. */
export async function renderOpenApi(): Promise<string> {
  const server = Fastify()
  await serveOpenApi(server)
  const nobody = {
    host: '',
    keys: [],
    backend: () => null,
    maxBytes: 1,
    requestsPerSecond: 1,
    concurrentScores: 1,
    clock: () => 0,
  }
  const unready = () => null
  await server.register((scope) => serveApi(scope, nobody, unready, () => {}))
  await server.ready()
  return `${JSON.stringify(server.swagger(), null, 2)}\n`
}
