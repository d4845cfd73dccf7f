import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterAll, describe, expect, test } from 'vitest'
import { Random } from '../../src/core/random.ts'
import { weir } from '../helpers/weir.ts'

const python =
  process.env['WEIR_PYTHON'] ?? new URL('../../training/.venv/bin/python', import.meta.url).pathname
const hasPython = existsSync(python)
if (!hasPython) process.stderr.write('weir train is not tested: training/README.md says how to set it up\n')

const folder = mkdtempSync(join(tmpdir(), 'weir-train-'))
afterAll(() => rmSync(folder, { recursive: true }))

const head = 'TRANSACTION_ID,TX_DATETIME,CUSTOMER_ID,TERMINAL_ID,TX_AMOUNT,TX_FRAUD,TX_FRAUD_SCENARIO'
const dayMs = 86_400_000
const begin = Date.UTC(2018, 3, 1)

/** Forty days of payments in the columns of the Handbook: amounts far too large are fraud, and all of some terminals. */
function payments(days = 40): string[] {
  const random = new Random(3, 0)
  const rows: string[] = []
  for (let i = 0; i < days * 150; i++) {
    const at = new Date(begin + Math.floor((i * dayMs) / 150)).toISOString().slice(0, 19).replace('T', ' ')
    const terminal = random.below(40)
    const isLarge = random.below(200) === 0
    const isTerminal = Math.floor(i / 150) % 20 >= 8 && terminal === Math.floor(i / (150 * 20))
    const amount = (isLarge ? 250 : 5) + random.below(6000) / 100
    rows.push(
      [
        i,
        at,
        random.below(90),
        terminal,
        amount,
        Number(isLarge || isTerminal),
        isTerminal ? 2 : Number(isLarge),
      ].join(),
    )
  }
  return rows
}

function written(name: string, rows: readonly string[], columns = head): string {
  const path = join(folder, name)
  writeFileSync(path, gzipSync([columns, ...rows, ''].join('\n')))
  return path
}

const all = payments()
const file = written('payments.csv.gz', all)
const recipe = join(folder, 'recipe.yaml')
writeFileSync(recipe, 'families: { lightgbm: { trees: 20, min_rows_in_leaf: 10 }, forest: { trees: 20 } }')
const flags = ['--map', 'handbook', '--recipe', recipe, '--train-start', '2018-04-20', '--train-days', '7']
const train = (out: string, ...more: string[]) =>
  weir(['train', file, '--out', out, ...flags, ...more], { env: { WEIR_PYTHON: python } })

