import { readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { defaultCosts, loadCosts } from '../../../src/config/costs.ts'
import { withCutOffs } from '../../../src/config/policy-text.ts'

const fileOf = (text: string): string => {
  const path = join(tmpdir(), `weir-costs-${process.pid}.yaml`)
  writeFileSync(path, text)
  return path
}

test('config/costs.yaml says what holds without a file', () => {
  expect(loadCosts('config/costs.yaml')).toEqual(defaultCosts)
})

test('what a file leaves out has its default', () => {
  const { review, ...others } = defaultCosts
  expect(loadCosts(fileOf('review: { fixed: 7 }\n'))).toEqual({
    ...others,
    review: { ...review, fixed: 7 },
  })
})

test.each([
  ['reviews: { fixed: 7 }', /has no key "reviews"; did you mean review\?/],
  ['review: { fixed: -1 }', /review\.fixed/],
  ['challenge: { honest_lost: 30 }', /challenge\.honest_lost/],
])('%s is told', (text, message) => {
  expect(() => loadCosts(fileOf(text))).toThrow(message)
})

test('other thresholds change nothing else in a policy file', () => {
  const text = readFileSync('policy.yaml', 'utf8')
  expect(withCutOffs(text, { thresholds: { challenge: 7, review: 80, decline: 1000 } })).toBe(
    text.replace(
      '{ challenge: 450, review: 520, decline: 650 }',
      '{ challenge: 7, review: 80, decline: 1000 }',
    ),
  )
})

test('thresholds of the file that is extended are replaced by own ones', () => {
  expect(withCutOffs('extends: base.yaml # why\n', { thresholds: low })).toBe(
    'extends: base.yaml # why\n\nthresholds: { challenge: 1, review: 2, decline: 3 }\n\nsegments: []\n',
  )
})

const low = { challenge: 1, review: 2, decline: 3 }
const pos = { name: 'channel_pos', when: { channel: ['pos'] }, thresholds: low }
const line =
  'segments:\n  - { name: channel_pos, when: { channel: [ pos ] }, thresholds: { challenge: 1, review: 2, decline: 3 } }\n'

test('segments are written a line each, and stand in for those that were there', () => {
  const text = 'thresholds: { challenge: 1, review: 2, decline: 3 } # a\n'
  const written = withCutOffs(text, { thresholds: low, segments: [pos] })
  expect(written).toBe(`${text}\n${line}`)
  const around = `# before\nsegments:\n  - { name: x } # own\n  # more\n  - name: y\n\n# after\n${text}`
  const replaced = withCutOffs(around, { thresholds: low, segments: [pos] })
  expect(replaced).toBe(`# before\n${line}\n# after\n${text}`)
})

test('one set of thresholds for all leaves no segment', () => {
  const text = `thresholds: { challenge: 1, review: 2, decline: 3 }\n${line}# end\n`
  expect(withCutOffs(text, { thresholds: low })).toBe(
    'thresholds: { challenge: 1, review: 2, decline: 3 }\nsegments: []\n# end\n',
  )
})
