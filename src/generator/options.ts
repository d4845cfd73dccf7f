import { WeirError } from '../core/errors.ts'

export interface GeneratorOptions {
  /** Integer; its low 32 bits count. The same options give the same bytes on every machine. */
  readonly seed: number
  /** Number of transactions, frauds and late ones included; duplicates and damaged records come on top. */
  readonly events: number
  /** Default max(50, events / 100), so that a stream of any length gives its customers a history. */
  readonly customers?: number
  /** Shops, on the street and online. Default max(120, customers / 3). */
  readonly merchants?: number
  /** First moment of the stream, epoch milliseconds. Default 2026-01-05T00:00:00Z, a Monday. */
  readonly startTime?: number
  /** Mean over all customers. With the default of 1.5 a stream with default customers spans about two months. */
  readonly paymentsPerCustomerPerDay?: number
  /** Share of transactions that are fraud, 0 to 0.05. Default 0.007. */
  readonly fraudRate?: number
  /** Share that arrives minutes to hours after its event time. Default 0.005. */
  readonly lateRate?: number
  /** Share that is sent again seconds to hours later. Default 0.001. */
  readonly duplicateRate?: number
  /** Records that must end in dead letters, per transaction. Default 0. */
  readonly damagedRate?: number
  /** Whether prices, channels and kinds of fraud change over time. Default true. */
  readonly drift?: boolean
  /** Day of the stream from which the mix of fraud types is another. Default 45. */
  readonly fraudShiftDay?: number
}

export type Settings = Required<GeneratorOptions>

/** @throws {WeirError} WEIR_CLI_USAGE when an option is out of its range. */
export function settle(options: GeneratorOptions): Settings {
  const customers = options.customers ?? Math.max(50, Math.ceil(options.events / 100))
  const settings: Settings = {
    customers,
    merchants: Math.max(120, Math.ceil(customers / 3)),
    startTime: 1_767_571_200_000,
    paymentsPerCustomerPerDay: 1.5,
    fraudRate: 0.007,
    lateRate: 0.005,
    duplicateRate: 0.001,
    damagedRate: 0,
    drift: true,
    fraudShiftDay: 45,
    ...options,
  }
  for (const name of ['seed', 'events', 'customers', 'merchants', 'startTime'] as const) whole(settings, name)
  inRange(settings, 'events', 0, Number.MAX_SAFE_INTEGER)
  inRange(settings, 'customers', 10, 50_000_000)
  inRange(settings, 'merchants', 60, 10_000_000)
  inRange(settings, 'paymentsPerCustomerPerDay', 0.001, 1000)
  inRange(settings, 'fraudRate', 0, 0.05)
  inRange(settings, 'lateRate', 0, 1)
  inRange(settings, 'duplicateRate', 0, 1)
  inRange(settings, 'damagedRate', 0, 1)
  return settings
}

function inRange<K extends keyof Settings>(settings: Settings, name: K, low: number, high: number): void {
  const value = settings[name] as number
  if (value >= low && value <= high) return
  throw new WeirError('WEIR_CLI_USAGE', `${name} is ${value}`, {
    cure: `Choose a number from ${low} to ${high}.`,
  })
}

function whole(settings: Settings, name: keyof Settings): void {
  if (Number.isSafeInteger(settings[name])) return
  throw new WeirError('WEIR_CLI_USAGE', `${name} is ${settings[name]}`, { cure: 'Choose a whole number.' })
}
