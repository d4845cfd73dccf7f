import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterAll, describe, expect, it } from 'vitest'
import type { Transaction } from '../../../src/core/types.ts'
import { contractMapping } from '../../../src/files/contract.ts'
import { rowMapper } from '../../../src/files/mapping.ts'
import { type FileRow, readRows } from '../../../src/files/rows.ts'
import { shown, shownNames } from '../../../src/files/shown.ts'
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

describe('a full disk', () => {
  const [payment] = [...generate({ seed: 3, events: 1 })].flatMap((record) =>
    record.kind === 'transaction' ? [record.transaction] : [],
  ) as [Transaction]

  it.each(['csv', 'jsonl', 'avro'])(
    'ends what is written as .%s with a cure, soon or at the end',
    async (kind) => {
      const path = join(folder, `full.${kind}`)
      symlinkSync('/dev/full', path)
      const diskFull = {
        code: 'WEIR_CLI_INPUT',
        message: expect.stringMatching(`^cannot write ${path}: ENOSPC`),
        cure: expect.stringContaining('free space'),
      }
      const short = await createRecordFile(path, 'transaction.avsc')
      await short.write(payment)
      await expect(short.close()).rejects.toMatchObject(diskFull)

      const long = await createRecordFile(path, 'transaction.avsc')
      const writing = async () => {
        for (;;) await long.write(payment)
      }
      await expect(writing()).rejects.toMatchObject(diskFull)
      await expect(long.close()).rejects.toMatchObject(diskFull)
    },
  )
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

  it('of a CSV with a bad quote are bad one by one, and the message quotes nothing', async () => {
    const path = file(
      'quotes.csv',
      'a,b\n1,x\n4111111111111111"x,"y" z"\n2,x\n"4111111111111111"x,y\n"3","x\ny"\n',
    )
    const error = expect.stringMatching(/^a quote stands within a field; /)
    expect(await rowsOf(path)).toEqual([
      { line: 2, row: { a: '1', b: 'x' } },
      { line: 3, error },
      { line: 4, row: { a: '2', b: 'x' } },
      { line: 5, error },
      { line: 7, row: { a: '3', b: 'x\ny' } },
    ])
    await expect(rowsOf(file('head.csv', '4111111111111111"x,b\n1,2\n'))).rejects.toMatchObject({
      message: expect.stringMatching(
        /head\.csv: the names of its columns cannot be read: a quote stands[^4]*$/,
      ),
      cure: expect.stringContaining('first line'),
    })
    await expect(rowsOf(file('open.csv', 'a,b\n1,2\n"4111111111111111,2\n'))).rejects.toMatchObject({
      message: expect.stringMatching(/open\.csv: a quote that begins after record 2 .* is not closed/),
    })
  })

  it.each(['csv.gz', 'avro', 'parquet'])('of a .%s that is none: an error with a cure', async (kind) => {
    const garbage = Buffer.from('4111111111111111\u001b[31m\u0000'.repeat(100))
    await expect(rowsOf(file(`garbage.${kind}`, garbage))).rejects.toMatchObject({
      code: 'WEIR_CLI_INPUT',
      message: expect.not.stringMatching(/4111|\p{Cc}/u),
      cure: expect.stringContaining('copy the file again'),
    })
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

it('text of a file is shown without card numbers and without what a terminal obeys', () => {
  expect(shown('a 4111-1111-1111-1111 b')).toBe('(withheld: it looks like a card number)')
  expect(shown('\u001b[31mred\u009b\u202e')).toBe('\\u001b[31mred\\u009b\\u202e')
  expect(shown('x'.repeat(100))).toHaveLength(83)
  expect(shownNames(Array.from({ length: 42 }, (_, i) => `c${i}`))).toMatch(/c39 and 2 more$/)
})
