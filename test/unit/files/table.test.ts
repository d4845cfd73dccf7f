import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { asyncBufferFromFile, parquetReadObjects } from 'hyparquet'
import { afterAll, expect, it } from 'vitest'
import { createTable, type TableRow } from '../../../src/files/table.ts'

const folder = mkdtempSync(join(tmpdir(), 'weir-table-'))
afterAll(() => rmSync(folder, { recursive: true }))

const columns = [
  { name: 'offset', type: 'number' },
  { name: 'fate', type: 'text' },
] as const
const rows: TableRow[] = [
  ...Array.from({ length: 20_001 }, (_, offset) => ({ offset, fate: offset % 2 === 0 ? 'a "b", c' : null })),
]

/** Reads a file back. */
const readers = {
  csv: async (path: string) =>
    readFileSync(path, 'utf8')
      .trimEnd()
      .split('\n')
      .slice(1)
      .map((line) => {
        const [, offset, fate] = /^(\d+),(.*)$/.exec(line) ?? []
        return { offset: Number(offset), fate: fate === '' ? null : fate?.slice(1, -1).replaceAll('""', '"') }
      }),
  json: async (path: string) => JSON.parse(readFileSync(path, 'utf8')),
  parquet: async (path: string) => {
    const found = await parquetReadObjects({ file: await asyncBufferFromFile(path) })
    return found.map(({ offset, fate }) => ({ offset: Number(offset), fate: fate ?? null }))
  },
}

it.each(Object.entries(readers))('.%s holds all rows, and appears when it is whole', async (kind, read) => {
  for (const some of [rows, []]) {
    const path = join(folder, `${some.length}.${kind}`)
    const table = createTable(path, columns)
    for (const row of some) table.add(row)
    expect(existsSync(path)).toBe(false)
    table.finish()
    expect(existsSync(`${path}.part`)).toBe(false)
    expect(await read(path)).toEqual(some)
  }
})

it('that is given up leaves nothing, and other kinds are refused', () => {
  for (const kind of Object.keys(readers)) {
    const path = join(folder, `gone.${kind}`)
    const table = createTable(path, columns)
    table.add({ offset: 1, fate: null })
    table.abandon()
    expect([path, `${path}.part`].filter(existsSync)).toEqual([])
  }
  expect(() => createTable(join(folder, 'x.txt'), columns)).toThrow('what kind of file')
})
