import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { readListChanges, readSnooze } from '../../../src/config/control-texts.ts'
import { listTypes } from '../../../src/core/verdict.ts'

const page = readFileSync(new URL('../../../docs/decisioning.md', import.meta.url), 'utf8')
const example = (kind: string) =>
  new RegExp(`\`\`\`json ${kind}\\n(.*?)\`\`\``, 's').exec(page)?.[1] as string

it('has bodies of changes that members read', () => {
  expect(readListChanges(example('list'))).toMatchObject([
    { op: 'add', value: 'd-17', strength: 'final', expires: Date.UTC(2030, 11, 31) },
    { op: 'remove', type: 'ip' },
  ])
  expect(readSnooze(example('snooze'))).toMatchObject({ rule: 'card-testing', until: Date.UTC(2030, 11, 1) })
})

it('names every type of entry, and no other', () => {
  const section = page.slice(page.indexOf('| Type |'), page.indexOf('An entry holds'))
  expect([...section.matchAll(/^\| `(\w+)`/gm)].map(([, type]) => type)).toEqual([...listTypes])
})
