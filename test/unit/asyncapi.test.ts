import { readdirSync, readFileSync } from 'node:fs'
import specs from '@asyncapi/specs'
import { Ajv, type AnySchema } from 'ajv'
import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { configSchema } from '../../src/config/schema.ts'
import { deadLetter } from '../../src/core/dead-letter.ts'
import { type DeadLetter, deadLetterOf, redriveMark } from '../../src/core/redrive.ts'
import { aRecord } from '../helpers/contracts.ts'

interface Message {
  readonly payload?: { readonly schema: { readonly $ref: string } }
}

interface Description {
  readonly channels: Record<
    string,
    { address: string; bindings: { kafka: { partitions: number; replicas: number } } }
  >
  readonly components: {
    readonly messages: Record<string, Message>
    readonly schemas: Record<'deadLetterHeaders' | 'redriveMarkHeaders', { readonly required: string[] }>
  }
}

const docs = new URL('../../docs/', import.meta.url)
const text = readFileSync(new URL('asyncapi.yaml', docs), 'utf8')
const description: Description = parse(text)

/** With the Avro schemas in the place of the references to them. */
function withSchemas(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return value.map(withSchemas)
  const { $ref } = value as { $ref?: string }
  if ($ref?.endsWith('.avsc')) return JSON.parse(readFileSync(new URL($ref, docs), 'utf8'))
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, withSchemas(inner)]))
}

// Not by @asyncapi/parser: it brings 148 packages, one of which reports every installation to its makers.
const validate = new Ajv({
  meta: false,
  strict: false,
  validateFormats: false,
  validateSchema: false,
}).compile(specs.schemas['3.0.0'] as AnySchema)

describe('docs/asyncapi.yaml', () => {
  it('is AsyncAPI 3.0, and its schemas are Avro', () => {
    validate(withSchemas(description))
    expect(validate.errors).toBeNull()
  })

  it('would not be, with a mistake in it', () => {
    const broken = withSchemas(parse(text.replace('action: send', 'action: emit')))
    expect(validate(broken)).toBe(false)
    expect(validate(withSchemas(parse(text.replace('host: localhost:9092', 'url: localhost'))))).toBe(false)
  })

  it('has the topics of the default configuration', () => {
    const {
      partitions,
      replication,
      min_insync_replicas: _,
      retention_ms: __,
      ...topics
    } = configSchema.parse({}).topics
    const addresses = Object.entries(description.channels).map(([name, { address }]) => [name, address])
    expect(Object.fromEntries(addresses)).toEqual(topics)
    for (const [name, { bindings }] of Object.entries(description.channels)) {
      const { kafka } = bindings
      expect([kafka.partitions, kafka.replicas]).toEqual([name === 'control' ? 1 : partitions, replication])
    }
  })

  it('has every schema', () => {
    const referred = Object.values(description.components.messages).flatMap(({ payload }) =>
      payload ? [payload.schema.$ref.replace('../schemas/', '')] : [],
    )
    const files = readdirSync(new URL('../schemas/', docs)).filter((file) => file.endsWith('.avsc'))
    expect(referred.toSorted()).toEqual(files.toSorted())
  })

  it('has the headers of dead letters and of their marks', () => {
    const rejection = { code: 'WEIR_RECORD_EMPTY', message: 'nothing', withhold: false } as const
    const { headers = {} } = deadLetter('dl', { topic: 't', partition: 0 }, aRecord(null), rejection)
    expect(Object.keys(headers).toSorted()).toEqual(
      description.components.schemas.deadLetterHeaders.required.toSorted(),
    )
    const letter = deadLetterOf({ topic: 'dl', partition: 0 }, aRecord(null, { headers })) as DeadLetter
    expect(Object.keys(redriveMark(letter, 0).headers ?? {})).toEqual(
      description.components.schemas.redriveMarkHeaders.required,
    )
  })
})
