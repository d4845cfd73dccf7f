import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { evidenceOf, unproven } from '../../../src/core/narrative/evidence.ts'
import { percentOf, plain, readable } from '../../../src/core/narrative/facts.ts'
import { languages } from '../../../src/core/narrative/language.ts'
import { narrate } from '../../../src/core/narrative/narrate.ts'
import { arbitraryAlert } from '../../helpers/alerts.ts'
import { narratedAlerts } from '../../helpers/narrated-alerts.ts'

const documented = readFileSync('docs/narrative.md', 'utf8')

test.each(narratedAlerts)('$kind: as docs/narrative.md has it', ({ kind, alert, zh }) => {
  const chinese = { ...alert, ...zh }
  const texts = [narrate(alert, 'en'), narrate(chinese, 'zh')] as const
  expect(documented).toContain(
    `### ${kind.charAt(0).toUpperCase()}${kind.slice(1)}\n\n> ${texts[0]}\n\n> ${texts[1]}\n`,
  )
  expect(unproven(texts[0], evidenceOf(alert))).toBeNull()
  expect(unproven(texts[1], evidenceOf(chinese))).toBeNull()
})

test('no other example is there', () => {
  expect(documented.match(/^### /gm)).toHaveLength(narratedAlerts.length)
})

test.each(languages)('a narrative in %s is one line without the ids of who paid with what', (language) => {
  const ids = {
    alert_id: 'a~1',
    transaction_id: 't~1',
    customer_id: 'c~1',
    device_id: 'd~1',
    terminal_id: 'k~1',
  }
  fc.assert(
    fc.property(arbitraryAlert, (alert) => {
      const text = narrate({ ...alert, ...ids, merchant_name: 'Kiosk' }, language)
      expect(text).not.toMatch(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]|[atcdk]~1|undefined|NaN|null| {2}/u)
      expect(text.startsWith(language === 'en' ? 'The ' : '20')).toBe(true)
      expect(text.endsWith(language === 'en' ? '.' : '。') || text.endsWith('!')).toBe(true)
    }),
    { seed: 7, numRuns: 300 },
  )
})

test('numbers have the digits that count', () => {
  const written = [0, -3, 1234, 1234.5, 99.94, -1.25, 0.01234, 1e-10, 1e21, Number.MAX_SAFE_INTEGER]
  expect(written.map(readable)).toEqual([
    '0',
    '-3',
    '1,234',
    '1,235',
    '99.9',
    '-1.3',
    '0.012',
    '0',
    '1,000,000,000,000,000,000,000',
    '9,007,199,254,740,991',
  ])
  expect([0, 1e-15, 0.00042, 0.234, 0.5, 0.9997, 1].map(percentOf)).toEqual([
    '0',
    '0',
    '0.042',
    '23.4',
    '50.0',
    '99.97',
    '100',
  ])
})

test('a name cannot leave its quotation marks, break the line or fill the page', () => {
  expect(plain('  “A”\n"B"\u202e\u0000 «C» ')).toBe("'A' 'B' 'C'")
  expect([...plain('名'.repeat(100))]).toHaveLength(65)
})