describe.runIf(hasPython)('weir train', () => {
  test('goes from raw payments to a package that is admitted, and says what it measured', async () => {
    const out = join(folder, 'models')
    const keep = join(folder, 'kept')
    const { code, stdout, stderr } = await train(out, '--json', '--keep', keep)
    expect(stderr).toContain('5/5 check')
    expect(code).toBe(0)
    const trained = JSON.parse(stdout.trimEnd().split('\n').at(-1) as string)
    expect(trained).toMatchObject({
      package: join(out, 'champion/1.0.0'),
      model: 'champion@1.0.0',
      periods: { train: { from: '2018-04-20T00:00:00Z' }, test: { from: '2018-05-04T00:00:00Z' } },
    })
    expect(trained.metrics.average_precision).toBeGreaterThan(0.5)
    expect(readdirSync(out)).toEqual(['champion'])
    expect(readdirSync(keep)).toEqual(['run', 'table.parquet'])
    const card = readFileSync(join(out, 'champion/1.0.0/MODEL_CARD.md'), 'utf8')
    expect(card).toContain('Payments of payments.csv.gz, read by the mapping handbook.')
    const models = ['--set', `models.directory=${out}`, '--set', `features=${trained.features}`]
    expect(await weir(['model', 'check', 'champion@1.0.0', ...models])).toMatchObject({ code: 0 })
  })

  test('without --train-days trains on all that is earlier, and names the next version', async () => {
    const out = join(folder, 'models')
    const { code, stdout, stderr } = await weir(
      [
        'train',
        file,
        '--out',
        out,
        '--map',
        'handbook',
        '--recipe',
        recipe,
        '--train-start',
        '2018-04-20',
        '--json',
      ],
      { env: { WEIR_PYTHON: python } },
    )
    expect(stderr).not.toContain('error')
    expect(code).toBe(0)
    expect(JSON.parse(stdout)).toMatchObject({
      model: 'champion@1.1.0',
      periods: {
        train: { from: '2018-04-01T00:00:00Z', to: '2018-04-27T00:00:00Z' },
        test: { from: '2018-05-04T00:00:00Z', to: '2018-05-11T00:00:00Z' },
      },
    })
  })

  test('fuses several families into one package, and says whether that was worth it', async () => {
    const out = join(folder, 'fused')
    const { code, stdout, stderr } = await train(out, '--json', '--family', 'lightgbm,forest')
    expect(stderr).toContain('5/5 check')
    expect(code).toBe(0)
    const trained = JSON.parse(stdout.trimEnd().split('\n').at(-1) as string)
    expect(trained).toMatchObject({
      model: 'champion@1.0.0',
      verdict: expect.stringMatching(/^The fusion (beats|is)/),
    })
    const manifest = JSON.parse(readFileSync(join(out, 'champion/1.0.0/model.json'), 'utf8'))
    expect(manifest.parts.map(({ name }: { name: string }) => name)).toEqual(['lightgbm', 'forest'])
    const models = ['--set', `models.directory=${out}`, '--set', `features=${trained.features}`]
    expect(await weir(['model', 'check', 'champion@1.0.0', ...models])).toMatchObject({ code: 0 })
  })

  test.each([
    [
      'an empty window',
      ['--train-start', '2019-01-01'],
      /^error: prepare: The train period \(7 days\) has 0 rows/m,
    ],
    [
      'an unknown family',
      ['--family', 'lightgbm,lightgbn'],
      /^error: settings: There is no family lightgbn/m,
    ],
    ['a file of features that is not there', ['--features', 'none.yaml'], /^error: cannot read none.yaml/m],
  ])('%s is one clear sentence, and leaves nothing', async (_, more, message) => {
    const out = join(folder, 'failed')
    const { code, stderr } = await train(out, ...more)
    expect(stderr).toMatch(message)
    expect(stderr).not.toContain('Traceback')
    expect(code).not.toBe(0)
    expect(existsSync(out)).toBe(false)
  })

  test.each([
    [
      'one class only',
      all.map((row) => row.replace(/,\d,\d$/, ',0,0')),
      head,
      /0 frauds: it needs both kinds/,
    ],
    ['a missing column', all, head.replace('TX_AMOUNT', 'AMOUNT'), /has no column TX_AMOUNT/],
  ])('%s is told', async (name, rows, columns, message) => {
    const path = written(`${name.replaceAll(' ', '-')}.csv.gz`, rows, columns)
    const out = join(folder, 'failed')
    const { code, stderr } = await weir(['train', path, '--out', out, ...flags], {
      env: { WEIR_PYTHON: python },
    })
    expect(stderr).toMatch(message)
    expect(code).toBe(1)
    expect(existsSync(out)).toBe(false)
  })

  test('a package is never written over', async () => {
    const { code, stderr } = await train(join(folder, 'models/champion/1.0.0'))
    expect(stderr).toContain('is there already')
    expect(code).toBe(2)
  })

  test('Ctrl-C leaves nothing behind', async () => {
    const out = join(folder, 'stopped')
    const main = new URL('../../src/main.js', import.meta.url).pathname
    const child = spawn(process.execPath, [main, 'train', file, '--out', out, ...flags], {
      env: { PATH: process.env['PATH'] ?? '', WEIR_CONFIG: '/dev/null', WEIR_PYTHON: python },
      stdio: ['ignore', 'ignore', 'pipe'],
    })
    let said = ''
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      said += text
      if (text.includes('3/5')) child.kill('SIGINT')
    })
    const code = await new Promise((resolve) => child.on('close', resolve))
    expect(said).toContain('stopped; nothing was written')
    expect(code).toBe(130)
    expect(existsSync(out)).toBe(false)
  })
})

test('without Python it says how to make one', async () => {
  const env = { WEIR_PYTHON: join(folder, 'no-python') }
  const { code, stderr } = await weir(['train', file, '--out', join(folder, 'failed'), ...flags], { env })
  expect(stderr).toMatch(/^error: cannot run .*no-python.*\(WEIR_TRAIN_PYTHON\)$/m)
  expect(code).toBe(1)
})

test.each(['0', 'infinity', 'x'])('%s is no number of days to train on', async (days) => {
  const { code, stderr } = await weir(['train', file, '--out', join(folder, 'failed'), '--train-days', days])
  expect(stderr).toMatch(/Give a whole number/)
  expect(code).toBe(2)
})

test('a mapping that there is not is told before anything is read', async () => {
  const { code, stderr } = await weir(['train', file, '--out', join(folder, 'failed'), '--map', 'handbok'])
  expect(stderr).toMatch(/^error: there is no mapping handbok/m)
  expect(code).toBe(1)
})
