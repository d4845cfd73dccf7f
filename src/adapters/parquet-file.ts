import type { SchemaElement } from 'hyparquet'
import { fileWriter } from 'hyparquet-writer'
import { WeirError } from '../core/errors.ts'

type Repetition = 'REQUIRED' | 'OPTIONAL'

export const text = (name: string, repetition_type: Repetition): SchemaElement => ({
  name,
  type: 'BYTE_ARRAY',
  converted_type: 'UTF8',
  repetition_type,
})

/** Epoch milliseconds. */
export const moment = (name: string, repetition_type: Repetition): SchemaElement => ({
  name,
  type: 'INT64',
  repetition_type,
})

/** @throws WeirError WEIR_CLI_INPUT when the file cannot be written. */
export function openParquet(path: string): ReturnType<typeof fileWriter> {
  try {
    return fileWriter(path)
  } catch (cause) {
    throw new WeirError('WEIR_CLI_INPUT', `cannot write ${path}: ${(cause as Error).message}`, { cause })
  }
}
