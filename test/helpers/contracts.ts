import type { LogRecord } from '../../src/core/ports.ts'
import type { Alert, Decision, EntityUpdate, Label, Transaction } from '../../src/core/types.ts'

export const eventTime = Date.UTC(2026, 0, 15, 12)

export function aTransaction(changes: Partial<Transaction> = {}): Transaction {
  return {
    transaction_id: 'tx-1',
    event_time: eventTime,
    customer_id: 'c-1',
    amount_minor: 1_299,
    currency: 'EUR',
    type: 'purchase',
    channel: 'ecommerce',
    entry_mode: 'online',
    merchant_id: 'm-1',
    merchant_name: 'Kiosk am Eck',
    mcc: '5411',
    terminal_id: null,
    device_id: 'd-1',
    ip: '192.0.2.17',
    country: 'DE',
    latitude: 52.5,
    longitude: 13.4,
    utc_offset_minutes: 60,
    card_token: 'tok_8f7a6b5c',
    card_bin: '411111',
    card_last4: '1111',
    counterparty_id: null,
    email_hash: null,
    description: null,
    ...changes,
  }
}

export function aLabel(changes: Partial<Label> = {}): Label {
  return {
    label_id: 'l-1',
    transaction_id: 'tx-1',
    customer_id: 'c-1',
    merchant_id: 'm-1',
    terminal_id: null,
    device_id: 'd-1',
    fraud: true,
    state: 'reported',
    source: 'customer',
    fraud_type: null,
    effective_time: eventTime,
    observed_time: eventTime + 86_400_000,
    ...changes,
  }
}

export function aDecision(changes: Partial<Decision> = {}): Decision {
  return {
    decision_id: 'payments.transactions.v1-0-7',
    transaction_id: 'tx-1',
    customer_id: 'c-1',
    event_time: eventTime,
    status: 'scored',
    outcome: 'review',
    score: 0.25,
    risk_score: 812,
    reasons: ['velocity', 'new_device'],
    duplicate_of: null,
    late: false,
    entity_age_ms: 1_500,
    feature_hash: '0123456789abcdef',
    features: Buffer.from(new Float32Array([1, Number.NaN, -2.5]).buffer),
    model: 'champion@1.0.0',
    model_sha256: 'fedcba9876543210',
    policy: '1#abcdef01',
    control_offset: 3,
    rules: '1#00c0ffee',
    rules_hit: ['card-testing'],
    lists_hit: ['watch:device'],
    adjustment: -20,
    sca: 'challenge',
    ...changes,
  }
}

export function anAlert(changes: Partial<Alert> = {}): Alert {
  return {
    alert_id: 'payments.transactions.v1-0-7',
    transaction_id: 'tx-1',
    customer_id: 'c-1',
    event_time: eventTime,
    outcome: 'review',
    status: 'scored',
    risk_score: 812,
    amount_minor: 1_299,
    currency: 'EUR',
    type: 'purchase',
    channel: 'ecommerce',
    merchant_id: 'm-1',
    merchant_name: 'Kiosk am Eck',
    mcc: '5411',
    country: 'DE',
    terminal_id: null,
    device_id: 'd-1',
    reasons: [{ code: 'velocity', text: '9 payments in 10 minutes' }],
    score: 0.25,
    rules_hit: ['card-testing'],
    lists_hit: ['watch:device'],
    sca: 'challenge',
    loss: 3.2475,
    parts: [{ name: 'lightgbm', score: 0.25 }],
    disagreement: null,
    base: -4.5,
    contributions: [{ feature: 'amount', value: 12.99, contribution: 0.125 }],
    narrative: 'The online purchase of EUR 12.99 at “Kiosk am Eck” was sent to a person for review.',
    ...changes,
  }
}

export function anEntityUpdate(changes: Partial<EntityUpdate> = {}): EntityUpdate {
  return {
    source_kind: 't',
    source_partition: 2,
    source_offset: 40,
    time: eventTime,
    deltas: [
      {
        kind: 'merchant',
        key: 'm-1',
        time: eventTime,
        count: 3,
        sum: 4_200,
        frauds: -1,
        payment_frauds: -1,
        odd_payments: 2,
        customers: [17, -4],
      },
    ],
    ...changes,
  }
}

/** A record of a customer `c-1`, stamped when its payment happened. */
export function aRecord(value: Buffer | null, changes: Partial<LogRecord> = {}): LogRecord {
  return { offset: 7, timestamp: eventTime, key: Buffer.from('c-1'), value, headers: {}, ...changes }
}
