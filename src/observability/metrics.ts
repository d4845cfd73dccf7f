import { Counter, collectDefaultMetrics, Gauge, Registry } from 'prom-client'
import { Histogram } from './histogram.ts'

/**
 * All metrics of one running instance, on a registry of its own: several instances can live in one process.
 * Names, units and meaning are here and in docs/operations.md, which a test compares. No label ever holds a
 * customer, card, merchant or other value of a transaction: labels are few and known.
 */
export function createMetrics() {
  const registry = new Registry()
  collectDefaultMetrics({ register: registry })
  return { registry, ...flowMetrics([registry]), ...stateMetrics([registry]), ...httpMetrics([registry]) }
}

export type Metrics = ReturnType<typeof createMetrics>

function flowMetrics(registers: Registry[]) {
  return {
    transactions: new Counter({
      name: 'weir_transactions_total',
      help: 'Decisions committed, by outcome (none for duplicates) and status.',
      labelNames: ['outcome', 'status'],
      registers,
    }),
    deadLetters: new Counter({
      name: 'weir_dead_letters_total',
      help: 'Records committed to dead-letters, by error code.',
      labelNames: ['code'],
      registers,
    }),
    degraded: new Counter({
      name: 'weir_degraded_total',
      help: 'Chunks decided by the degraded policy, by what was missing: store or model.',
      labelNames: ['missing'],
      registers,
    }),
    rebuiltEvents: new Counter({
      name: 'weir_rebuilt_events_total',
      help: 'Events read again to rebuild states, without output.',
      registers,
    }),
    restoredStates: new Counter({
      name: 'weir_restored_states_total',
      help: 'States restored from the changelog.',
      registers,
    }),
    stageSeconds: new Histogram({
      name: 'weir_stage_duration_seconds',
      help: 'Seconds a chunk spent in one stage.',
      labelNames: ['stage'],
      buckets: [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5],
      registers,
    }),
    endToEndSeconds: new Histogram({
      name: 'weir_end_to_end_latency_seconds',
      help: 'Seconds from the record timestamp of a transaction to the commit of its decision.',
      buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60],
      registers,
    }),
    chunkRecords: new Histogram({
      name: 'weir_chunk_records',
      help: 'Records in a chunk.',
      buckets: [1, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_000, 5_000],
      registers,
    }),
    score: new Histogram({
      name: 'weir_score',
      help: 'Calibrated probability of fraud, by model.',
      labelNames: ['model'],
      buckets: [0.0001, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.99],
      registers,
    }),
  }
}

function stateMetrics(registers: Registry[]) {
  return {
    lag: new Gauge({
      name: 'weir_consumer_lag_messages',
      help: 'Offsets between the last record of a partition that this member owns and its position.',
      labelNames: ['topic', 'partition'],
      registers,
    }),
    laneState: new Gauge({
      name: 'weir_lane_state',
      help: '1 for the state that a lane is in, 0 for the others.',
      labelNames: ['kind', 'partition', 'state'],
      registers,
    }),
    storeFit: new Gauge({
      name: 'weir_store_fit',
      help: '1 while Redis answers in time, takes writes and drops nothing on its own, else 0.',
      registers,
    }),
    modelFit: new Gauge({
      name: 'weir_model_fit',
      help: '1 while the model answers in time, else 0.',
      registers,
    }),
    controlOffset: new Gauge({
      name: 'weir_control_offset',
      help: 'Every change on the control topic before this offset has taken effect.',
      registers,
    }),
    listEntries: new Gauge({
      name: 'weir_list_entries',
      help: 'Entries on the allow, deny and watch lists.',
      registers,
    }),
    controlRefused: new Counter({
      name: 'weir_control_refused_total',
      help: 'Changes on the control topic that cannot be made, by kind.',
      labelNames: ['kind'],
      registers,
    }),
    modelInfo: new Gauge({
      name: 'weir_model_info',
      help: '1 for each model that is loaded.',
      labelNames: ['model', 'sha256', 'alias'],
      registers,
    }),
  }
}

function httpMetrics(registers: Registry[]) {
  return {
    httpRequests: new Counter({
      name: 'weir_http_requests_total',
      help: 'HTTP requests answered, by route (none: no such address) and status.',
      labelNames: ['route', 'status'],
      registers,
    }),
    httpSeconds: new Histogram({
      name: 'weir_http_request_duration_seconds',
      help: 'Seconds from an HTTP request to its answer, by route.',
      labelNames: ['route'],
      buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5],
      registers,
    }),
  }
}
