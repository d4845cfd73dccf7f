import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, it } from 'vitest'
import { entriesOfFile } from '../../../src/apps/lists.ts'

const folder = mkdtempSync(join(tmpdir(), 'weir-lists-'))
afterAll(() => rmSync(folder, { recursive: true }))

const head = 'list,type,value,strength,expires,reason'

function entriesOf(name: string, ...lines: string[]) {
  const path = join(folder, name)
  writeFileSync(path, [...lines, ''].join('\n'))
  return entriesOfFile(path, 'ana')
}

const entries = (row: string) => entriesOf('entries.csv', head, row)

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

it.each([
  ['deny,customer,4111 1111 1111 1111,,,', 'value holds a card number'],
  ['deny,ip,somewhere,,,', 'value of type ip is not an address or a range'],
  [`deny,device,d-17,,,${'x'.repeat(257)}`, 'reason '],
  ['deny,device,d-17,,2099-12-31,', 'expires reads as a card number'],
])('what no member would take is refused with its line: %s', async (row, what) => {
  await expect(entries(row)).rejects.toThrow(`entries.csv, line 2: ${what}`)
})

it('ten mistakes are shown, and the others counted', async () => {
  const rows = Array.from({ length: 400 }, (_, i) => `deny,device,d-${i},,,${i < 100 ? 'x'.repeat(300) : ''}`)
  const error: Error = await entriesOf('long.csv', head, ...rows).then(
    () => expect.fail(),
    (refused) => refused,
  )
  const lines = error.message.split('\n')
  expect(lines).toHaveLength(11)
  expect(lines[9]).toContain('long.csv, line 11: reason ')
  expect(lines[10]).toBe('and 90 lines more')
})

it('a column that is none is refused, with the one that was meant', async () => {
  const refused = (...given: Parameters<typeof entriesOf>) => expect(entriesOf(...given)).rejects
  await refused(
    'c.csv',
    'list,type,value,stength,expire,Reason',
    'deny,device,d-17,final,2030-01-01,x',
  ).toThrow(
    /c\.csv: .*"stength"; did you mean strength\?.*"expire"; did you mean expires\?.*"Reason"; did you mean reason\?/,
  )
  const row = { list: 'deny', type: 'device', value: 'd-17', strenght: 'final' }
  await refused('c.jsonl', JSON.stringify(row)).toThrow('line 1: there is no column "strenght"; did you mean')
  await refused('d.csv', 'list,tpye,value', 'deny,device,d-17').toMatchObject({
    message: expect.stringContaining('d.csv has no column type'),
    cure: expect.stringContaining('is tpye meant?'),
  })
  await refused('e.csv', head).toThrow('e.csv has no rows')
})
