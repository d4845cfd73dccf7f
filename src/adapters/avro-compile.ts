import type { Type, types } from 'avsc'
import { AvroInput } from './avro-input.ts'
import { AvroOutput } from './avro-output.ts'

/**
 * Readers and writers for weir's own schemas. They accept, read and write exactly what avsc does behind
 * compileBounds, in one pass and without its indirections.
 *
 * They are made as program text, as avsc makes its own: V8 makes a function fast that names the fields of its record.
 * No text from outside comes here: the schemas are part of the program, and avsc has checked the names in them.
 */

/** The value that fills the bytes from `at` to their end. Throws when there is none. */
export type Read<T> = (bytes: Buffer, at: number) => T

/** The value in Confluent wire format. Throws when it is not of the schema. */
export type Write<T> = (value: T) => Buffer

/** @throws Error for types that no schema of weir has. */
export function compileReader<T>(type: Type): Read<T> {
  const functions: string[] = []
  const value = readExpression(type, functions)
  // Made once: functions inside the one that is called would be made anew, and compiled anew, for every record.
  const text = `${functions.join('\n')}\nreturn (input) => ${value}`
  const read = new Function(text)() as (input: AvroInput) => T
  const input = new AvroInput()
  return (bytes, at) => {
    input.open(bytes, at)
    const value = read(input)
    input.close()
    return value
  }
}

/**
 * @param id the schema's.
 * @throws Error for types that no schema of weir has.
 */
export function compileWriter<T>(type: Type, id: number): Write<T> {
  const functions: string[] = []
  const defaults: unknown[] = []
  const statement = writeStatement(type, 'value', functions, defaults)
  const text = `${functions.join('\n')}\nreturn (output, value) => { ${statement} }`
  const write = new Function('defaults', text)(defaults) as (output: AvroOutput, value: T) => void
  const output = new AvroOutput(id)
  return (value) => {
    output.begin()
    write(output, value)
    return output.end()
  }
}

/** An expression that reads a value from `input`; the functions it calls are added to `functions`. */
function readExpression(type: Type, functions: string[]): string {
  switch (type.typeName) {
    case 'array': {
      const item = readExpression((type as types.ArrayType).itemsType, functions)
      const name = `readArray${functions.length}`
      functions.push(`function ${name}(input) {
        let left = input.count()
        if (left === 0) return []
        // Most have one: an array that grows from nothing makes room for 17.
        const items = [${item}]
        left--
        while (left > 0 || (left = input.count()) > 0) {
          items.push(${item})
          left--
        }
        return items
      }`)
      return `${name}(input)`
    }
    case 'record': {
      const { fields } = type as types.RecordType
      const values = fields.map((field) => `${field.name}: ${readExpression(field.type, functions)}`)
      const name = `readRecord${functions.length}`
      functions.push(`function ${name}(input) {
        return { ${values.join(', ')} }
      }`)
      return `${name}(input)`
    }
    case 'union:unwrapped':
      return `(input.present() ? ${readExpression(branchBesideNull(type), functions)} : null)`
    default:
      return `input.${primitive(type)}()`
  }
}

/** A statement that writes `value`, an expression, to `output`; the functions it calls are added to `functions`. */
function writeStatement(type: Type, value: string, functions: string[], defaults: unknown[]): string {
  switch (type.typeName) {
    case 'array': {
      const item = writeStatement((type as types.ArrayType).itemsType, 'items[i]', functions, defaults)
      const name = `writeArray${functions.length}`
      functions.push(`function ${name}(output, items) {
        if (!Array.isArray(items)) throw new TypeError('a value is not an array')
        if (items.length > 0) output.count(items.length)
        for (let i = 0; i < items.length; i++) { ${item} }
        output.count(0)
      }`)
      return `${name}(output, ${value})`
    }
    case 'record': {
      const statements = (type as types.RecordType).fields.map((field, i) => {
        const given = `record.${field.name}`
        const missing = field.defaultValue()
        const value =
          missing === undefined
            ? given
            : `${given} === undefined ? defaults[${defaults.push(missing) - 1}] : ${given}`
        return `const v${i} = ${value}; ${writeStatement(field.type, `v${i}`, functions, defaults)}`
      })
      const name = `writeRecord${functions.length}`
      functions.push(`function ${name}(output, record) {
        ${statements.join('\n')}
      }`)
      return `${name}(output, ${value})`
    }
    case 'union:unwrapped': {
      const present = writeStatement(branchBesideNull(type), value, functions, defaults)
      return `if (${value} === null) output.present(false); else { output.present(true); ${present} }`
    }
    default:
      return `output.${primitive(type)}(${value})`
  }
}

function branchBesideNull(type: Type): Type {
  const [first, second, ...more] = (type as types.UnwrappedUnionType).types
  if (first?.typeName !== 'null' || second === undefined || more.length > 0)
    throw new Error('the schema has a union that is not of null and one other type')
  return second
}

/** Name of the method of AvroInput and AvroOutput. */
function primitive({ typeName }: Type): string {
  if (['boolean', 'int', 'long', 'double', 'bytes', 'string'].includes(typeName)) return typeName
  throw new Error(`the schema has a ${typeName}`)
}
