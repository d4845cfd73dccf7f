import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Comparison } from '../../../src/core/evaluation/comparison.ts'
import { segmentFields } from '../../../src/core/evaluation/decision-table.ts'
import { metricNames } from '../../../src/core/evaluation/metrics.ts'
import { weir } from '../../helpers/weir.ts'

const folder = mkdtempSync(join(tmpdir(), 'weir-compare-'))
const replayed = join(folder, 'replay')

beforeAll(async () => {
  const strict = [
    '--candidate',
    'strict:challenge=300,review=400,decline=500',
    '--candidate',
    'never:challenge=1000,review=1000,decline=1000',
  ]
  expect(await weir(['replay', '--events', '4000', ...strict, '--out', replayed])).toMatchObject({ code: 0 })
})
afterAll(() => rmSync(folder, { recursive: true }))

const compare = (...args: string[]) => weir(['compare', replayed, ...args])

describe('weir compare', () => {
  it('prints the whole result as JSON, the same bytes again', async () => {
    const { code, stdout, stderr } = await compare('--candidate', 'strict', '--json')
    expect([code, stderr]).toEqual([0, ''])
    const comparison = JSON.parse(stdout) as Comparison
    const replay = JSON.parse(readFileSync(join(replayed, 'replay.json'), 'utf8'))
    expect(comparison.champion.name).toBe('champion')
    expect(comparison.candidate.name).toBe('strict')
    expect(comparison.data.frauds.payments).toBe(replay.frauds)
    expect(comparison.data.payments).toBe(replay.payments - replay.duplicates)
    const { approve, decline } = comparison.candidate.outcomes
    expect([approve.payments, decline.payments]).toEqual([
      replay.candidates[1].outcomes.approve,
      replay.candidates[1].outcomes.decline,
    ])
    expect(comparison.metrics.map(({ metric }) => metric)).toEqual(metricNames)
    expect(comparison.segments.map(({ field }) => field)).toEqual(segmentFields)
    expect((await compare('--candidate', 'strict', '--json')).stdout).toBe(stdout)
  })

  it('shows a table without colours where there is no terminal', async () => {
    const { code, stdout } = await compare(
      '--candidate',
      'strict',
      '--by',
      'channel',
      'day',
      '--maturity-days',
      '1',
    )
    expect(code).toBe(0)
    expect(stdout).toMatch(/^strict against champion: [\d,]+ payments worth/)
    expect(stdout).toMatch(/^ +champion +strict +difference +95 % interval/m)
    expect(stdout).toMatch(/^Insult rate +\d+\.\d\d % +\d+\.\d\d % +\+\d+\.\d\d % /m)
    expect(stdout).toMatch(/^ecommerce +[\d,]+ +\d+ /m)
    expect(stdout).toMatch(/^2026-01-05 +[\d,]+ +\d+ /m)
    expect(stdout).not.toContain('\u001b')
    expect(stdout).not.toMatch(/NaN|undefined|null/)
  })

  it('shows one alone', async () => {
    const { stdout } = await compare('--candidate', 'champion')
    expect(stdout).toMatch(/^ +champion +95 % interval/m)
    expect(stdout).not.toContain('newly')
  })

  it('says what can be had before any label', async () => {
    const { code, stdout, stderr } = await compare('--candidate', 'strict', '--labels-until', '2025-01-01')
    expect(code).toBe(0)
    expect(stderr).toContain('every payment is too young to be judged')
    expect(stdout).toMatch(/^Alert rate /m)
    expect(stdout).not.toMatch(/^Recall/m)
  })

  it.each<[string, string[], string, string]>([
    [
      'a name that is not there',
      ['--candidate', 'strikt'],
      'holds no candidate strikt',
      'did you mean strict?',
    ],
    ['several to choose from', [], 'holds several candidates: strict, never', '--candidate strict'],
  ])('ends with a cure for %s', async (_, args, message, cure) => {
    const { code, stdout, stderr } = await compare(...args)
    expect([code, stdout]).toEqual([2, ''])
    expect(stderr).toContain(message)
    expect(stderr).toContain(cure)
  })

  it('does not claim labels that the replay did not read', async () => {
    const other = join(folder, 'earlier')
    cpSync(replayed, other, { recursive: true })
    const replay = JSON.parse(readFileSync(join(other, 'replay.json'), 'utf8'))
    writeFileSync(
      join(other, 'replay.json'),
      JSON.stringify({ ...replay, labels_until: '2026-01-06T00:00:00.000Z' }),
    )
    const { code, stderr } = await weir([
      'compare',
      other,
      '--candidate',
      'strict',
      '--labels-until',
      '2026-02-01',
    ])
    expect(code).toBe(2)
    expect(stderr).toContain('has labels until 2026-01-06T00:00:00.000Z only')
  })

  it('ends with a cure for a folder without a replay', async () => {
    const { code, stderr } = await weir(['compare', folder])
    expect(code).toBe(1)
    expect(stderr).toContain('holds no finished replay')
  })
})
