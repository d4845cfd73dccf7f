import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { weir } from '../../helpers/weir.ts'

const folder = mkdtempSync(join(tmpdir(), 'weir-source-'))
afterAll(() => rmSync(folder, { recursive: true }))
const at = (name: string) => join(folder, name)
const handbook = `TRANSACTION_ID,TX_DATETIME,CUSTOMER_ID,TERMINAL_ID,TX_AMOUNT,TX_FRAUD,TX_FRAUD_SCENARIO
0,2018-04-01 00:00:31,596,3156,57.16,0,0
1,2018-04-01 00:02:10,4961,3412,81.51,1,2
`
writeFileSync(at('h.csv'), handbook)

describe('what is read', () => {
  it.each(['replay --scores', 'export --out'])('is not written over: %s', async (words) => {
    const [command = '', flag = ''] = words.split(' ')
    const given = [at('h.csv'), '--map', 'handbook', flag, at('h.csv')]
    expect(await weir([command, ...given])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining(`${flag} ${at('h.csv')} would overwrite`),
    })
    expect(readFileSync(at('h.csv'), 'utf8')).toBe(handbook)
  })
})

describe('flags that would do nothing', () => {
  it.each<[string, string[], string]>([
    ['a range of files', [at('h.csv'), '--from', '0'], '--from does nothing without the source topic'],
    ['a range of generated payments', ['--events', '5', '--to', '0'], '--to does nothing without'],
    [
      'labels beside generated payments',
      ['--events', '5', '--labels', at('h.csv')],
      '--labels does nothing without',
    ],
    ['two files of labels', [at('h.csv'), '--labels', 'a', '--labels', 'b'], 'Give it once'],
    ['states without --verify', [at('h.csv'), '--start', 's'], '--start does nothing without --verify'],
    ['files for --verify', [at('h.csv'), '--verify'], '--verify reads the topics, not'],
    ['a rate for --verify', ['--verify', '--rate', '5'], '--rate does nothing with --verify'],
    ['candidates for --verify', ['--verify', '--candidate', 'x:challenge=1'], '--candidate does nothing'],
  ])('%s', async (_, args, message) => {
    const { code, stderr } = await weir(['replay', ...args])
    expect(stderr).toContain(message)
    expect(code).toBe(2)
  })
})

it('labels are not mapped', async () => {
  const args = ['produce', at('h.csv'), '--as', 'labels', '--map', 'handbook']
  expect(await weir(args)).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('--map does nothing with --as labels'),
  })
})

it('a file without rows leaves the table that there was', async () => {
  writeFileSync(at('head.csv'), handbook.slice(0, handbook.indexOf('\n') + 1))
  writeFileSync(at('kept.parquet'), 'a table')
  const args = ['export', at('head.csv'), '--map', 'handbook', '--out', at('kept.parquet')]
  expect(await weir(args)).toMatchObject({ code: 1, stderr: expect.stringContaining('head.csv has no rows') })
  expect(readFileSync(at('kept.parquet'), 'utf8')).toBe('a table')
})

it('export takes the features of the mapping, unless others are named', async () => {
  const hashOf = async (...flags: string[]) => {
    const args = ['export', at('h.csv'), '--map', 'handbook', '--out', at('h.parquet'), '--json', ...flags]
    return JSON.parse((await weir(args)).stdout).feature_hash
  }
  const listed = async (features: string) =>
    JSON.parse((await weir(['features', 'list', '--json', '--set', `features=${features}`])).stdout).hash
  expect(await hashOf()).toBe(await listed('features-handbook.yaml'))
  expect(await hashOf('--features', 'features.yaml')).toBe(await listed('features.yaml'))
})
