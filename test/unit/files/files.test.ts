import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterAll, describe, expect, it } from 'vitest'
import type { Transaction } from '../../../src/core/types.ts'
import { contractMapping } from '../../../src/files/contract.ts'
import { rowMapper } from '../../../src/files/mapping.ts'
import { type FileRow, readRows } from '../../../src/files/rows.ts'
import { createRecordFile } from '../../../src/files/write.ts'
import { generate } from '../../../src/generator/generate.ts'

const folder = mkdtempSync(join(tmpdir(), 'weir-files-'))
afterAll(() => rmSync(folder, { recursive: true }))

async function rowsOf(path: string): Promise<FileRow[]> {
  const rows: FileRow[] = []
  for await (const batch of readRows(path)) rows.push(...batch)
  return rows
}

function file(name: string, content: string | Buffer): string {
  const path = join(folder, name)
  writeFileSync(path, content)
  return path
}

describe('a file of payments', () => {
  it.each(['csv', 'jsonl', 'avro'])('written as .%s reads back equal', async (kind) => {
    const payments = [...generate({ seed: 3, events: 300 })].flatMap((record) =>
      record.kind === 'transaction' ? [record.transaction] : [],
    )
    const [first] = payments as [Transaction]
    // avsc's largest long is 2^53 - 2.
    payments.push({ ...first, merchant_name: 'Quote " comma, and\nnewline', amount_minor: 2 ** 53 - 2 })
    const path = join(folder, `payments.${kind}`)
    const out = await createRecordFile(path, 'transaction.avsc')
    for (const payment of payments) await out.write(payment)
    await out.close()
    const back = (await rowsOf(path)).map(
      (read) => 'row' in read && rowMapper(contractMapping())(read.row, read.line).transaction,
    )
    expect(back).toEqual(payments)
  })

  it('of another kind is refused before anything is written', async () => {
    await expect(createRecordFile(join(folder, 'x.xlsx'), 'transaction.avsc')).rejects.toThrow(
      'what kind of file',
    )
    await expect(createRecordFile('/nowhere/x.csv', 'transaction.avsc')).rejects.toThrow('cannot write')
    await expect(rowsOf(join(folder, 'x.xlsx'))).rejects.toThrow('what kind of file')
    await expect(rowsOf(join(folder, 'absent.csv'))).rejects.toThrow('cannot read')
  })
})

describe('rows', () => {
  it('of a zipped CSV come with their lines, and bad ones with the reason', async () => {
    const path = file('rows.csv.gz', gzipSync('\ufeffa,b\r\n1,"x\ny"\r\n2\r\n\r\n3,z\r\n'))
    expect(await rowsOf(path)).toEqual([
      { line: 3, row: { a: '1', b: 'x\ny' } },
      { line: 4, error: 'the number of columns is not that of the first line' },
      { line: 6, row: { a: '3', b: 'z' } },
    ])
  })

  it('of JSON Lines may be bad one by one', async () => {
    const path = file('rows.jsonl', '{"a":1}\n\n{"a":\n[1]\n{"a":2}')
    expect(await rowsOf(path)).toEqual([
      { line: 1, row: { a: 1 } },
      { line: 3, error: 'not JSON' },
      { line: 4, error: 'not a JSON object' },
      { line: 5, row: { a: 2 } },
    ])
  })

  it.each(['broken.csv.gz', 'broken.jsonl.gz', 'broken.avro'])('of %s: it cannot be read', async (name) => {
    const whole = gzipSync('a,b\n'.repeat(1_000))
    await expect(rowsOf(file(name, whole.subarray(0, whole.length / 2)))).rejects.toThrow(`cannot read`)
  })

  it('are read as they come: reading can stop early', async () => {
    const path = file('long.jsonl', '{"a":1}\n'.repeat(100_000))
    for await (const [read] of readRows(path)) {
      expect(read).toEqual({ line: 1, row: { a: 1 } })
      break
    }
    expect(readFileSync(path).length).toBe(800_000)
  })
})
