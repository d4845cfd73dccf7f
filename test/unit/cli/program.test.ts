import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { appendFileSync, cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { weir } from '../../helpers/weir.ts'

const folder = mkdtempSync(join(tmpdir(), 'weir-cli-'))
afterAll(() => rmSync(folder, { recursive: true }))

describe('weir', () => {
  it('without arguments prints help', async () => {
    const { code, stdout, stderr } = await weir([])
    expect(code).toBe(0)
    expect(stderr).toBe('')
    expect(stdout).toMatch(/^Usage: weir/)
    for (const command of ['config', 'topics', 'generate', 'produce', 'tail', 'features', 'model']) {
      expect(stdout).toContain(`\n  ${command}`)
    }
  })

  it('knows its version', async () => {
    const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string }
    expect(await weir(['--version'])).toMatchObject({ code: 0, stdout: `${version}\n` })
  })

  it.skipIf(process.getuid?.() !== 0)('runs as a user id that has no name, as containers may', () => {
    const { status, stderr } = spawnSync(process.execPath, ['src/main.js', 'alerts', '--help'], {
      ...{ uid: 54_321, gid: 0, encoding: 'utf8' },
    })
    expect(stderr).toBe('')
    expect(status).toBe(0)
    const { stderr: told } = spawnSync(process.execPath, ['src/main.js', 'alerts', 'take', 'a-0-1'], {
      ...{ uid: 54_321, gid: 0, encoding: 'utf8' },
    })
    expect(told).toContain('--who')
  })

  it('fails the same whether its output is read or not, and says that there is no room for it', () => {
    const broken = join(folder, 'broken')
    cpSync('models', broken, { recursive: true })
    appendFileSync(join(broken, 'champion/1.0.0/golden.json'), ' ')
    const shell = (line: string) =>
      spawnSync('bash', ['-c', `set -o pipefail; ${line}`], {
        encoding: 'utf8',
        env: { ...process.env, WEIR: `${process.execPath} src/main.js`, WEIR_MODELS__DIRECTORY: broken },
      })
    expect(shell('$WEIR model check | true').status).toBe(1)
    expect(shell('$WEIR config print | true').status).toBe(0)
    const full = shell('$WEIR config print > /dev/full')
    expect(full.stderr).toContain('standard output: ')
    expect(full.status).toBe(1)
  })

  it.each([
    ['model', 'check'],
    ['demo', '--events', '20', '--out', folder],
  ])('%s says where the model runs, and why not on the provider that was asked for', async (...command) => {
    const { code, stderr } = await weir([...command, '--set', 'models.providers=abacus,cpu'])
    expect(stderr).toMatch(/^model \S+ runs on cpu; not on abacus: .+/m)
    expect(code).toBe(0)
  })

  it.each<[string, string[], string]>([
    ['an unknown command', ['strem'], "unknown command 'strem'"],
    ['an unknown flag', ['generate', '--evnts', '5'], '(Did you mean --events?)'],
    ['a value that is no number', ['generate', '--events', 'many'], 'Give a whole number'],
    ['a wrong setting', ['config', 'check', '--set', 'htpt.port=1'], 'did you mean http.port?'],
    ['an absent file', ['config', 'check', '--config', '/nowhere.yaml'], 'cannot read /nowhere.yaml'],
    ['a time that is none', ['generate', '--start', 'soon', '--out', 'x.csv'], '--start soon is no time'],
    ['a wrong share', ['generate', '--fraud-rate', '2', '--out', join(folder, 'x.csv')], 'fraudRate is 2'],
    ['labels without payments', ['generate', '--labels', 'l.csv'], '--labels does nothing without --out'],
    ['a kind of fraud that was none', ['label', 't', '--good', '--type', 'mule'], 'nothing without --fraud'],
    [
      'a range of days that is none',
      ['audit', '--from', '2026-02-01', '--to', '2026-01-01'],
      'before --from',
    ],
    ['a range of offsets that is none', ['replay', 'topic', '--from', '5,9', '--to', '7,8'], 'before --from'],
    [
      'an entry that expired long ago',
      ['lists', 'add', 'deny', 'device', 'd-1', '--author', 'ana', '--expires', '2020-01-01'],
      'It is past already',
    ],
    [
      'a snooze that is over',
      ['lists', 'snooze', 'rule', 'device', 'd-1', '--author', 'ana', '--until', '2020-01-01'],
      'It is past already',
    ],
  ])('%s is a mistake of the user: 2, and no stack', async (_, args, message) => {
    const { code, stdout, stderr } = await weir(args)
    expect(code).toBe(2)
    expect(stdout).toBe('')
    expect(stderr).toContain(message)
    expect(stderr).not.toMatch(/^ +at /m)
  })

  it('that fails ends with 1, and says how to mend it', async () => {
    const { code, stderr } = await weir(['produce', 'absent.parquet', '--map', 'nowhere'])
    expect(code).toBe(1)
    expect(stderr).toContain('error: there is no mapping nowhere')
    expect(stderr).toContain('cure: give the path of a mapping file')
  })

  it('does not mind a reader that has seen enough', () => {
    const { stderr, stdout } = spawnSync(
      'sh',
      ['-c', '("$NODE" src/main.js config print; echo $? >&2) | head -n 1'],
      {
        encoding: 'utf8',
        env: { PATH: process.env['PATH'] ?? '', NODE: process.execPath, WEIR_CONFIG: '/dev/null' },
      },
    )
    expect(stdout.split('\n')).toHaveLength(2)
    expect(stderr).toBe('0\n')
  })
})

