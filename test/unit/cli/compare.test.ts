import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { compareReplay } from '../../../src/apps/compare.ts'
import type { Comparison } from '../../../src/core/evaluation/comparison.ts'
import { segmentFields } from '../../../src/core/evaluation/decision-table.ts'
import { metricNames } from '../../../src/core/evaluation/metrics.ts'
import { compareDefaults } from '../../../src/core/evaluation/options.ts'
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
  it('prints the whole result as JSON', async () => {
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
    expect(stdout).toMatch(/^ +champion +strict +difference +95 % from +to/m)
    expect(stdout).toMatch(/^good payments newly flagged +\d/m)
    expect(stdout).not.toContain('blocked')
    expect(stdout).toMatch(/^Insult rate +\d+\.\d\d % +\d+\.\d\d % +\+\d+\.\d\d % /m)
    expect(stdout).toMatch(/^ecommerce +[\d,]+ +\d+ /m)
    expect(stdout).toMatch(/^2026-01-05 +[\d,]+ +\d+ /m)
    expect(stdout).not.toContain('\u001b')
    expect(stdout).not.toMatch(/NaN|undefined|null/)
  })

  it('shows one alone', async () => {
    const { stdout } = await compare('--candidate', 'champion')
    expect(stdout).toMatch(/^ +champion +95 % from +to/m)
    expect(stdout).not.toContain('newly')
    expect(stdout).toMatch(/^champion alone, not compared: /)
  })

  it('shows a row each of several', async () => {
    const { code, stdout } = await compare('--maturity-days', '1')
    expect(code).toBe(0)
    expect(stdout).toMatch(/^2 candidates against champion: /)
    expect(stdout).toMatch(/^champion +[\d,.]+ +[\d,.]+ +[\d,.]+ +[\d.]+ % +[\d.]+$/m)
    expect(stdout).toMatch(/^strict +[\d,.]+ \(\+[\d,.]+\)\*? .*\+[\d.]+ %\)\* /m)
    expect(stdout).toMatch(/^never +0\.00 \(-/m)
    const json = JSON.parse((await compare('--json', '--maturity-days', '1')).stdout)
    expect(json.champion).toBe('champion')
    const one = JSON.parse((await compare('--candidate', 'never', '--json', '--maturity-days', '1')).stdout)
    const [strict, never] = json.overview
    expect([strict.candidate, never.candidate]).toEqual(['strict', 'never'])
    expect(never.metrics).toHaveLength(5)
    expect(one.metrics).toEqual(expect.arrayContaining(never.metrics))
  })

  it('says of what currency money is', async () => {
    const other = join(folder, 'in-chf')
    cpSync(replayed, other, { recursive: true })
    const replay = JSON.parse(readFileSync(join(other, 'replay.json'), 'utf8'))
    writeFileSync(join(other, 'replay.json'), JSON.stringify({ ...replay, currency: 'CHF' }))
    const args = [other, '--candidate', 'strict', '--resamples', '0']
    const { stdout } = await weir(['compare', ...args])
    expect(stdout).toMatch(/^strict against champion: [\d,]+ payments worth [\d,.]+ CHF of/)
    expect(stdout).toMatch(/^Fraud value caught, CHF /m)
    const json = await weir(['compare', ...args, '--json'])
    expect((JSON.parse(json.stdout) as Comparison).data.currency).toBe('CHF')
    const threshold = await weir(['threshold', other])
    expect(threshold.stdout).toMatch(/^cost a day, CHF /m)
  })

  it('says that nothing is old enough', async () => {
    const { stdout } = await compare('--candidate', 'strict', '--maturity-days', '9999')
    expect(stdout).toMatch(/, of which none was 9,999 days old by 2026-\d\d-\d\dT/)
    expect(stdout).not.toContain('too young')
  })

  it('says that metrics need labels where the replay had none', async () => {
    const [payments, out] = [join(folder, 'payments.jsonl'), join(folder, 'unlabelled')]
    await weir(['generate', '--events', '500', '--out', payments])
    expect(await weir(['replay', payments, '--out', out])).toMatchObject({ code: 0 })
    const { code, stdout, stderr } = await weir(['compare', out])
    expect(code).toBe(0)
    expect(stderr).toContain('no payment has a label')
    expect(stdout).toMatch(/^Review load /m)
    expect(stdout).not.toMatch(/^(Precision|Fraud value)/m)
  })

  it('ends with code and cure', async () => {
    const { code, stdout, stderr } = await compare('--candidate', 'strikt')
    expect([code, stdout]).toEqual([2, ''])
    expect(stderr).toContain('holds no candidate strikt')
    expect(stderr).toContain('did you mean strict?')
  })
})

describe('what cannot be compared', () => {
  const request = { ...compareDefaults, champion: undefined, candidate: 'strict' }

  it('says which of several it could be', async () => {
    await expect(compareReplay(replayed, { ...request, candidate: undefined })).rejects.toMatchObject({
      code: 'WEIR_CLI_USAGE',
      message: expect.stringContaining('holds several candidates: strict, never'),
      cure: expect.stringContaining('--candidate strict'),
    })
  })

  it('does not claim labels that the replay did not read', async () => {
    const other = join(folder, 'earlier')
    cpSync(replayed, other, { recursive: true })
    const replay = JSON.parse(readFileSync(join(other, 'replay.json'), 'utf8'))
    const labels_until = '2026-01-06T00:00:00.000Z'
    writeFileSync(join(other, 'replay.json'), JSON.stringify({ ...replay, labels_until }))
    const labelsUntil = Date.UTC(2026, 1, 1)
    await expect(compareReplay(other, { ...request, labelsUntil })).rejects.toMatchObject({
      message: expect.stringContaining(`has labels until ${labels_until} only`),
    })
    const { data } = await compareReplay(other, { ...request, by: [], resamples: 0 })
    expect(data.labels_until).toBe(labels_until)
  })

  it('is a folder without a replay', async () => {
    await expect(compareReplay(folder, request)).rejects.toMatchObject({
      code: 'WEIR_CLI_INPUT',
      message: expect.stringContaining('holds no finished replay'),
    })
  })
})
