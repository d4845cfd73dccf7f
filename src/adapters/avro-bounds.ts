import type { Type, types } from 'avsc'

/** Tells whether a value of a schema, all of it, fills the bytes from `start` to their end. */
export type Bounds = (bytes: Buffer, start: number) => boolean

type Step = (cursor: Cursor) => boolean

/** Far more fields than any payment has; it ends schemas that contain themselves, or that double at each level. */
const mostSteps = 1_000

/**
 * avsc believes lengths and counts: an array count of a thousand million in nine bytes keeps it busy for seconds.
 * So the bytes are walked against their schema first, without a value being made.
 *
 * The walk is linear in the bytes: every value takes at least one. Schemas that break this (null outside a union,
 * empty records and fixeds), and schemas larger than any real one, are refused.
 *
 * @throws Error for such a schema.
 */
export function compileBounds(type: Type): Bounds {
  const endOf = compileEnd(type)
  return (bytes, start) => endOf(bytes, start) === bytes.length
}

/**
 * The place where a value of a schema ends in the bytes, -1 where they are not one.
 *
 * @throws Error as `compileBounds` does.
 */
export function compileEnd(type: Type): (bytes: Buffer, start: number) => number {
  const step = compile(type, { steps: 0 })
  const cursor = new Cursor()
  return (bytes, start) => {
    cursor.reset(bytes, start)
    return step(cursor) ? cursor.at : -1
  }
}

function compile(type: Type, budget: { steps: number }): Step {
  budget.steps++
  if (budget.steps > mostSteps)
    throw new Error(`the schema has more than ${mostSteps} fields or contains itself`)
  switch (type.typeName) {
    case 'boolean':
      return (cursor) => cursor.boolean()
    case 'int':
      return (cursor) => isInt(cursor.varint(5))
    case 'long':
    case 'abstract:long':
      return (cursor) => Number.isSafeInteger(cursor.varint(10))
    case 'float':
      return (cursor) => cursor.skip(4)
    case 'double':
      return (cursor) => cursor.skip(8)
    case 'bytes':
    case 'string':
      return (cursor) => cursor.skip(cursor.varint(10))
    default:
      return compileComposite(type, budget)
  }
}

function compileComposite(type: Type, budget: { steps: number }): Step {
  switch (type.typeName) {
    case 'fixed': {
      const { size } = type as types.FixedType
      if (size < 1) break
      return (cursor) => cursor.skip(size)
    }
    case 'enum': {
      const { length } = (type as types.EnumType).symbols
      return (cursor) => cursor.index(length) >= 0
    }
    case 'array': {
      const item = compile((type as types.ArrayType).itemsType, budget)
      return (cursor) => blocks(cursor, item)
    }
    case 'map': {
      const value = compile((type as types.MapType).valuesType as Type, budget)
      return (cursor) => blocks(cursor, (c) => c.skip(c.varint(10)) && value(c))
    }
    case 'union:unwrapped':
    case 'union:wrapped': {
      const branches = (type as types.UnwrappedUnionType).types.map((branch) =>
        branch.typeName === 'null' ? () => true : compile(branch, budget),
      )
      return (cursor) => branches[cursor.index(branches.length)]?.(cursor) ?? false
    }
    case 'record':
    case 'error': {
      const fields = (type as types.RecordType).fields.map((field) => compile(field.type, budget))
      if (fields.length === 0) break
      return (cursor) => {
        for (const field of fields) {
          if (!field(cursor)) return false
        }
        return true
      }
    }
  }
  throw new Error(`the schema has a ${type.typeName} that takes no bytes or is not known`)
}

function isInt(value: number): boolean {
  return value === (value | 0)
}

/** Avro 1.12, "Arrays" and "Maps": a negative count is followed by the block's size in bytes. */
function blocks(cursor: Cursor, item: Step): boolean {
  for (;;) {
    const count = cursor.varint(10)
    if (count === 0) return true
    if (count < 0 && !cursor.has(cursor.varint(10))) return false
    if (!cursor.has(Math.abs(count))) return false
    for (let left = Math.abs(count); left > 0; left--) {
      if (!item(cursor)) return false
    }
  }
}

class Cursor {
  #bytes: Buffer = Buffer.alloc(0)
  #at = 0

  reset(bytes: Buffer, at: number): void {
    this.#bytes = bytes
    this.#at = at
  }

  get at(): number {
    return this.#at
  }

  /** False for NaN, which `varint` gives for what is no number. */
  has(count: number): boolean {
    return count >= 0 && count <= this.#bytes.length - this.#at
  }

  skip(count: number): boolean {
    if (!this.has(count)) return false
    this.#at += count
    return true
  }

  boolean(): boolean {
    const value = this.#bytes[this.#at++]
    return value === 0 || value === 1
  }

  /** Index of a union's branch or an enum's symbol; -1 when it is out of range. */
  index(count: number): number {
    const index = this.varint(5)
    return index >= 0 && index < count ? index : -1
  }

  /** A zigzag integer of at most `longest` bytes, NaN when there is none. Beyond 2^53 it is not exact. */
  varint(longest: number): number {
    const first = this.#bytes[this.#at]
    if (first === undefined) return Number.NaN
    if (first < 0x80) {
      this.#at++
      return (first >> 1) ^ -(first & 1)
    }
    let value = 0
    let weight = 1
    for (let taken = 0; taken < longest; taken++) {
      const byte = this.#bytes[this.#at++]
      if (byte === undefined) return Number.NaN
      value += (byte & 0x7f) * weight
      if (byte < 0x80) return value % 2 === 1 ? -(value + 1) / 2 : value / 2
      weight *= 128
    }
    return Number.NaN
  }
}
