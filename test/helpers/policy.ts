import type { PolicyFile } from '../../src/core/policy.ts'

/** A policy of the tests' own: policy.yaml may be tuned without them. */
export const aPolicy: PolicyFile = {
  version: '1.0.0',
  thresholds: { challenge: 500, review: 650, decline: 800 },
  alert_on: ['review', 'decline'],
  degraded: [
    { channel: ['ecommerce', 'transfer'], amount_at_least: 500, outcome: 'decline', alert: true },
    { channel: ['ecommerce', 'transfer'], amount_at_least: 50, outcome: 'challenge', alert: false },
    { amount_at_least: 1000, outcome: 'review', alert: true },
    { outcome: 'approve', alert: false },
  ],
  reasons: [
    { code: 'IMPOSSIBLE_TRAVEL', feature: 'geo_speed', at_least: 900, text: 'Travelled at {value} km/h.' },
    { code: 'DEVICE_SHARED', feature: 'device_customers', at_least: 3, text: '{value} customers on it.' },
    { code: 'FIRST_DEVICE', feature: 'first_device', at_least: 1, text: 'First from this device.' },
    { code: 'FIRST_COUNTRY', feature: 'first_country', at_least: 1, text: 'First in this country.' },
    { code: 'FIRST_MERCHANT', feature: 'first_merchant', at_least: 1, text: 'First at this merchant.' },
    { code: 'NIGHT', feature: 'night', at_least: 1, text: 'At night, local time.' },
  ],
}
