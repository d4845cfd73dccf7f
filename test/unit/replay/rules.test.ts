import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, it } from 'vitest'
import { weir } from '../../helpers/weir.ts'

const folder = mkdtempSync(join(tmpdir(), 'weir-rules-'))
afterAll(() => rmSync(folder, { recursive: true }))

it('a replay records the rules that hit, and what each is worth', async () => {
  const out = join(folder, 'replay')
  const replayed = await weir([
    'replay',
    '--events',
    '4000',
    '--candidate',
    'ruled:rules=rules/example.yaml',
    '--out',
    out,
  ])
  expect(replayed.stderr).not.toContain('error')
  expect(replayed.code).toBe(0)
  const summary = JSON.parse(readFileSync(join(out, 'replay.json'), 'utf8'))
  const [champion, ruled] = summary.candidates
  expect(champion.rules).toBeNull()
  expect(ruled.rules.id).toMatch(/^1\.0\.0#/)
  expect(ruled.policy).toBe(champion.policy)
  expect(ruled.outcomes).not.toEqual(champion.outcomes)

  const { stdout } = await weir(['rules', 'economics', out, '--json'])
  const economics = JSON.parse(stdout)
  expect(economics).toMatchObject({ candidate: 'ruled', rulesId: ruled.rules.id })
  const usual = economics.rules.find(({ rule }: { rule: string }) => rule === 'usual-small')
  expect(usual.hits).toBeGreaterThan(100)
  const decided = economics.rules.reduce((sum: number, rule: { decided: number }) => sum + rule.decided, 0)
  expect(decided).toBeGreaterThan(0)
  expect((await weir(['rules', 'economics', out])).stdout).toMatch(/RULE +HITS +FRAUDS/)
  const other = await weir(['rules', 'economics', out, '--candidate', 'ruld'])
  expect(other).toMatchObject({ code: 2, stderr: expect.stringContaining('did you mean ruled?') })
})

it('a candidate can be without the rules of the configuration', async () => {
  const out = join(folder, 'bare')
  const set = ['--set', 'rules=rules/example.yaml']
  await weir(['replay', '--events', '2000', '--candidate', 'bare:rules=none', '--out', out, ...set])
  const { candidates } = JSON.parse(readFileSync(join(out, 'replay.json'), 'utf8'))
  expect(candidates.map(({ rules }: { rules: unknown }) => rules === null)).toEqual([false, true])
  const none = await weir(['rules', 'economics', out, '--candidate', 'bare'])
  expect(none).toMatchObject({ code: 1, stderr: expect.stringContaining('bare') })
})
