import { readdirSync, readFileSync } from 'node:fs'
import avsc, { type Type } from 'avsc'
import { describe, expect, it } from 'vitest'
import { createCodec } from '../../src/adapters/avro.ts'
import { createContracts } from '../../src/adapters/avro-contracts.ts'
import { createFileSchemaSource, readSchema } from '../../src/adapters/avro-schema-files.ts'
import type { Transaction } from '../../src/core/types.ts'
import { aDecision, aRecord, aTransaction } from '../helpers/contracts.ts'

// Every version of a schema that was ever released, or that a producer was built on, by schema and number.
const oldSchemas = new URL('../fixtures/schemas-old/', import.meta.url)

/** Inputs: today's reader reads every older writer. Outputs: every older reader reads today's writer. */
const directions = {
  transaction: ['backward'],
  label: ['backward'],
  'case-action': ['backward'],
  control: ['backward'],
  decision: ['forward'],
  alert: ['forward'],
  // Members of both versions run side by side while one replaces the other.
  'entity-update': ['backward', 'forward'],
} as const

const names = Object.keys(directions) as (keyof typeof directions)[]

function parse(text: string): Type {
  return avsc.Type.forSchema(JSON.parse(text))
}

function versions(name: string): { version: string; text: string }[] {
  const folder = new URL(`${name}/`, oldSchemas)
  return readdirSync(folder).map((version) => ({
    version,
    text: readFileSync(new URL(version, folder), 'utf8'),
  }))
}

/** What is wrong between two versions, or nothing. */
function breaks(direction: string, today: string, old: string): string | undefined {
  const [reader, writer] = direction === 'backward' ? [today, old] : [old, today]
  try {
    parse(reader).createResolver(parse(writer))
    return undefined
  } catch (error) {
    return (error as Error).message
  }
}

const cases = names.flatMap((name) =>
  directions[name].flatMap((direction) => versions(name).map((old) => ({ name, direction, ...old }))),
)

describe('schemas', () => {
  it.each(cases)('$name stays $direction compatible with $version', ({ name, direction, text }) => {
    expect(breaks(direction, readSchema(`${name}.avsc`), text)).toBeUndefined()
  })

  it('all have an older version to be compared with, and an id', async () => {
    const files = readdirSync(new URL('../../schemas/', import.meta.url)).filter((file) =>
      file.endsWith('.avsc'),
    )
    expect(files.toSorted()).toEqual(names.map((name) => `${name}.avsc`).toSorted())
    expect(readdirSync(oldSchemas).toSorted()).toEqual(names.toSorted())
    for (const file of files) expect(await createFileSchemaSource().idOf('any', file)).toBeGreaterThan(0)
  })

  it('keep their ids for ever', () => {
    expect(JSON.parse(readSchema('ids.json'))).toMatchObject({
      1: 'history/transaction-1.avsc',
      2: 'label.avsc',
      3: 'control.avsc',
      4: 'history/decision-1.avsc',
      5: 'history/alert-1.avsc',
      6: 'entity-update.avsc',
      7: 'transaction.avsc',
      8: 'decision.avsc',
      9: 'alert.avsc',
      10: 'case-action.avsc',
    })
  })

  it('that break are found', () => {
    const today = readSchema('transaction.avsc')
    const change = (
      edit: (schema: { fields: { name: string; type: unknown; default?: unknown }[] }) => void,
    ) => {
      const schema = JSON.parse(today)
      edit(schema)
      return JSON.stringify(schema)
    }
    const required = change(({ fields }) => fields.push({ name: 'new', type: 'string' }))
    const retyped = change(({ fields }) => {
      for (const field of fields) if (field.name === 'amount_minor') field.type = 'string'
    })
    const narrowed = change(({ fields }) => {
      for (const field of fields)
        if (field.name === 'ip') Object.assign(field, { type: 'string', default: '' })
    })
    const removed = change(({ fields }) => fields.splice(0, 1))
    expect(breaks('backward', required, today)).toBeDefined()
    expect(breaks('backward', retyped, today)).toBeDefined()
    expect(breaks('backward', narrowed, today)).toBeDefined()
    expect(breaks('forward', removed, today)).toBeDefined()
    expect(breaks('backward', removed, today)).toBeUndefined()
  })
})

const forever = Number.POSITIVE_INFINITY
const limits = { eventTimePastMs: forever, eventTimeFutureMs: forever, maxRecordBytes: 65_536 }
const topics = {
  transactions: 't',
  labels: 'l',
  decisions: 'd',
  alerts: 'a',
  entityUpdates: 'e',
  control: 'c',
}

/** Today's contracts, in a world where id 90 is the given schema. */
function contractsKnowing(schema: string) {
  const files = createFileSchemaSource()
  const schemaOf = async (id: number) => (id === 90 ? schema : files.schemaOf(id))
  return createContracts({ ...files, schemaOf }, topics, limits)
}

function writtenWith(schema: string, value: unknown): Buffer {
  return Buffer.concat([Buffer.from([0, 0, 0, 0, 90]), parse(schema).toBuffer(value)])
}

describe('records', () => {
  it('of an older producer are read, with defaults for what it does not know', async () => {
    const older = readFileSync(new URL('transaction/0.avsc', oldSchemas), 'utf8')
    const { transactions } = await contractsKnowing(older)
    const checked = await transactions.decode([aRecord(writtenWith(older, aTransaction()))])
    const value = aTransaction({ entry_mode: null, utc_offset_minutes: null })
    expect(checked).toEqual([{ ok: true, value }])
  })

  it('of a newer producer are read, without what we do not know', async () => {
    const schema = JSON.parse(readSchema('transaction.avsc'))
    schema.fields.splice(3, 0, { name: 'loyalty_id', type: ['null', 'string'], default: null })
    schema.fields.push({ name: 'basket', type: { type: 'array', items: 'string' }, default: [] })
    const newer = JSON.stringify(schema)
    const { transactions } = await contractsKnowing(newer)
    const written = writtenWith(newer, { ...aTransaction(), loyalty_id: 'x', basket: ['bread', 'milk'] })
    expect(await transactions.decode([aRecord(written)])).toEqual([{ ok: true, value: aTransaction() }])
  })

  it('of ours are read by an older consumer', async () => {
    const older = readFileSync(new URL('decision/0.avsc', oldSchemas), 'utf8')
    const consumer = createCodec<Partial<Transaction>>({
      schema: older,
      id: 91,
      source: createFileSchemaSource(),
      maxRecordBytes: 65_536,
      check: (value) => ({ ok: true, value }),
    })
    const { decisions } = await contractsKnowing(older)
    const names = new Set(JSON.parse(older).fields.map(({ name }: { name: string }) => name))
    const known = Object.fromEntries(Object.entries(aDecision()).filter(([name]) => names.has(name)))
    expect(names.size).toBeLessThan(Object.keys(aDecision()).length)
    expect(await consumer.decode([aRecord(decisions.encode(aDecision()))])).toEqual([
      { ok: true, value: known },
    ])
  })
})
