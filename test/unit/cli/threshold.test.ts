import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { ThresholdProposal } from '../../../src/apps/threshold.ts'
import { defaultCosts } from '../../../src/config/costs.ts'
import { weir } from '../../helpers/weir.ts'

const folder = mkdtempSync(join(tmpdir(), 'weir-threshold-'))
const replayed = join(folder, 'replay')

beforeAll(async () => {
  const strict = 'strict:challenge=300,review=450,decline=600'
  const ran = await weir(['replay', '--events', '4000', '--candidate', strict, '--out', replayed])
  expect(ran).toMatchObject({ code: 0 })
})

afterAll(() => rmSync(folder, { recursive: true }))

const threshold = (...more: string[]) => weir(['threshold', replayed, ...more])

describe('weir threshold', () => {
  it('proposes a policy that differs in its thresholds alone, within the alerts allowed', async () => {
    const out = join(folder, 'policy-new.yaml')
    const { code, stdout } = await threshold('--alerts-per-day', '1', '--out', out, '--json')
    expect(code).toBe(0)
    const { now, proposed, costs, curve } = JSON.parse(stdout) as ThresholdProposal
    expect(costs).toEqual(defaultCosts)
    expect(now.thresholds).toEqual({ challenge: 450, review: 520, decline: 650 })
    expect(proposed.alerts_per_day).toBeLessThanOrEqual(1)
    expect(Math.min(...curve.map(({ cost_per_day }) => cost_per_day))).toBeLessThanOrEqual(
      proposed.cost_per_day + 1e-9,
    )
    const { challenge, review, decline } = proposed.thresholds
    const same = readFileSync('policy.yaml', 'utf8').replace(
      'challenge: 450, review: 520, decline: 650',
      `challenge: ${challenge}, review: ${review}, decline: ${decline}`,
    )
    expect(readFileSync(out, 'utf8')).toBe(same)
    expect(readdirSync(folder).sort()).toEqual(['policy-new.yaml', 'replay'])
  })

  it('takes now from the replay, and warns of another policy than was replayed', async () => {
    const out = join(folder, 'policy-of-strict.yaml')
    const strict = await threshold('--candidate', 'strict', '--out', out, '--json')
    const { now, policy } = JSON.parse(strict.stdout) as ThresholdProposal
    expect(now.thresholds).toEqual({ challenge: 300, review: 450, decline: 600 })
    expect(strict.stderr).not.toContain('replayed with')
    const other = join(folder, 'policy-other.yaml')
    const alerts = 'alert_on: [decline]'
    writeFileSync(other, readFileSync('policy.yaml', 'utf8').replace(/^alert_on: .*$/m, alerts))
    const { stderr } = await threshold('--candidate', 'strict', '--policy', other, '--out', out)
    expect(stderr).toContain(`not the ${policy} that strict was replayed with`)
    rmSync(other)
    rmSync(out)
  })

  it('names the feature file that a policy of other features needs', async () => {
    const handbook = ['--policy', 'policy-handbook.yaml', '--out', join(folder, 'none.yaml')]
    expect((await threshold(...handbook)).stderr).toContain('--set features=FILE')
  })

  it('shows now, proposed and difference, with the costs that were assumed', async () => {
    const { stdout, stderr } = await threshold('--candidate', 'strict')
    expect(stderr).toContain('younger payments are judged: --maturity-days')
    expect(stdout).toMatch(/^strict in .*: 4,000 judged payments of \d+ days, \d+ frauds known by 2026/)
    expect(stdout).toMatch(/NOW +PROPOSED +DIFFERENCE/)
    for (const line of [
      'cost a day, EUR',
      'fraud value caught a day, EUR',
      'alerts a day',
      'good value declined a day, EUR',
    ]) {
      expect(stdout).toContain(`\n${line} `)
    }
    expect(stdout).toContain('missed fraud 1 of its amount + 15')
  })

  it.each([
    [['--candidate', 'strikt'], 'did you mean strict?'],
    [['--maturity-days', '900'], 'no payment is old enough to be judged'],
    [['--policy', 'policy.yaml'], '--policy does nothing without --out'],
    [['--alerts-per-day', '-1'], 'Give a number of alerts, 0 or more.'],
    [['--costs', 'policy.yaml'], 'policy.yaml: has no key "version"'],
  ])('tells what is wrong with %s', async (more, message) => {
    const { code, stderr } = await threshold(...more)
    expect(code).toBeGreaterThan(0)
    expect(stderr).toContain(message)
  })
})

describe('weir compare --report', () => {
  it('writes one HTML file, and nothing beside it', async () => {
    const out = join(folder, 'reports', 'strict.html')
    const ran = await weir(['compare', replayed, '--resamples', '10', '--report', out])
    expect(ran).toMatchObject({ code: 0, stderr: expect.stringContaining(`report: ${out}`) })
    expect(readFileSync(out, 'utf8')).toContain('<h1>What strict would change</h1>')
    expect(readdirSync(join(folder, 'reports'))).toEqual(['strict.html'])
  })
})
