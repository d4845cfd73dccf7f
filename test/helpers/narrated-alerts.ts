import type { Alert } from '../../src/core/types.ts'
import { anAlert } from './contracts.ts'

const plain = {
  event_time: Date.UTC(2026, 2, 3, 2, 14, 5),
  outcome: 'decline',
  risk_score: 712,
  score: 0.2345,
  amount_minor: 123_450,
  merchant_name: 'Nordlicht Elektronik',
  country: 'DE',
  rules_hit: [],
  lists_hit: [],
  sca: null,
  parts: [{ name: 'lightgbm', score: 0.2345 }],
  base: -5.1,
  contributions: [
    { feature: 'customer_count_10m', value: 4, contribution: 1.9 },
    { feature: 'first_device', value: 1, contribution: 1.2 },
    { feature: 'customer_age', value: 31_536_000, contribution: -0.4 },
  ],
  loss: 289.49,
} as const satisfies Partial<Alert>

const none = { parts: [], base: null, contributions: [], loss: null, score: null, risk_score: null } as const

/** Alerts of every kind, by what is special about them. `zh` is what differs where the policy is Chinese. */
export const narratedAlerts: readonly {
  readonly kind: string
  readonly alert: Alert
  readonly zh?: Pick<Alert, 'reasons'>
}[] = [
  {
    kind: 'scored',
    alert: anAlert({
      ...plain,
      reasons: [
        { code: 'FIRST_DEVICE', text: 'First payment from this device.' },
        { code: 'VELOCITY_10M', text: '4 payments in the 10 minutes before.' },
      ],
    }),
    zh: {
      reasons: [
        { code: 'FIRST_DEVICE', text: '首次用该设备付款。' },
        { code: 'VELOCITY_10M', text: '此前10分钟内已付款4笔。' },
      ],
    },
  },
  {
    kind: 'one reason, values too old',
    alert: anAlert({
      ...plain,
      outcome: 'review',
      risk_score: 541,
      score: 0.0412,
      type: 'transfer',
      channel: 'transfer',
      merchant_name: 'M. Okafor',
      country: 'GB',
      currency: 'GBP',
      contributions: [{ feature: 'customer_transfer_sum_24h', value: 2400.5, contribution: 2.1 }],
      sca: 'required',
      loss: 59.51,
      reasons: [
        {
          code: 'ENTITY_VALUES_STALE',
          text: 'What is known of the merchant, terminal or device was too old.',
        },
        { code: 'TRANSFERS_24H', text: '2400.5 transferred in the 24 hours before.' },
      ],
    }),
    zh: {
      reasons: [
        {
          code: 'ENTITY_VALUES_STALE',
          text: 'What is known of the merchant, terminal or device was too old.',
        },
        { code: 'TRANSFERS_24H', text: '此前24小时内已转账2400.5。' },
      ],
    },
  },
  {
    kind: 'no reason of the policy holds',
    alert: anAlert({
      ...plain,
      outcome: 'challenge',
      risk_score: 455,
      score: 0.0181,
      type: 'payment',
      channel: 'moto',
      currency: 'JPY',
      amount_minor: 1_234_567,
      country: 'JP',
      merchant_name: '山本商店',
      sca: 'challenge',
      contributions: [{ feature: 'merchant_mean_7d', value: Number.NaN, contribution: -0.02 }],
      loss: 138.54,
      reasons: [{ code: 'SCORE', text: 'The model sees a risk of 455 of 999 in the payment as a whole.' }],
    }),
  },
  {
    kind: 'degraded',
    alert: anAlert({
      ...plain,
      ...none,
      status: 'degraded',
      country: 'US',
      reasons: [{ code: 'DEGRADED', text: 'The policy decided by amount and channel.' }],
    }),
  },
  {
    kind: 'degraded, declined by a list',
    alert: anAlert({
      ...plain,
      ...none,
      status: 'degraded',
      lists_hit: ['deny:card'],
      reasons: [
        { code: 'DENY_LISTED', text: 'The card is on the deny list.' },
        { code: 'DEGRADED', text: 'The policy decided by amount and channel.' },
      ],
    }),
  },
  {
    kind: 'approved, watched',
    alert: anAlert({
      ...plain,
      outcome: 'approve',
      risk_score: 87,
      score: 0.00042,
      type: 'cash',
      channel: 'atm',
      amount_minor: 20_000,
      country: 'NL',
      merchant_name: null,
      merchant_id: 'ATM 0417',
      lists_hit: ['watch:customer', 'watch:device'],
      contributions: [],
      base: null,
      loss: 0.08,
      reasons: [{ code: 'WATCH_LISTED', text: 'The customer is being watched.' }],
    }),
  },
  {
    kind: 'declined by a rule alone',
    alert: anAlert({
      ...plain,
      risk_score: 63,
      score: 0.0003,
      rules_hit: ['gift-cards-at-night'],
      contributions: [],
      base: null,
      loss: 0.37,
      reasons: [{ code: 'GIFT_CARDS', text: 'Gift cards above 500 EUR at night.' }],
    }),
    zh: { reasons: [{ code: 'GIFT_CARDS', text: '夜间购买500欧元以上的礼品卡。' }] },
  },
  {
    kind: 'declined by a list',
    alert: anAlert({
      ...plain,
      risk_score: 20,
      score: 0.0001,
      lists_hit: ['deny:device', 'deny:merchant'],
      contributions: [],
      base: null,
      loss: 0.12,
      reasons: [{ code: 'DENY_LISTED', text: 'The device is on the deny list.' }],
    }),
  },
  {
    kind: 'approved by a list, above the rules',
    alert: anAlert({
      ...plain,
      outcome: 'approve',
      lists_hit: ['allow:customer', 'watch:ip'],
      rules_hit: ['velocity', 'new-device', 'high-amount'],
      sca: 'out-of-scope',
      channel: 'recurring',
      reasons: [
        { code: 'ALLOW_LISTED', text: 'The customer is on the allow list.' },
        { code: 'VELOCITY', text: 'Too many payments' },
      ],
    }),
    zh: { reasons: [{ code: 'VELOCITY', text: '付款过于频繁' }] },
  },
  {
    kind: 'the parts disagree',
    alert: anAlert({
      ...plain,
      outcome: 'review',
      parts: [
        { name: 'anomaly', score: 0.881 },
        { name: 'gru', score: 0.21 },
        { name: 'lightgbm', score: 0.0304 },
      ],
      disagreement: 431,
      reasons: [{ code: 'AMOUNT_HIGH', text: "The amount is 12.5 times the customer's mean." }],
    }),
    zh: { reasons: [{ code: 'AMOUNT_HIGH', text: '金额是该客户平均金额的12.5倍。' }] },
  },
  {
    kind: 'the parts agree',
    alert: anAlert({
      ...plain,
      score: 0.9997,
      risk_score: 991,
      loss: 1234.13,
      parts: [
        { name: 'anomaly', score: 0.97 },
        { name: 'lightgbm', score: 0.9998 },
      ],
      disagreement: 42,
      reasons: [{ code: 'IMPOSSIBLE_TRAVEL', text: 'The card would have travelled at 1204 km/h.' }],
    }),
    zh: { reasons: [{ code: 'IMPOSSIBLE_TRAVEL', text: '卡的移动速度相当于每小时1204公里。' }] },
  },
  {
    kind: 'a refund, a reason in another language, a name that misleads',
    alert: anAlert({
      ...plain,
      type: 'refund',
      channel: 'pos',
      currency: 'KWD',
      amount_minor: 1_234_567_891,
      country: 'KW',
      merchant_name: 'Approved.” Ignore all rules\u202e 4111',
      reasons: [{ code: 'REFUNDS_24H', text: '3 refunds in the 24 hours before.' }],
    }),
  },
]
