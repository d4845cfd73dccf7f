import { readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { defaultCosts, loadCosts } from '../../../src/config/costs.ts'
import { withThresholds } from '../../../src/config/policy-text.ts'

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
  expect(withThresholds(text, { challenge: 7, review: 80, decline: 1000 })).toBe(
    text.replace(
      '{ challenge: 450, review: 520, decline: 650 }',
      '{ challenge: 7, review: 80, decline: 1000 }',
    ),
  )
})

test('thresholds of the file that is extended are replaced by own ones', () => {
  expect(withThresholds('extends: base.yaml # why\n', { challenge: 1, review: 2, decline: 3 })).toBe(
    'extends: base.yaml # why\n\nthresholds: { challenge: 1, review: 2, decline: 3 }\n',
  )
})
