import { z } from 'zod'
import { WeirError } from '../core/errors.ts'
import type { Clock } from '../core/ports.ts'
import type { SchemaSource } from './avro.ts'
import { readSchema } from './avro-schema-files.ts'
import { textOf } from './response-text.ts'

/** As in the configuration's `schema_registry`. */
export interface SchemaRegistryOptions {
  /** Base address of the Confluent API, http or https; Apicurio has it under /apis/ccompat/v7. */
  readonly url: string
  /** For HTTP basic authentication, with `password`; null: what the address says, or none. */
  readonly username: string | null
  readonly password: string | null
  /** Registers schemas that the registry does not know; when false they must be there. */
  readonly register: boolean
}

interface Waiting {
  /** Longest wait for one answer, milliseconds; 5,000 by default. */
  readonly timeoutMs?: number
  readonly clock?: Clock
}

const mediaType = 'application/vnd.schemaregistry.v1+json'

/** How long an id that the registry does not know is not asked for again. */
const unknownForMs = 10_000
const mostUnknown = 1_000

/** Schemas are some kilobytes. */
const mostResponseBytes = 1024 * 1024

/** The registry's error code for an id that it does not know, as opposed to an address that is none of its own. */
const schemaNotFound = 40403

/** What is read of any answer. Proxies answer in HTML: then nothing is, and the status says the rest. */
const answerBody = z
  .object({ id: z.int(), schema: z.string(), error_code: z.int(), message: z.string() })
  .partial()

interface Answer {
  readonly status: number
  readonly body: z.infer<typeof answerBody>
}

/**
 * Schema ids from a Confluent Schema Registry or one that speaks its API.
 *
 * Not by @kafkajs/confluent-schema-registry: it has no time limit, and its ids cannot be looked up without avsc
 * parsing whatever the registry sends, at once and for good, before its size or kind is known.
 */
export function createSchemaRegistry(
  options: SchemaRegistryOptions,
  { timeoutMs = 5_000, clock = Date.now }: Waiting = {},
): SchemaSource {
  const unknownUntil = new Map<number, number>()

  return {
    async idOf(subject, file) {
      const path = `subjects/${encodeURIComponent(subject)}${options.register ? '/versions' : ''}`
      const answer = await request(options, timeoutMs, path, { schema: readSchema(file) })
      if (answer.status === 200 && answer.body.id !== undefined) return answer.body.id
      throw refusal(options, answer, `schemas/${file} as ${subject}`)
    },

    async schemaOf(id) {
      if ((unknownUntil.get(id) ?? 0) > clock()) return null
      const answer = await request(options, timeoutMs, `schemas/ids/${id}`)
      if (answer.status === 200 && answer.body.schema !== undefined) return answer.body.schema
      if (answer.status !== 404 || answer.body.error_code !== schemaNotFound) {
        throw refusal(options, answer, `schema id ${id}`)
      }
      if (unknownUntil.size >= mostUnknown) unknownUntil.clear()
      unknownUntil.set(id, clock() + unknownForMs)
      return null
    },
  }
}

async function request(
  options: SchemaRegistryOptions,
  timeoutMs: number,
  path: string,
  body?: object,
): Promise<Answer> {
  try {
    const response = await fetch(`${address(options)}/${path}`, {
      headers: {
        accept: mediaType,
        ...(body ? { 'content-type': mediaType } : {}),
        ...authorization(options),
      },
      ...(body ? { method: 'POST', body: JSON.stringify(body) } : {}),
      signal: AbortSignal.timeout(timeoutMs),
    })
    return { status: response.status, body: parse(await textOf(response, mostResponseBytes)) }
  } catch (cause) {
    throw new WeirError(
      'WEIR_SCHEMA_REGISTRY',
      `the schema registry at ${address(options)} does not answer`,
      {
        cure: 'Start it, or correct its address in the configuration; weir goes on by itself once it answers.',
        retriable: true,
        cause,
      },
    )
  }
}

/** Without user and password, which belong in no message, and which fetch refuses in an address. */
function address({ url }: SchemaRegistryOptions): string {
  const { origin, pathname } = new URL(url)
  return origin + pathname.replace(/\/+$/, '')
}

function authorization({ url, username, password }: SchemaRegistryOptions): Record<string, string> {
  const given = new URL(url)
  const user = username ?? decodeURIComponent(given.username)
  if (user === '') return {}
  const credentials = `${user}:${password ?? decodeURIComponent(given.password)}`
  return { authorization: `Basic ${Buffer.from(credentials).toString('base64')}` }
}

function parse(text: string): Answer['body'] {
  try {
    return answerBody.safeParse(JSON.parse(text)).data ?? {}
  } catch {
    return {}
  }
}

function refusal(options: SchemaRegistryOptions, { status, body }: Answer, what: string): WeirError {
  const said = body.message === undefined ? '' : `: ${body.message.slice(0, 300)}`
  const message = `the schema registry at ${address(options)} answers ${status} for ${what}${said}`
  return new WeirError('WEIR_SCHEMA_REGISTRY', message, {
    cure: cureFor(status, options.register),
    retriable: status >= 500 || status === 408 || status === 429,
  })
}

function cureFor(status: number, register: boolean): string {
  if (status === 401 || status === 403) return 'Correct the user and password for the registry.'
  if (status === 409)
    return 'The subject holds a schema that this one is not compatible with: see docs/contracts.md.'
  if (status === 404 && !register) return 'Register the schema, or allow weir to register it.'
  return 'Check that the address is that of the Confluent API, with its path.'
}
