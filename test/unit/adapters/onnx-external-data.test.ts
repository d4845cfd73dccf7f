import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { hasExternalData } from '../../../src/adapters/onnx-external-data.ts'
import { WeirError } from '../../../src/core/errors.ts'

/** A length-delimited protobuf field; a varint field when `body` is a number. */
function field(number: number, body: Buffer | number): Buffer {
  if (typeof body === 'number') return Buffer.from([number << 3, body])
  return Buffer.concat([varint((number << 3) | 2), varint(body.length), body])
}

function varint(value: number): Buffer {
  const bytes = []
  for (let rest = value; ; rest >>>= 7) {
    if (rest < 128) return Buffer.from([...bytes, rest])
    bytes.push((rest & 0x7f) | 0x80)
  }
}

const external = field(14, 1)
const [graph, initializer, node, attribute] = [7, 5, 1, 5]

describe('hasExternalData', () => {
  it('finds none in a model that holds its own data', () => {
    expect(hasExternalData(readFileSync('test/fixtures/models/small/1.0.0/lightgbm.onnx'))).toBe(false)
  })

  it.each([
    ['an initializer', field(graph, field(initializer, external))],
    ['an initializer that only names a file', field(graph, field(initializer, field(13, Buffer.from('x'))))],
    ['a constant node', field(graph, field(node, field(attribute, field(5, external))))],
    [
      'a branch of a node',
      field(graph, field(node, field(attribute, field(6, field(initializer, external))))),
    ],
    ['a sparse initializer', field(graph, field(15, field(1, external)))],
    ['a function', field(25, field(7, field(attribute, field(5, external))))],
    ['training information', field(20, field(1, field(initializer, external)))],
  ])('finds it in %s', (_where, onnx) => {
    expect(hasExternalData(onnx)).toBe(true)
  })

  it('takes the default location for data of its own', () => {
    expect(hasExternalData(field(graph, field(initializer, field(14, 0))))).toBe(false)
  })

  it('says of any other bytes that they are no ONNX file, and never hangs or breaks', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        try {
          hasExternalData(bytes)
        } catch (error) {
          expect(error).toBeInstanceOf(WeirError)
        }
      }),
    )
    expect(() => hasExternalData(Buffer.from('not a model'))).toThrow(WeirError)
  })

  it('refuses graphs nested without end', () => {
    let onnx = field(initializer, external)
    for (let depth = 0; depth < 60; depth++) onnx = field(node, field(attribute, field(6, onnx)))
    expect(() => hasExternalData(field(graph, onnx))).toThrow('nested too deeply')
  })
})
