import type { Readable } from 'node:stream'
import avsc from 'avsc'
import type { Row } from './cells.ts'
import type { FileRow, RowOptions } from './rows.ts'
import { gathered } from './rows-text.ts'
import { Unreadable } from './unreadable.ts'

/** What of avsc's decoder tells whether the bytes ended with a block. */
interface Decoder {
  readonly _tap: { readonly buf: Buffer; readonly pos: number }
}

/** Records of an Avro container file. */
export async function* readAvro(bytes: Readable, { onColumns }: RowOptions): AsyncGenerator<FileRow[]> {
  const decoder = bytes.pipe(new avsc.streams.BlockDecoder())
  bytes.on('error', (error) => decoder.destroy(error))
  let hasHeader = false
  decoder.on('metadata', (type: avsc.Type) => {
    hasHeader = true
    try {
      onColumns(fieldsOf(type))
    } catch (error) {
      decoder.destroy(error as Error)
    }
  })
  let line = 0
  for await (const records of gathered<Row>(decoder)) {
    yield records.map((row) => ({ line: ++line, row }))
  }
  const { buf, pos } = (decoder as unknown as Decoder)._tap
  if (pos < buf.length || !hasHeader) {
    throw new Unreadable(`it was cut off after ${line} records`, 'copy the file again, whole')
  }
}

function fieldsOf(type: avsc.Type): string[] {
  if (type.typeName !== 'record') {
    throw new Unreadable(`its values are ${type.typeName}, not records`, 'give files of Avro records')
  }
  return (type as avsc.types.RecordType).fields.map(({ name }) => name)
}
