import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, it } from 'vitest'
import { entriesOfFile } from '../../../src/apps/lists.ts'

const folder = mkdtempSync(join(tmpdir(), 'weir-lists-'))
afterAll(() => rmSync(folder, { recursive: true }))

function entries(row: string) {
  const path = join(folder, 'entries.csv')
  writeFileSync(path, `list,type,value,strength,expires,reason\n${row}\n`)
  return entriesOfFile(path, 'ana')
}

it('an entry of a file is as its row says', async () => {
  expect(await entries('deny,device, d-17 ,final,2026-12-31 10:00,mule')).toEqual([
    {
      op: 'add',
      list: 'deny',
      type: 'device',
      value: 'd-17',
      strength: 'final',
      expires: Date.UTC(2026, 11, 31, 10),
      reason: 'mule',
      who: 'ana',
    },
  ])
  expect(await entries('allow,customer,c-1,,,')).toMatchObject([{ strength: 'overridable', expires: null }])
})

it.each([
  ['deny,device,d-17,block,,', 'strength'],
  ['deny,device,d-17,Final,,', 'strength'],
  ['deny,device,d-17,,31 Dec 2026,', 'expires'],
  ['deny,device,d-17,,12/31/2026,', 'expires'],
  ['block,device,d-17,,,', 'list'],
])('a row that cannot be meant is refused: %s', async (row, what) => {
  await expect(entries(row)).rejects.toMatchObject({
    code: 'WEIR_CLI_INPUT',
    message: expect.stringMatching(`line 2: ${what} is not`),
  })
})
