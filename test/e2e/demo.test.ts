import { createHash } from 'node:crypto'
import { mkdir, mkdtemp, readFile, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { weir } from '../helpers/weir.ts'

interface Summary {
  readonly events: number
  readonly decisions: number
  readonly alerts: number
  readonly dead_letters: number
  readonly events_per_second: number
  readonly out: string
}

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'weir-demo-'))
})
afterAll(() => rm(folder, { recursive: true }))

async function demo(
  name: string,
  seed: number,
): Promise<{ summary: Summary; decisions: string; alerts: string }> {
  const out = join(folder, name)
  const { code, stdout, stderr } = await weir([
    'demo',
    '--events',
    '6000',
    '--seed',
    String(seed),
    '--out',
    out,
    '--json',
  ])
  expect(stderr).toMatch(/^model \S+ runs on cpu\n$/)
  expect(code).toBe(0)
  const [decisions, alerts] = await Promise.all(
    ['decisions.jsonl', 'alerts.jsonl'].map((file) => readFile(join(out, file), 'utf8')),
  )
  const summary = JSON.parse(stdout.trim().split('\n').at(-1) as string) as Summary
  return { summary, decisions: decisions as string, alerts: alerts as string }
}

const digest = (text: string) => createHash('sha256').update(text).digest('hex')
const linesOf = (text: string) =>
  text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>)

describe('the demo', () => {
  it('answers every payment once, and gives the same bytes for the same seed only', async () => {
    const [first, again, other] = [await demo('a', 7), await demo('b', 7), await demo('c', 8)]

    expect(first.summary.events).toBe(6000)
    expect(first.summary.decisions + first.summary.dead_letters).toBe(6000)
    const decisions = linesOf(first.decisions)
    expect(decisions).toHaveLength(first.summary.decisions)
    expect(new Set(decisions.map(({ decision_id }) => decision_id)).size).toBe(decisions.length)
    expect(linesOf(first.alerts)).toHaveLength(first.summary.alerts)
    expect(first.summary.alerts).toBeGreaterThan(0)

    expect(digest(again.decisions)).toBe(digest(first.decisions))
    expect(digest(again.alerts)).toBe(digest(first.alerts))
    expect(digest(other.decisions)).not.toBe(digest(first.decisions))
  })

  it.each(['decisions', 'alerts'])('a disk that is too full for the %s ends it', async (name) => {
    const out = join(folder, `full-${name}`)
    await mkdir(out)
    await symlink('/dev/full', join(out, `${name}.jsonl`))
    const { code, stdout, stderr } = await weir(['demo', '--events', '6000', '--out', out])
    expect(code).toBe(1)
    expect(stdout).toBe('')
    expect(stderr).toContain(`error: cannot write ${join(out, name)}.jsonl: ENOSPC`)
    expect(stderr).toContain('cure: free space')
    expect(stderr).not.toContain('Warning')
  })
})
