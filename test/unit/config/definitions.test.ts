import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { loadFeatures, loadPolicy } from '../../../src/config/definitions.ts'
import type { WeirError } from '../../../src/core/errors.ts'
import { entityAggregates } from '../../../src/core/features/definition.ts'

const root = join(import.meta.dirname, '../../..')
const shipped = { features: join(root, 'features.yaml'), policy: join(root, 'policy.yaml') }
const folder = mkdtempSync(join(tmpdir(), 'weir-definitions-'))
afterAll(() => rmSync(folder, { recursive: true }))

/** The shipped file with one text in the place of another; the error without the path of the file. */
function mistake(file: 'features' | 'policy', right: string | RegExp, wrong: string): string {
  const text = readFileSync(shipped[file], 'utf8')
  expect(text).toMatch(right)
  const path = join(folder, `${file}.yaml`)
  writeFileSync(path, text.replace(right, wrong))
  try {
    if (file === 'features') loadFeatures(path)
    else loadPolicy(path, loadFeatures(shipped.features))
  } catch (error) {
    expect(error).toMatchObject({ name: 'WeirError', code: `WEIR_${file.toUpperCase()}_INVALID` })
    expect((error as WeirError).cure).toBeTruthy()
    return (error as WeirError).message.replaceAll(`${path}: `, '')
  }
  return 'no mistake'
}

const count1m = 'entity: customer, aggregate: count, window: 1m'
const rate7d = 'entity: merchant, aggregate: fraud_rate, window: 7d, delay: 1d'
const at14 = 'features.14 (customer_count_1m)'

test.each([
  [
    count1m,
    'entity: customer, aggregat: count, window: 1m',
    `${at14} needs one of aggregate, fact, first_seen, sequence, robust; did you mean aggregate?`,
  ],
  [
    count1m,
    'entity: customer, aggregate: count, windw: 1m',
    `${at14}.window is missing\n${at14} has no key "windw"; did you mean window?`,
  ],
  [
    count1m,
    'entity: customer, aggregate: count, window: 10min',
    `${at14}.window "10min" is no duration; write for example 10m, 24h or 30d`,
  ],
  [
    count1m,
    'entity: customer, aggregate: cuont, window: 1m',
    `${at14}.aggregate "cuont" is none of count, sum, mean, max, min, std, distinct, ratio, zscore; did you mean count?`,
  ],
  [count1m, 'entity: customer, aggregate: count', `${at14}.window is missing`],
  [
    count1m,
    'entity: custmer, aggregate: count, window: 1m',
    `${at14}.entity "custmer" is none of transaction, customer, merchant, terminal, device; did you mean customer?`,
  ],
  [
    count1m,
    'aggregate: count, window: 1m',
    `${at14}.entity is missing: one of transaction, customer, merchant, terminal, device`,
  ],
  [
    count1m,
    'entity: merchant, aggregate: zscore, window: 1h',
    `${at14}.aggregate "zscore" is none of ${entityAggregates.join(', ')}`,
  ],
  [
    count1m,
    'entity: customer, aggregate: distinct, field: merchant_ids, window: 1m',
    `${at14}.field "merchant_ids" is none of merchant_id, device_id, country, mcc; did you mean merchant_id?`,
  ],
  [
    count1m,
    'entity: customer, aggregate: distinct, window: 1m',
    'feature file: customer_count_1m counts distinct values but names no `field`',
  ],
  [
    count1m,
    'entity: customer, aggregate: count, window: 1m, where: { chanel: [pos] }',
    `${at14}.where has no key "chanel"; did you mean channel?`,
  ],
  [
    count1m,
    'entity: customer, aggregate: count, window: 14d',
    'feature file: customer_count_1m has window 14d, for which no tile is declared (there are 7d, 30d)',
  ],
  [
    count1m,
    'entity: customer, aggregate: min, window: 7d',
    'feature file: customer_count_1m `min` is kept for windows of up to 24h only',
  ],
  [
    count1m,
    'entity: customer, aggregate: count, window: 7d, same: mcc',
    'feature file: customer_count_1m `where` and `same` go with windows of up to 24h only',
  ],
  [
    count1m,
    'entity: customer, aggregate: count, window: 1m, fact: age',
    `${at14} has no key "fact" (there are name, description, entity, aggregate, window, field, where, same)`,
  ],
  [
    rate7d,
    'entity: merchant, aggregate: fraud_rate, window: 7d',
    'feature file: merchant_fraud_rate_7d `delay` must be given in whole days, for example 1d',
  ],
  [
    rate7d,
    'entity: merchant, aggregate: matured_fraud_rate, window: 24h, delay: 1h',
    'feature file: merchant_fraud_rate_7d `delay` must be given in whole tiles of 3h',
  ],
  [
    `${rate7d}, description`,
    'entity: merchant, aggregate: fraud_run, window: 7d, delay: 1d, description: x }\n  - { name: two, entity: device, aggregate: fraud_run, window: 24h, delay: 1d, description',
    'feature file: two looks at matured payments: all windows of those must have the same tile',
  ],
  [
    count1m,
    'entity: customer, robust: median, last: 11',
    'feature file: customer_count_1m looks at 11 payments, but customer.keep_events is 10',
  ],
  [
    count1m,
    'entity: customer, robust: large_count, last: 10, window: 7d',
    'feature file: customer_count_1m `window` and `times` go with large_count, which needs both',
  ],
  [
    rate7d,
    'entity: merchant, aggregate: fraud_rate, window: 24h, delay: 1d',
    'feature file: merchant_fraud_rate_7d fraud labels are kept by day: its window must have 1d tiles',
  ],
  [
    'entity: merchant, aggregate: count, window: 1h',
    'entity: merchant, aggregate: count, window: 1h, delay: 1d',
    'feature file: merchant_count_1h `delay` goes with what is known of frauds only',
  ],
  [
    'name: customer_count_1m',
    'name: customer_count_10m',
    'feature file: customer_count_10m is declared twice',
  ],
  [
    'most_events: 64',
    'most_evnts: 64',
    'customer.most_events is missing\ncustomer has no key "most_evnts"; did you mean most_events?',
  ],
  [
    'remember: { merchant_id: 24, ',
    'remember: { ',
    'feature file: customer_merchants_30d needs merchant_id under customer.remember',
  ],
  [
    'tiles: { 7d: 1d, 30d: 5d }',
    'tiles: { 7d: 2d, 30d: 5d }',
    'feature file: tiles has window 7d, no multiple of its tile 2d',
  ],
  [
    '24h: 3h',
    '24h: 45m',
    'feature file: entities.tiles every tile must be a multiple of the shortest, 10 minutes',
  ],
])('features.yaml with %s written as %s', (right, wrong, message) => {
  expect(mistake('features', right, wrong)).toBe(message)
})

