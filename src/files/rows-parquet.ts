import { brotliDecompressSync, gunzipSync, zstdDecompressSync } from 'node:zlib'
import {
  asyncBufferFromFile,
  type Compressors,
  type FileMetaData,
  parquetMetadataAsync,
  parquetScan,
  parquetSchema,
} from 'hyparquet'
import type { FileRow, RowOptions } from './rows.ts'
import { Unreadable } from './unreadable.ts'

/** Beside what hyparquet unpacks itself. */
const compressors: Compressors = {
  GZIP: (packed) => gunzipSync(packed),
  BROTLI: (packed) => brotliDecompressSync(packed),
  ZSTD: (packed) => zstdDecompressSync(packed),
}

const rowsAtOnce = 1_000

/** Rows of a Parquet file, the wanted columns of one row group in memory at a time. Times come as Date. */
export async function* readParquet(
  path: string,
  { only, onColumns, onFraction }: RowOptions,
): AsyncGenerator<FileRow[]> {
  const file = await asyncBufferFromFile(path)
  const metadata = await footerOf(file)
  const { children } = parquetSchema(metadata)
  onColumns(children.map(({ element }) => element.name))
  const wanted = children.map(({ element }) => element).filter(({ name }) => only === null || only.has(name))
  const scan = await parquetScan({ file, metadata, compressors, columns: wanted.map(({ name }) => name) })
  for (const { rowStart, rowEnd } of scan.ranges) {
    const columns = []
    for (const { name, converted_type, scale = 0 } of wanted) {
      const values = await scan.readColumn({ column: name, rowStart, rowEnd })
      // hyparquet makes floats of decimals, which are exact again at their number of digits.
      const isDecimal = converted_type === 'DECIMAL'
      const at = isDecimal ? (i: number) => values[i]?.toFixed(scale) : (i: number) => values[i]
      columns.push({ name, at })
    }
    for (let from = rowStart; from < rowEnd; from += rowsAtOnce) {
      const rows: FileRow[] = []
      for (let i = from; i < Math.min(from + rowsAtOnce, rowEnd); i++) {
        const row: Record<string, unknown> = {}
        for (const { name, at } of columns) row[name] = at(i - rowStart)
        rows.push({ line: i + 1, row })
      }
      yield rows
      onFraction((from + rows.length) / Number(metadata.num_rows))
    }
  }
}

/** Where the footer is missing or damaged, hyparquet speaks of its bytes. */
async function footerOf(file: Awaited<ReturnType<typeof asyncBufferFromFile>>): Promise<FileMetaData> {
  try {
    return await parquetMetadataAsync(file, { geoparquet: false })
  } catch (cause) {
    throw new Unreadable(
      'there is no Parquet footer at its end, it was cut off or is no Parquet file',
      'copy the file again, whole',
      cause,
    )
  }
}
