import avsc, { type Schema, type Type, type types } from 'avsc'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { compileBounds } from '../../../src/adapters/avro-bounds.ts'
import { compileReader, compileWriter } from '../../../src/adapters/avro-compile.ts'
import { readSchema } from '../../../src/adapters/avro-schema-files.ts'

// avsc, behind the walk that finds what avsc believes too readily, is the other implementation.

const files = ['transaction', 'label', 'decision', 'alert', 'entity-update', 'control'].map(
  (name) => `${name}.avsc`,
)
const typeOf = (schema: Schema): Type => avsc.Type.forSchema(schema, { omitRecordMethods: true })
const contract = (file: string): Type => typeOf(JSON.parse(readSchema(file)) as Schema)
const header = Buffer.from([0, 0, 0, 0, 7])

const refused = Symbol('refused')

function verdict(read: () => unknown): unknown {
  try {
    return read()
  } catch {
    return refused
  }
}

/** How avsc reads: the way of records that other writers wrote. */
function plainReader(type: Type): (bytes: Buffer, at: number) => unknown {
  const fits = compileBounds(type)
  return (bytes, at) => verdict(() => (fits(bytes, at) ? type.decode(bytes, at).value : refused))
}

function ownReader(type: Type): (bytes: Buffer, at: number) => unknown {
  const read = compileReader<unknown>(type)
  return (bytes, at) => verdict(() => read(bytes, at))
}

// Words of all lengths around the limits of the code, from ASCII to halves of surrogate pairs.
const unit = fc.oneof(
  { weight: 8, arbitrary: fc.constantFrom(...'abcXYZ019-_ :') },
  {
    weight: 1,
    arbitrary: fc.constantFrom(...'é߿ࠀ漢\uffff\ufeff\ufffd\u0000\u007f\u0080😀', '\ud800', '\udfff'),
  },
)
const text = fc.oneof(
  fc.constantFrom('', 'EUR', 'purchase', 'x'.repeat(62), 'x'.repeat(63), 'x'.repeat(64), 'é'.repeat(32)),
  fc.string({ unit: fc.constantFrom(...'abc012-'), maxLength: 70 }),
  fc.array(unit, { maxLength: 70 }).map((units) => units.join('')),
  fc.array(unit, { minLength: 80, maxLength: 300 }).map((units) => units.join('')),
)
const powers = fc
  .tuple(fc.integer({ min: 0, max: 52 }), fc.integer({ min: -2, max: 2 }), fc.constantFrom(1, -1))
  .map(([power, more, sign]) => sign * (2 ** power + more))
const long = fc.oneof(powers, fc.maxSafeInteger(), fc.constantFrom(2 ** 53 - 2, 2 - 2 ** 53, -0))
const primitives: Record<string, fc.Arbitrary<unknown>> = {
  boolean: fc.boolean(),
  int: fc.oneof(fc.integer(), fc.integer({ min: -200, max: 200 }), fc.constantFrom(2 ** 31 - 1, -(2 ** 31))),
  long: long.filter((value) => Math.abs(value) < Number.MAX_SAFE_INTEGER),
  double: fc.oneof(fc.double(), fc.constantFrom(Number.NaN, -0, Number.MAX_VALUE, Number.NEGATIVE_INFINITY)),
  bytes: fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
  string: text,
}

function valuesOf(type: Type): fc.Arbitrary<unknown> {
  switch (type.typeName) {
    case 'array':
      return fc.array(valuesOf((type as types.ArrayType).itemsType), { maxLength: 5 })
    case 'union:unwrapped':
      return fc.oneof(fc.constant(null), valuesOf((type as types.UnwrappedUnionType).types[1] as Type))
    case 'record': {
      const { fields } = type as types.RecordType
      return fc.record(Object.fromEntries(fields.map((field) => [field.name, valuesOf(field.type)])))
    }
    default:
      return primitives[type.typeName] as fc.Arbitrary<unknown>
  }
}

/** Zigzag and base 128, exact for any size. */
function varintOf(value: bigint): Buffer {
  const bytes: number[] = []
  let left = value < 0n ? -2n * value - 1n : 2n * value
  for (; left >= 128n; left /= 128n) bytes.push(Number(left % 128n) | 0x80)
  return Buffer.from([...bytes, Number(left)])
}

const { WEIR_TEST_RUNS: runs = '20000' } = process.env
const numRuns = Number(runs) / 40

