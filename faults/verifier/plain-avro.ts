import { readFileSync } from 'node:fs'
import avsc from 'avsc'

/** Reads and writes the contracts' values by avsc alone, without weir's codecs. */
export interface PlainAvro<T> {
  /** @throws Error when the bytes are not a value in Confluent wire format, with this schema's id, to the last byte. */
  read(value: Buffer | null): T
  write(value: T): Buffer
}

const folder = new URL('../../schemas/', import.meta.url)
const text = (file: string) => readFileSync(new URL(file, folder), 'utf8')
const ids = Object.entries(JSON.parse(text('ids.json')) as Record<string, string>)

export function plainAvro<T>(file: string): PlainAvro<T> {
  const type = avsc.Type.forSchema(JSON.parse(text(file)))
  const header = Buffer.alloc(5)
  header.writeInt32BE(Number(ids.find(([, known]) => known === file)?.[0]), 1)
  return {
    read(value) {
      if (value === null || !value.subarray(0, 5).equals(header)) throw new Error(`no value of ${file}`)
      return type.fromBuffer(value.subarray(5)) as T
    },
    write: (value) => Buffer.concat([header, type.toBuffer(value)]),
  }
}
