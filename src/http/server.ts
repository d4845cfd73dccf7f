import Fastify, { type FastifyReply } from 'fastify'
import type { Registry } from 'prom-client'
import { WeirError } from '../core/errors.ts'
import { serveTestEvents, type TestEventRoute } from './test-event.ts'

/** Whether one part is well, and in a few words how it is. Must not block or throw. */
export type Probe = () => { readonly ok: boolean; readonly detail: string }

/** Probes by the name that the answer shows. */
export type Probes = Readonly<Record<string, Probe>>

export interface HttpOptions {
  readonly host: string
  /** 0: any free one. */
  readonly port: number
  readonly registry: Registry
  /** False when only a restart helps: a wedged pipeline, say. That the server answers shows a live event loop. */
  readonly live: Probes
  /** False while there is no use in sending work: not assigned yet, rebuilding, shutting down. */
  readonly ready: Probes
  /** Null: there are none. */
  readonly testEvents?: TestEventRoute | null
}

export interface HttpServer {
  /** Where it listens, with the port that was chosen. */
  readonly url: string
  /** From now on not ready, so that balancers look elsewhere before anything stops. */
  drain(): void
  close(): Promise<void>
}

/**
 * Serves /livez, /readyz (200 or 503, with each check in JSON), /metrics (Prometheus text) and, where wanted, test events.
 *
 * @throws {WeirError} WEIR_CONFIG_INVALID when the address cannot be listened on.
 */
export async function startHttp(options: HttpOptions): Promise<HttpServer> {
  const { host, port, registry, live, ready, testEvents = null } = options
  // Fastify's own answers repeat the address that was asked for, and nobody knows what is in it.
  const lost = (reply: FastifyReply) => reply.code(404).send({ message: 'there is nothing at this address' })
  const server = Fastify({
    logger: false,
    forceCloseConnections: true,
    frameworkErrors: (_, __, reply) => void lost(reply),
  })
  server.setNotFoundHandler((_, reply) => lost(reply))
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
  if (testEvents !== null) {
    serveTestEvents(server, testEvents, () => firstFailure({ shutdown: stopping, ...ready }))
  }
  server.get('/metrics', async (_, reply) => reply.type(registry.contentType).send(await registry.metrics()))

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