describe.each(files)('%s', (file) => {
  const type = contract(file)
  const values = valuesOf(type)
  const write = compileWriter<unknown>(type, 7)
  const readOwn = ownReader(type)
  const readPlain = plainReader(type)

  it('is written as avsc writes it', () => {
    fc.assert(
      fc.property(values, (value) => {
        expect(write(value)).toEqual(Buffer.concat([header, type.toBuffer(value)]))
      }),
      { numRuns },
    )
  })

  it('is read as avsc reads it', () => {
    fc.assert(
      fc.property(values, (value) => {
        const bytes = type.toBuffer(value)
        const read = readOwn(bytes, 0)
        expect(read).not.toBe(refused)
        expect(read).toEqual(readPlain(bytes, 0))
        expect(Object.keys(read as object)).toEqual(Object.keys(readPlain(bytes, 0) as object))
      }),
      { numRuns },
    )
  })

  it('is read, or refused, as by avsc when bytes are others, missing or too many', () => {
    const edits = fc.array(fc.tuple(fc.nat(), fc.oneof(fc.nat(255), fc.constantFrom(0x7f, 0x80, 0xff))), {
      minLength: 1,
      maxLength: 6,
    })
    const tails = fc.oneof(fc.constant(0), fc.integer({ min: -12, max: 12 }))
    const mutated = fc.tuple(values, edits, tails).map(([value, changes, tail]) => {
      const bytes = type.toBuffer(value)
      for (const [at, byte] of changes) bytes[at % bytes.length] = byte
      return tail > 0 ? Buffer.concat([bytes, Buffer.alloc(tail, 2)]) : bytes.subarray(0, bytes.length + tail)
    })
    const random = fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes))
    const small = fc
      .array(fc.oneof(fc.nat(6), fc.nat(255)), { maxLength: 200 })
      .map((bytes) => Buffer.from(bytes))
    fc.assert(
      fc.property(fc.oneof(mutated, random, small), (bytes) => {
        expect(readOwn(bytes, 0)).toEqual(readPlain(bytes, 0))
      }),
      { numRuns: 5 * numRuns },
    )
  })

  it('is written with its defaults where fields are missing, and not at all where they have none', () => {
    const { fields } = type as types.RecordType
    fc.assert(
      fc.property(values, fc.subarray(fields), (value, left) => {
        const some = { ...(value as object) } as Record<string, unknown>
        for (const { name } of left) delete some[name]
        const plain = verdict(() => Buffer.concat([header, type.toBuffer(some)]))
        expect(verdict(() => write(some))).toEqual(plain)
      }),
      { numRuns },
    )
  })

  it('is not written with a value of another type, and what is written next is whole', () => {
    const { fields } = type as types.RecordType
    const wrong = fc.constantFrom<unknown[]>(
      null,
      true,
      0,
      0.5,
      2 ** 31,
      2 ** 53,
      Number.NaN,
      '',
      'x',
      [],
      {},
      [1],
    )
    fc.assert(
      fc.property(values, fc.constantFrom(...fields), wrong, (value, { name }, other) => {
        const changed = { ...(value as object), [name]: other }
        const plain = verdict(() => Buffer.concat([header, type.toBuffer(changed)]))
        expect(verdict(() => write(changed))).toEqual(plain)
        expect(write(value)).toEqual(Buffer.concat([header, type.toBuffer(value)]))
      }),
      { numRuns },
    )
  })
})

