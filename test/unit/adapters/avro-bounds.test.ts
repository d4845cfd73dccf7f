import avsc, { type Schema } from 'avsc'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { compileBounds } from '../../../src/adapters/avro-bounds.ts'

const record = (fields: Record<string, Schema>): Schema => ({
  type: 'record',
  name: 'R',
  fields: Object.entries(fields).map(([name, type]) => ({ name, type })),
})

const bounds = (schema: Schema) => compileBounds(avsc.Type.forSchema(schema))

const everything: Schema = record({
  flag: 'boolean',
  count: 'int',
  time: { type: 'long', logicalType: 'timestamp-millis' } as Schema,
  ratio: 'float',
  score: 'double',
  blob: 'bytes',
  text: 'string',
  hash: { type: 'fixed', name: 'Hash', size: 4 },
  suit: { type: 'enum', name: 'Suit', symbols: ['A', 'B'] },
  maybe: ['null', 'string'],
  several: ['int', 'string', 'double'],
  list: { type: 'array', items: 'long' },
  nested: { type: 'array', items: { type: 'record', name: 'N', fields: [{ name: 'key', type: 'string' }] } },
  deep: { type: 'array', items: { type: 'array', items: 'string' } },
  named: { type: 'map', values: 'int' },
})

describe('compileBounds', () => {
  it('accepts whatever avsc writes, and not a byte less or more', () => {
    const type = avsc.Type.forSchema(everything)
    const fits = compileBounds(type)
    for (let round = 0; round < 500; round++) {
      const bytes = type.toBuffer(type.random())
      expect(fits(bytes, 0)).toBe(true)
      expect(fits(bytes.subarray(0, -1), 0)).toBe(false)
      expect(fits(Buffer.concat([bytes, Buffer.from([0])]), 0)).toBe(false)
    }
  })

  it('accepts no bytes that avsc would not read to their end', () => {
    const type = avsc.Type.forSchema(everything)
    const fits = compileBounds(type)
    const mutated = fc.tuple(fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 4 })).map(([edits]) => {
      const bytes = type.toBuffer(type.random())
      for (const [at, byte] of edits) bytes[at % bytes.length] = byte
      return bytes
    })
    fc.assert(
      fc.property(mutated, (bytes) => {
        if (fits(bytes, 0)) expect(type.decode(bytes, 0).offset).toBe(bytes.length)
      }),
      { numRuns: 5_000 },
    )
  })

  it.each<[string, Schema, number[]]>([
    ['a length beyond the bytes', 'string', [6, 65, 66]],
    ['a negative length', 'bytes', [1]],
    ['a length without end', 'string', new Array(20).fill(0xff)],
    ['a length of 2^62', 'string', [0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 1]],
    ['an integer beyond 2^53', 'long', [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f]],
    ['an int of more than five bytes', 'int', [0x80, 0x80, 0x80, 0x80, 0x80, 1]],
    ['an int beyond 32 bits', 'int', [0x80, 0x80, 0x80, 0x80, 0x20]],
    ['no boolean', 'boolean', [2]],
    ['a branch that is not there', ['null', 'int'], [4]],
    ['a negative branch', ['null', 'int'], [1]],
    ['a symbol that is not there', { type: 'enum', name: 'E', symbols: ['A'] }, [2]],
    ['a count of a thousand million', { type: 'array', items: 'int' }, [0x80, 0xa8, 0xd6, 0xb9, 0x07]],
    ['a negative count without its size', { type: 'array', items: 'int' }, [1]],
    ['a block size beyond the bytes', { type: 'array', items: 'int' }, [1, 80, 2, 0]],
    ['an array without end', { type: 'array', items: 'int' }, [2, 2]],
    ['a map key beyond the bytes', { type: 'map', values: 'int' }, [2, 80, 65, 2, 0]],
    ['nothing at all', 'double', []],
  ])('refuses %s', (_what, schema, bytes) => {
    expect(bounds(schema)(Buffer.from(bytes), 0)).toBe(false)
  })

  it('accepts the extreme integers that are exact', () => {
    const type = avsc.Type.forSchema('long')
    for (const value of [2 ** 53 - 2, 2 - 2 ** 53, 2 ** 31, -(2 ** 31) - 1, 0, -1]) {
      expect(compileBounds(type)(type.toBuffer(value), 0)).toBe(true)
    }
    const int = avsc.Type.forSchema('int')
    for (const value of [2 ** 31 - 1, -(2 ** 31)])
      expect(compileBounds(int)(int.toBuffer(value), 0)).toBe(true)
  })

  it('accepts blocks with their size', () => {
    expect(bounds({ type: 'array', items: 'int' })(Buffer.from([3, 4, 2, 4, 0]), 0)).toBe(true)
  })

  it.each<[string, Schema]>([
    ['values of no bytes', { type: 'array', items: 'null' }],
    ['empty records', { type: 'array', items: { type: 'record', name: 'E', fields: [] } }],
    [
      'itself',
      {
        type: 'record',
        name: 'Tree',
        fields: [{ name: 'next', type: ['null', 'Tree'] }],
      } as unknown as Schema,
    ],
    ['records that double at each level', doubling(24)],
  ])('refuses schemas with %s', (_what, schema) => {
    expect(() => bounds(schema)).toThrow(/schema has/)
  })
})

/** 2^depth ints in `depth` definitions. */
function doubling(depth: number): Schema {
  if (depth === 0) return 'int'
  const fields = [
    { name: 'a', type: doubling(depth - 1) },
    { name: 'b', type: depth === 1 ? 'int' : `D${depth - 1}` },
  ]
  return { type: 'record', name: `D${depth}`, fields } as Schema
}