describe('weir config', () => {
  const env = { WEIR_REDIS__PASSWORD: 'geheim', WEIR_LOG__LEVEL: 'warn' }

  it('print shows values and sources, no secrets; what it prints is YAML', async () => {
    const { code, stdout } = await weir(['config', 'print'], { env })
    expect(code).toBe(0)
    expect(stdout).toContain('level: warn  # WEIR_LOG__LEVEL')
    expect(stdout).not.toContain('geheim')
    expect(parse(stdout)).toMatchObject({ log: { level: 'warn' }, redis: { password: '(redacted)' } })
  })

  it('print --no-redact shows them', async () => {
    expect((await weir(['config', 'print', '--no-redact'], { env })).stdout).toContain('password: geheim')
  })

  it('print --json is for programs, with global flags anywhere', async () => {
    const { stdout } = await weir(['--set', 'http.port=1', 'config', 'print', '--json'], { env })
    expect(JSON.parse(stdout)).toMatchObject({
      'http.port': { value: 1, source: '--set http.port' },
      'log.level': { value: 'warn', source: 'WEIR_LOG__LEVEL' },
      app: { value: 'weir', source: 'default' },
    })
  })
})

describe('weir export', () => {
  it('that is stopped leaves nothing behind', async () => {
    const out = join(folder, 'stopped')
    mkdirSync(out)
    const args = ['src/main.js', 'export', '--events', '1000000', '--out', join(out, 'big.parquet')]
    const child = spawn(process.execPath, args, { stdio: 'ignore' })
    const ended = once(child, 'exit')
    await expect.poll(() => readdirSync(out), { timeout: 60_000 }).toEqual(['big.parquet.part'])
    child.kill('SIGTERM')
    expect(await ended).toEqual([143, null])
    expect(readdirSync(out)).toEqual([])
  })
})

describe('weir generate', () => {
  it('writes the same file for the same seed, and labels apart', async () => {
    const files = ['one', 'two'].map((name) => [
      join(folder, `${name}.jsonl`),
      join(folder, `${name}-labels.csv`),
    ])
    for (const [out = '', labels = ''] of files) {
      const flags = [
        '--events',
        '2000',
        '--seed',
        '7',
        '--fraud-rate',
        '0.05',
        '--out',
        out,
        '--labels',
        labels,
      ]
      expect(await weir(['generate', ...flags])).toMatchObject({ code: 0, stdout: '' })
    }
    const [[payments, labels], again] = files.map((paths) =>
      paths.map((path) => readFileSync(path, 'utf8')),
    ) as [[string, string], [string, string]]
    expect(again).toEqual([payments, labels])
    expect(payments.trimEnd().split('\n').length).toBeGreaterThanOrEqual(2000)
    expect(labels).toMatch(/^label_id,transaction_id,/)
    expect(labels.split('\n').length).toBeGreaterThan(20)
  })
})
