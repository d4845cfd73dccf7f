import { WeirError } from '../core/errors.ts'

/**
 * Finds tensors of an ONNX file that keep their data in another file. Such data is outside the file's hash, and
 * its path is chosen by whoever wrote the model. Walks only the messages that can hold a tensor, by the field
 * numbers of onnx.proto (ONNX 1.23, IR version 10).
 */

const messages: Record<string, Record<number, string>> = {
  model: { 7: 'graph', 20: 'training', 25: 'function' },
  training: { 1: 'graph', 2: 'graph' },
  function: { 7: 'node', 11: 'attribute' },
  graph: { 1: 'node', 5: 'tensor', 15: 'sparse' },
  node: { 5: 'attribute' },
  attribute: { 5: 'tensor', 6: 'graph', 10: 'tensor', 11: 'graph', 22: 'sparse', 23: 'sparse' },
  sparse: { 1: 'tensor', 2: 'tensor' },
}
const tensorExternalData = 13
const tensorDataLocation = 14
const maxDepth = 100

/** True when any tensor's data lies outside the file. Throws WEIR_MODEL_UNREADABLE where it is not protobuf. */
export function hasExternalData(onnx: Uint8Array): boolean {
  return inMessage(onnx, 'model', 0)
}

function inMessage(bytes: Uint8Array, message: string, depth: number): boolean {
  if (depth > maxDepth) throw malformed('it is nested too deeply')
  for (const { field, body, varint } of fields(bytes)) {
    if (message === 'tensor') {
      if (field === tensorExternalData) return true
      if (field === tensorDataLocation && varint !== 0) return true
      continue
    }
    const inner = messages[message]?.[field]
    if (inner !== undefined && body !== null && inMessage(body, inner, depth + 1)) return true
  }
  return false
}

interface Field {
  readonly field: number
  readonly body: Uint8Array | null
  readonly varint: number
}

function* fields(bytes: Uint8Array): Generator<Field> {
  let at = 0
  const readVarint = (): number => {
    let value = 0
    for (let scale = 1, size = 0; size < 10; scale *= 128, size++) {
      const byte = bytes[at++]
      if (byte === undefined) throw malformed('it ends too early')
      value += (byte & 0x7f) * scale
      if (byte < 0x80) return value
    }
    throw malformed('a number is too long')
  }
  while (at < bytes.length) {
    const tag = readVarint()
    const field = Math.floor(tag / 8)
    const wireType = tag % 8
    if (wireType === 0) {
      yield { field, body: null, varint: readVarint() }
      continue
    }
    const size = wireType === 2 ? readVarint() : wireType === 1 ? 8 : wireType === 5 ? 4 : -1
    if (size < 0) throw malformed(`wire type ${wireType} is not used by ONNX`)
    if (size > bytes.length - at) throw malformed('it ends too early')
    yield { field, body: wireType === 2 ? bytes.subarray(at, at + size) : null, varint: 0 }
    at += size
  }
}

function malformed(why: string): WeirError {
  return new WeirError('WEIR_MODEL_UNREADABLE', `a graph is not an ONNX file: ${why}`, {
    cure: 'Export the model again; do not edit its .onnx files.',
  })
}