test.each([
  [
    'feature: geo_speed',
    'feature: geo_sped',
    'reasons.0.feature "geo_sped" is not in the feature file; did you mean geo_speed?',
  ],
  [
    /^thresholds: .*/m,
    'thresholds: { challenge: 700, review: 650, decline: 800 }',
    'policy file: thresholds must ascend: challenge 700, review 650, decline 800',
  ],
  [/(?<=^thresholds: { )challenge: [0-9]+, /m, '', 'thresholds.challenge is missing'],
  [
    'alert_on: [review',
    'alert_on: [reveiw',
    'alert_on.0 "reveiw" is none of approve, challenge, review, decline; did you mean review?',
  ],
  [
    '  - { outcome: approve, alert: false }',
    '',
    'policy file: the last row of `degraded` must match every transaction: give it an outcome and no condition',
  ],
  [
    'alert_on: ',
    'segments: [{ name: online, when: { chanel: [pos], country: [de] }, thresholds: { challenge: 1, review: 2, decline: 3 } }]\nalert_on: ',
    'segments.0 (online).when.country.0 must be two capital letters\nsegments.0 (online).when has no key "chanel"; did you mean channel?',
  ],
  [
    'alert_on: ',
    'sca: { tra: { fraud_rate: { card: 0.13 }, risk_below: 100, unless: [{ feature: first_devise, at_least: 1 }] } }\nalert_on: ',
    'sca.tra.fraud_rate.card 0.13 is a share of the value: 0.13 % is 0.0013\nsca.tra.unless.0.feature "first_devise" is not in the feature file; did you mean first_device?',
  ],
  [/^version:/m, 'verison:', 'version is missing\nhas no key "verison"; did you mean version?'],
])('policy.yaml with %s written as %s', (right, wrong, message) => {
  expect(mistake('policy', right, wrong)).toBe(message)
})

test('a file that is not there, or no YAML', () => {
  expect(() => loadFeatures(join(folder, 'none.yaml'))).toThrow(/cannot read .*none\.yaml/)
  expect(mistake('features', 'version: 1', 'version: [1')).toMatch(/is not YAML/)
})
