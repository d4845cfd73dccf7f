import { readFileSync } from 'node:fs'
import type { SchemaSource } from './avro.ts'

const folder = new URL('../../schemas/', import.meta.url)

/** The text of a schema in schemas/. */
export function readSchema(file: string): string {
  return readFileSync(new URL(file, folder), 'utf8')
}

/**
 * Schema ids from schemas/ids.json, where every schema that was ever written with keeps its number: an older version
 * of a file stays in schemas/history/. The subject plays no part: topics may have any name.
 */
export function createFileSchemaSource(): SchemaSource {
  const files = new Map(Object.entries(JSON.parse(readSchema('ids.json')) as Record<string, string>))
  return {
    async idOf(_subject, file) {
      const entry = [...files].find(([, known]) => known === file)
      if (entry === undefined) throw new Error(`schemas/ids.json has no id for ${file}`)
      return Number(entry[0])
    },
    async schemaOf(id) {
      const file = files.get(String(id))
      return file === undefined ? null : readSchema(file)
    },
  }
}