describe('the integers of the wire', () => {
  it.each(['int', 'long'])('%s: every varint is read, or refused, as by avsc', (name) => {
    const type = typeOf({ type: 'array', items: name } as Schema)
    const readOwn = ownReader(type)
    const readPlain = plainReader(type)
    const byte = fc.oneof(fc.integer({ min: 128, max: 255 }), fc.constantFrom(0x80, 0xff))
    const varint = fc
      .tuple(fc.array(byte, { maxLength: 11 }), fc.nat(127))
      .map(([more, last]) => [...more, last])
    fc.assert(
      fc.property(fc.array(varint, { maxLength: 3 }), (varints) => {
        const bytes = Buffer.from([...(varints.length > 0 ? [2 * varints.length] : []), ...varints.flat(), 0])
        expect(readOwn(bytes, 0)).toEqual(readPlain(bytes, 0))
      }),
      { numRuns: 10 * numRuns },
    )
  })

  it('longs beside the last that is exact are read, or refused, as by avsc', () => {
    const type = typeOf('long')
    const readOwn = ownReader(type)
    const readPlain = plainReader(type)
    for (let more = -4n; more <= 4n; more++) {
      for (const value of [2n ** 53n + more, -(2n ** 53n) + more, 2n ** 63n - 5n + more]) {
        const bytes = varintOf(value)
        expect(readOwn(bytes, 0), String(value)).toEqual(readPlain(bytes, 0))
      }
    }
    expect(readOwn(varintOf(2n ** 53n - 2n), 0)).toBe(2 ** 53 - 2)
    expect(readOwn(varintOf(2n ** 53n - 1n), 0)).toBe(refused)
  })

  it('arrays in blocks of any number of items, with sizes and without', () => {
    const type = typeOf({ type: 'array', items: 'string' })
    const readOwn = ownReader(type)
    const item = typeOf('string')
    const block = fc.record({
      items: fc.array(fc.string(), { minLength: 1, maxLength: 3 }),
      isSized: fc.boolean(),
    })
    fc.assert(
      fc.property(fc.array(block, { maxLength: 4 }), (blocks) => {
        const bytes = blocks.flatMap(({ items, isSized }) => {
          const content = Buffer.concat(items.map((text) => item.toBuffer(text)))
          const [count, size] = [BigInt(items.length), BigInt(content.length)]
          return isSized ? [varintOf(-count), varintOf(size), content] : [varintOf(count), content]
        })
        const all = Buffer.concat([...bytes, varintOf(0n)])
        expect(readOwn(all, 0)).toEqual(blocks.flatMap(({ items }) => items))
      }),
      { numRuns },
    )
  })

  it('whatever might be arrays in blocks', () => {
    const type = typeOf({ type: 'array', items: 'string' })
    const blocks = fc.array(fc.oneof(fc.nat(8), fc.constantFrom(1, 3, 5, 0x80, 0xff)), { maxLength: 24 })
    const readOwn = ownReader(type)
    const readPlain = plainReader(type)
    fc.assert(
      fc.property(blocks, (bytes) => {
        expect(readOwn(Buffer.from(bytes), 0)).toEqual(readPlain(Buffer.from(bytes), 0))
      }),
      { numRuns: 10 * numRuns },
    )
  })
})

it('texts beside the length from which avsc writes otherwise are written as avsc writes them', () => {
  const type = typeOf('string')
  const write = compileWriter<string>(type, 7)
  for (let length = 60; length <= 67; length++) {
    for (const ending of ['', 'é', '漢', '😀', '\ud800', '\udfff', '\udfff\ud800']) {
      const text = 'x'.repeat(length - Buffer.byteLength(ending)) + ending
      expect(write(text)).toEqual(Buffer.concat([header, type.toBuffer(text)]))
    }
  }
})

describe('what is read', () => {
  it('has bytes of its own: the memory it was read from may be written again', () => {
    const type = typeOf({ type: 'array', items: 'bytes' })
    const bytes = type.toBuffer([Buffer.from('kept'), Buffer.alloc(10_000, 7)])
    const read = compileReader<Buffer[]>(type)(bytes, 0)
    bytes.fill(0)
    expect(read).toEqual([Buffer.from('kept'), Buffer.alloc(10_000, 7)])
  })

  it('is never a text that other bytes gave, however many went before', () => {
    const type = typeOf({ type: 'array', items: 'string' })
    const read = compileReader<string[]>(type)
    const texts = fc.array(
      fc.string({ unit: fc.constantFrom('a', 'b', '\u0000', 'é'), minLength: 0, maxLength: 34 }),
      { maxLength: 200 },
    )
    fc.assert(
      fc.property(texts, (given) => {
        expect(read(type.toBuffer(given), 0)).toEqual(given)
      }),
    )
  })
})

it.each<[string, Schema]>([
  ['a map', { type: 'map', values: 'int' }],
  ['a float', 'float'],
  ['a union of three', { type: 'array', items: ['null', 'int', 'string'] }],
  ['a union with null behind', { type: 'array', items: ['int', 'null'] }],
])('%s is not for weir’s own schemas', (_what, schema) => {
  expect(() => compileReader(typeOf(schema))).toThrow(/the schema has a/)
  expect(() => compileWriter(typeOf(schema), 7)).toThrow(/the schema has a/)
})
