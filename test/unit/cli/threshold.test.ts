import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { ThresholdProposal } from '../../../src/apps/threshold.ts'
import { defaultCosts } from '../../../src/config/costs.ts'
import { loadFeatures, loadPolicy } from '../../../src/config/definitions.ts'
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

  it('proposes segments that share the alerts, in the policy file too', async () => {
    const out = join(folder, 'policy-by-channel.yaml')
    const flags = ['--by', 'channel', '--least-frauds', '2', '--alerts-per-day', '2', '--out', out]
    const { code, stdout } = await threshold(...flags, '--json')
    expect(code).toBe(0)
    const { proposed, segmented } = JSON.parse(stdout) as ThresholdProposal
    if (segmented === null) throw new Error('no segments')
    const { segments, refused, rest, proposed: bySegment, least_cost_per_day } = segmented
    expect(segments.length).toBeGreaterThan(1)
    expect(segments.map(({ frauds }) => frauds >= 2)).not.toContain(false)
    expect(refused.map(({ frauds }) => frauds < 2)).not.toContain(false)
    expect(bySegment.cost_per_day).toBeLessThanOrEqual(proposed.cost_per_day + 1e-9)
    expect(bySegment.cost_per_day).toBeGreaterThanOrEqual(least_cost_per_day - 1e-9)
    expect(bySegment.alerts_per_day).toBeLessThanOrEqual(2)
    const judged = [...segments, rest].reduce((sum, part) => sum + part.judged, 0)
    expect(judged).toBe(4_000)
    const { file } = loadPolicy(out, loadFeatures('features.yaml'))
    expect(file.thresholds).toEqual(bySegment.thresholds)
    expect(file.segments).toEqual(bySegment.segments)

    // What was proposed is what a replay with it comes to.
    const again = join(folder, 'replay-by-channel')
    const ran = await weir(['replay', '--events', '4000', '--candidate', `own:policy=${out}`, '--out', again])
    expect(ran).toMatchObject({ code: 0 })
    const { stdout: told } = await weir(['threshold', again, '--candidate', 'own', '--json'])
    const { now } = JSON.parse(told) as ThresholdProposal
    expect(now).toEqual(bySegment)
    rmSync(again, { recursive: true })
    rmSync(out)
  })

  it('shows segments with the gain over one set of thresholds for all, and says which know too little', async () => {
    const { stderr } = await threshold('--by', 'channel', '--least-frauds', '2')
    expect(stderr).toMatch(/refused, since fewer than 2 frauds .*: .*channel_recurring \(0 of \d+ payments\)/)
    const { stdout } = await threshold('--by', 'amount', '--least-frauds', '5')
    expect(stdout).toMatch(/NOW +PROPOSED +BY AMOUNT +DIFFERENCE/)
    expect(stdout).toMatch(/SEGMENT +CHALLENGE +REVIEW +DECLINE +PAYMENTS +FRAUDS\namount_below_/)
    expect(stdout).toMatch(/by amount: \d+\.\d\d EUR a day less than one set of thresholds for all/)
  })

  it.each([
    [['--by', 'channel', '--least-frauds', '900'], 'no segment by channel has 900 known frauds'],
    [['--by', 'chanel'], 'Allowed choices are channel, type, country, amount'],
    [['--least-frauds', '9'], '--least-frauds does nothing without --by'],
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
