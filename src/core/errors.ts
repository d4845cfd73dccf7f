/**
 * Every error code weir can show, with its meaning in docs/reference/errors.md (a test compares the two).
 * `WEIR_<AREA>_<WHAT>`; areas: CONFIG, RECORD (one bad event: goes to dead-letters), MODEL, FEATURES, POLICY, RULES,
 * CONTROL (changes of rules, lists and policy), LOG (Kafka or embedded), STORE (Redis or embedded), STATE (snapshots of
 * states), REKEY, HTTP (the API), CLIENT, CLI, TRAIN, REPLAY, DLQ (dead letters), AUDIT, CASE (of alerts), LABEL.
 */
export const errorCodes = [
  'WEIR_CONFIG_INVALID',
  'WEIR_CONFIG_UNREADABLE',
  'WEIR_RECORD_TOO_LARGE',
  'WEIR_RECORD_EMPTY',
  'WEIR_RECORD_NOT_AVRO',
  'WEIR_RECORD_UNKNOWN_SCHEMA',
  'WEIR_RECORD_UNDECODABLE',
  'WEIR_RECORD_OUT_OF_RANGE',
  'WEIR_RECORD_UNKNOWN_CURRENCY',
  'WEIR_RECORD_EVENT_TIME',
  'WEIR_RECORD_PAN',
  'WEIR_RECORD_KEY',
  'WEIR_RECORD_SKIPPED',
  'WEIR_FEATURES_INVALID',
  'WEIR_POLICY_INVALID',
  'WEIR_CONTROL_REFUSED',
  'WEIR_RULES_INVALID',
  'WEIR_RULES_TESTS',
  'WEIR_MODEL_UNREADABLE',
  'WEIR_MODEL_MANIFEST',
  'WEIR_MODEL_HASH',
  'WEIR_MODEL_EXTERNAL_DATA',
  'WEIR_MODEL_SIGNATURE',
  'WEIR_MODEL_FEATURES',
  'WEIR_MODEL_GOLDEN',
  'WEIR_MODEL_BATCH',
  'WEIR_MODEL_NOT_FINITE',
  'WEIR_MODEL_PROVIDER',
  'WEIR_MODEL_UNAVAILABLE',
  'WEIR_LOG_UNAVAILABLE',
  'WEIR_LOG_FENCED',
  'WEIR_LOG_TOPIC',
  'WEIR_LOG_PARTITIONS',
  'WEIR_LOG_DENIED',
  'WEIR_LOG_REFUSED',
  'WEIR_LOG_BATCH',
  'WEIR_LOG_HISTORY_GONE',
  'WEIR_LOG_OFFSETS_RESET',
  'WEIR_LOG_IN_USE',
  'WEIR_STORE_UNAVAILABLE',
  'WEIR_STORE_NOT_OWNER',
  'WEIR_STORE_GONE',
  'WEIR_STORE_LAYOUT',
  'WEIR_STORE_UNFIT',
  'WEIR_STORE_LOADING',
  'WEIR_STATE_SNAPSHOT',
  'WEIR_STATE_MISMATCH',
  'WEIR_STATE_DIFFERS',
  'WEIR_REKEY_REFUSED',
  'WEIR_SCHEMA_REGISTRY',
  'WEIR_HTTP_NOT_READY',
  'WEIR_HTTP_UNAUTHENTICATED',
  'WEIR_HTTP_DENIED',
  'WEIR_HTTP_NOT_FOUND',
  'WEIR_HTTP_REQUEST',
  'WEIR_HTTP_LIMIT',
  'WEIR_HTTP_BUSY',
  'WEIR_HTTP_FAILED',
  'WEIR_CLIENT_CLOSED',
  'WEIR_CLI_USAGE',
  'WEIR_CLI_INPUT',
  'WEIR_TRAIN_PYTHON',
  'WEIR_TRAIN_STEP',
  'WEIR_REPLAY_DIFFERS',
  'WEIR_DLQ_NOT_FOUND',
  'WEIR_DLQ_REFUSED',
  'WEIR_AUDIT_DIFFERS',
  'WEIR_CASE_NOT_FOUND',
  'WEIR_CASE_REFUSED',
  'WEIR_LABEL_NOT_FOUND',
  'WEIR_LABEL_REFUSED',
] as const

export type ErrorCode = (typeof errorCodes)[number]

/**
 * An error that says what is wrong, where, and how to mend it. A user sees `message` and `cure`, never a stack.
 *
 * `retriable`: the same call may succeed later without a change by a person (a broker that is away, say).
 */
export class WeirError extends Error {
  readonly code: ErrorCode
  readonly cure: string | undefined
  readonly retriable: boolean

  constructor(
    code: ErrorCode,
    message: string,
    options: { cure?: string; retriable?: boolean; cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'WeirError'
    this.code = code
    this.cure = options.cure
    this.retriable = options.retriable ?? false
  }
}

/** A record that cannot be decided: data, not an exception, until it is written to dead-letters. */
export interface Rejection {
  readonly code: Extract<ErrorCode, `WEIR_RECORD_${string}`>
  /** What is wrong with which field. Never contains the value of a field that may hold a PAN. */
  readonly message: string
  /** True when the record's bytes may contain a PAN and so must not be copied to dead-letters. */
  readonly withhold: boolean
}

export type Checked<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly rejection: Rejection }

/** Whether it says that another member has taken a partition over. */
export const isTakenOver = (error: unknown): boolean =>
  error instanceof WeirError && (error.code === 'WEIR_LOG_FENCED' || error.code === 'WEIR_STORE_NOT_OWNER')

/** What can be had; null where a WeirError says why it cannot. Any other error is a bug, and goes on. */
export function unlessRefused<T>(read: () => T): T | null {
  try {
    return read()
  } catch (error) {
    if (error instanceof WeirError) return null
    throw error
  }
}
