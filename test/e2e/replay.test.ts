import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { readDecisionTable } from '../../src/replay/decisions-table.ts'
import { weir } from '../helpers/weir.ts'

const folder = mkdtempSync(join(tmpdir(), 'weir-replay-'))
afterAll(() => rmSync(folder, { recursive: true }))
const at = (name: string) => join(folder, name)

const lastLine = (stdout: string) => JSON.parse(stdout.trim().split('\n').at(-1) as string)
const files = ['replay.json', 'decisions-00000.parquet', 'decisions-00001.parquet']

describe('weir replay', () => {
  const args = ['replay', '--events', '60000', '--candidate', 'strict:challenge=300']
  const into = (name: string) => [...args, '--out', at(name), '--scores', at(`${name}.csv`), '--json']

  it('leaves scores, decisions and a summary; stopped and resumed, the same bytes', async () => {
    const whole = await weir(into('whole'))
    expect(whole.code).toBe(0)
    const summary = lastLine(whole.stdout)
    const lines = readFileSync(at('whole.csv'), 'utf8').trimEnd().split('\n')
    expect(lines[0]).toBe(
      'transaction_id,score,risk_score,outcome,strict.score,strict.risk_score,strict.outcome',
    )
    expect(lines).toHaveLength(summary.payments + 1)
    const table = await readDecisionTable(at('whole'), summary.parts)
    expect(table.rows).toBe(summary.payments - summary.duplicates)
    expect(table.candidates.map(({ name }) => name)).toEqual(['champion', 'strict'])
    expect(table.fraud.reduce((sum, fraud) => sum + fraud, 0)).toBe(summary.frauds)
    expect(summary.frauds).toBeGreaterThan(0)

    // So slow that the signal comes in the middle.
    const child = spawn(process.execPath, ['src/main.js', ...into('parts'), '--rate', '30000'], {
      env: { PATH: process.env['PATH'] ?? '', WEIR_CONFIG: '/dev/null' },
      stdio: ['ignore', 'ignore', 'pipe'],
    })
    let told = ''
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      told += text
    })
    while (!existsSync(at('parts.csv.part')) || readFileSync(at('parts.csv.part')).length < 1_000_000) {
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
    child.kill('SIGTERM')
    const [code] = await once(child, 'close')
    expect(code).toBe(143)
    expect(told).toContain(`stopped; go on with --resume: ${at('parts')}`)
    for (const absent of ['parts/replay.json', 'parts.csv']) expect(existsSync(at(absent))).toBe(false)

    const again = await weir(into('parts'))
    expect(again).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('holds a replay that was stopped'),
    })
    const other = await weir([...into('parts'), '--resume', '--seed', '2'])
    expect(other).toMatchObject({ code: 1, stderr: expect.stringContaining('was of something else') })

    const resumed = await weir([...into('parts'), '--resume'])
    expect(resumed.code).toBe(0)
    expect(existsSync(at('parts/unfinished'))).toBe(false)
    for (const file of files) {
      expect(readFileSync(at(`parts/${file}`)).equals(readFileSync(at(`whole/${file}`)))).toBe(true)
    }
    expect(readFileSync(at('parts.csv')).equals(readFileSync(at('whole.csv')))).toBe(true)
    expect(existsSync(at('parts/checkpoint'))).toBe(false)
  })

  it('that fails leaves an earlier one as it was; a file that was changed is found out', async () => {
    const small = ['replay', '--events', '3000', '--out', at('kept'), '--json']
    expect((await weir(small)).code).toBe(0)
    const before = readFileSync(at('kept/replay.json'), 'utf8')
    const nothing = at('nothing.csv')
    writeFileSync(
      nothing,
      'transaction_id,event_time,customer_id,amount_minor,currency,merchant_id,type,channel\n1,x\n',
    )
    expect((await weir(['replay', nothing, '--out', at('kept')])).code).toBe(1)
    expect(readFileSync(at('kept/replay.json'), 'utf8')).toBe(before)
    expect((await weir(['compare', at('kept')])).code).toBe(0)
    const part = at('kept/decisions-00000.parquet')
    const bytes = readFileSync(part)
    bytes[1_000] = (bytes[1_000] as number) ^ 1
    writeFileSync(part, bytes)
    const compared = await weir(['compare', at('kept')])
    expect(compared.code).toBe(1)
    expect(compared.stderr).toContain('it is not the file that replay.json names')
  })

  it('has its folder to itself', async () => {
    const slow = spawn(
      process.execPath,
      ['src/main.js', 'replay', '--events', '9000', '--rate', '10', '--out', at('one')],
      {
        env: { PATH: process.env['PATH'] ?? '', WEIR_CONFIG: '/dev/null' },
        stdio: 'ignore',
      },
    )
    while (!existsSync(at('one/lock'))) await new Promise((resolve) => setTimeout(resolve, 20))
    const second = await weir(['replay', '--events', '1000', '--out', at('one')])
    expect(second.code).toBe(1)
    expect(second.stderr).toContain(`another replay (process ${slow.pid}) is writing to`)
    slow.kill('SIGKILL')
    await once(slow, 'close')
    expect((await weir(['replay', '--events', '1000', '--out', at('one')])).code).toBe(0)
    expect(existsSync(at('one/lock'))).toBe(false)
  })
})
