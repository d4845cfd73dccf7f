import Fastify, { type FastifyInstance } from 'fastify'
import { WeirError } from '../core/errors.ts'
import type { Metrics } from '../observability/metrics.ts'
import { type ApiOptions, serveApi } from './api.ts'
import { serveOpenApi } from './openapi.ts'
import { Refused, sendProblem } from './problem.ts'

/** Whether one part is well, and in a few words how it is. Must not block or throw. */
export type Probe = () => { readonly ok: boolean; readonly detail: string }

/** Probes by the name that the answer shows. */
export type Probes = Readonly<Record<string, Probe>>

export interface HttpOptions {
  readonly host: string
  /** 0: any free one. */
  readonly port: number
  readonly metrics: Pick<Metrics, 'registry' | 'httpRequests' | 'httpSeconds'>
  /** False when only a restart helps: a wedged pipeline, say. That the server answers shows a live event loop. */
  readonly live: Probes
  /** False while there is no use in sending work: not assigned yet, rebuilding, shutting down. */
  readonly ready: Probes
  /** Null: health and metrics only. */
  readonly api?: ApiOptions | null
  /** Told what no request is to blame for. */
  readonly failed?: (error: unknown) => void
}

export interface HttpServer {
  /** Where it listens, with the port that was chosen. */
  readonly url: string
  /** From now on not ready, so that balancers look elsewhere before anything stops. */
  drain(): void
  close(): Promise<void>
}

/**
 * Serves /livez, /readyz (200 or 503, with each check in JSON), /metrics (Prometheus text) and, where wanted, the API
 * under /v1 with its description at /openapi.json.
 *
 * @throws {WeirError} WEIR_CONFIG_INVALID when the address cannot be listened on.
 */
export async function startHttp(options: HttpOptions): Promise<HttpServer> {
  const { host, port, metrics, live, ready, api = null, failed = () => {} } = options
  // Fastify's own answers repeat the address that was asked for, and nobody knows what is in it.
  const lost = new Refused(404, 'WEIR_HTTP_NOT_FOUND', 'there is nothing at this address')
  const server = Fastify({
    logger: false,
    forceCloseConnections: true,
    ...(api !== null && { bodyLimit: api.maxBytes }),
    // What is sent is refused or taken, never mended.
    ajv: {
      customOptions: {
        coerceTypes: false,
        removeAdditional: false,
        useDefaults: false,
        allowUnionTypes: true,
      },
    },
    frameworkErrors: (_, __, reply) => void sendProblem(reply, lost),
  })
  server.setNotFoundHandler((_, reply) => sendProblem(reply, lost))
  // The document says what answers look like; they are sent as they are.
  server.setSerializerCompiler(() => (value) => JSON.stringify(value))
  countRequests(server, metrics)
  let draining = false
  const stopping: Probe = () => ({ ok: !draining, detail: draining ? 'shutting down' : 'running' })

  server.get('/livez', (_, reply) => {
    const { ok, body } = runProbes(live)
    return reply.code(ok ? 200 : 503).send(body)
  })
  server.get('/readyz', (_, reply) => {
    const { ok, body } = runProbes({ shutdown: stopping, ...ready })
    return reply.code(ok ? 200 : 503).send(body)
  })
  server.get('/metrics', async (_, reply) => {
    const { registry } = metrics
    return reply.type(registry.contentType).send(await registry.metrics())
  })
  if (api !== null) {
    await serveOpenApi(server)
    const unready = () => firstFailure({ shutdown: stopping, ...ready })
    await server.register((scope) => serveApi(scope, { ...api, host }, unready, failed))
  }

  try {
    const url = await server.listen({ host, port })
    return {
      url,
      drain: () => {
        draining = true
      },
      close: () => server.close(),
    }
  } catch (cause) {
    const { message } = cause as Error
    throw new WeirError('WEIR_CONFIG_INVALID', `cannot listen on ${host}, port ${port}: ${message}`, {
      cure: 'choose another http.host or http.port (0: any free port)',
      cause,
    })
  }
}

/** By route, never by address: what is in an address nobody knows. */
function countRequests(
  server: FastifyInstance,
  { httpRequests, httpSeconds }: Pick<Metrics, 'httpRequests' | 'httpSeconds'>,
): void {
  server.addHook('onResponse', async ({ routeOptions }, reply) => {
    const route = routeOptions.url ?? 'none'
    httpRequests.inc({ route, status: reply.statusCode })
    httpSeconds.of({ route }).observe(reply.elapsedTime / 1_000)
  })
}

function firstFailure(probes: Probes): string | null {
  for (const [name, probe] of Object.entries(probes)) {
    const { ok, detail } = probe()
    if (!ok) return `${name}: ${detail}`
  }
  return null
}

function runProbes(probes: Probes) {
  const checks = Object.entries(probes).map(([name, probe]) => [name, probe()] as const)
  const ok = checks.every(([, { ok }]) => ok)
  return { ok, body: { status: ok ? 'ok' : 'unavailable', checks: Object.fromEntries(checks) } }
}
