import { z } from 'zod'

/** One setting: its type, its default and its sentence of documentation, units included. */
const setting = <T extends z.ZodType>(type: T, fallback: z.util.NoUndefined<z.output<T>>, doc: string) =>
  type.default(fallback).describe(doc)

/** A setting that is never printed or logged, and that may be given as a file: `WEIR_…_FILE`. */
const secret = (doc: string) => z.string().nullable().default(null).meta({ description: doc, secret: true })

const section = <T extends z.ZodRawShape>(doc: string, shape: T) =>
  // Every setting of every section has a default, which the type system cannot see through `T`.
  z
    .strictObject(shape)
    .prefault({} as never)
    .describe(doc)

const ms = z.int().min(1)
const name = z
  .string()
  .regex(/^[A-Za-z0-9._-]{1,249}$/)
  .meta({ title: 'letters, digits, dot, dash, underscore' })
const path = z.string().min(1).meta({ title: 'path' })
const text = z.string().min(1).meta({ title: 'text' })
const hostPort = z
  .string()
  .regex(/^([^\s:,@/?#]+|\[[^\]\s]+\]):(\d{1,4}|[1-5]\d{4}|6[0-4]\d{3}|65[0-4]\d{2}|655[0-2]\d|6553[0-5])$/)
  .meta({ title: 'host:port' })
function isUrl(text: string): boolean {
  try {
    const { username, password } = new URL(text)
    decodeURIComponent(username + password)
    return true
  } catch {
    return false
  }
}
const url = (schemes: readonly string[]) =>
  z
    .string()
    .regex(new RegExp(`^(${schemes.join('|')})://\\S+$`))
    .refine(isUrl, 'is no URL; write characters of a password as RFC 3986 has them, / as %2F')
    .meta({ title: `URL that begins with ${schemes.map((scheme) => `${scheme}://`).join(' or ')}` })

const tls = (server: string) =>
  section(`Encryption of the connection to ${server}.`, {
    enabled: setting(z.boolean(), false, 'Whether to use TLS; certificates are then always verified.'),
    ca_file: setting(path.nullable(), null, 'Certificate authority, PEM; null: those that Node.js trusts.'),
    cert_file: setting(path.nullable(), null, 'Client certificate, PEM, for mutual TLS; with `key_file`.'),
    key_file: setting(path.nullable(), null, 'Private key of the client certificate, PEM.'),
  }).refine(({ cert_file, key_file }) => (cert_file === null) === (key_file === null), {
    path: ['key_file'],
    error: 'cert_file and key_file are given together or not at all',
  })

const apiKey = z
  .strictObject({
    name,
    role: z.enum(['payer', 'score', 'analyst']),
    sha256: z.string().regex(/^[0-9a-f]{64}$/),
  })
  .meta({ title: '{name, role, sha256} with the role payer, score or analyst and 64 hexadecimal digits' })

const topics = section('Topic names, and what `weir topics create` makes of them.', {
  transactions: setting(name, 'payments.transactions.v1', 'Input: payments to decide, keyed by customer.'),
  labels: setting(name, 'fraud.labels.v1', 'Input: what became known about transactions, keyed by customer.'),
  control: setting(
    name,
    'fraud.control.v1',
    'Input, one partition: changes of model, policy, rules and lists.',
  ),
  decisions: setting(name, 'fraud.decisions.v1', 'Output: one decision for every transaction.'),
  alerts: setting(name, 'fraud.alerts.v1', 'Output: the decisions that a person should see.'),
  case_actions: setting(
    name,
    'fraud.case-actions.v1',
    'What people do with cases of alerts, keyed by customer; no member of the stream reads it.',
  ),
  dead_letters: setting(name, 'fraud.dead-letters.v1', 'Output: what could not be read, with the reason.'),
  entity_updates: setting(
    name,
    'weir.entity-updates.v1',
    'Internal: what chunks add to merchants, terminals and devices.',
  ),
  features: setting(
    name.nullable(),
    null,
    'Internal, compacted: the states as the store holds them, from which a lost store is restored at a cost that follows their number, not the length of the history; null: none, and states are rebuilt from `transactions`, `labels` and `entity_updates`.',
  ),
  partitions: setting(
    z.int().min(1).max(10_000),
    4,
    'Partitions of each topic but `control`, which has one.',
  ),
  replication: setting(z.int().min(1).max(100), 1, 'Copies of each partition; 3 in production.'),
  min_insync_replicas: setting(z.int().min(1).max(100), 1, 'Copies a write must reach; 2 in production.'),
  retention_ms: setting(
    z.int().min(-1),
    -1,
    'How long records are kept, milliseconds after their record timestamp; -1: for ever. States are rebuilt from `transactions`, and old payments that are sent again keep their old timestamps.',
  ),
}).superRefine((topics, context) => {
  // A member that read what it wrote would feed itself without end.
  const settings = new Map<string, string>()
  for (const [setting, topic] of Object.entries(topics)) {
    if (typeof topic !== 'string') continue
    const other = settings.get(topic)
    if (other === undefined) settings.set(topic, setting)
    else context.addIssue({ code: 'custom', path: [setting], message: `names the topic of topics.${other}` })
  }
})

const sasl = section('How weir proves to Kafka who it is.', {
  mechanism: setting(
    z.enum(['plain', 'scram-sha-256', 'scram-sha-512']).nullable(),
    null,
    'SASL mechanism; null: none.',
  ),
  username: setting(text.nullable(), null, 'User name.'),
  password: secret('Password.'),
}).refine((value) => value.mechanism === null || (value.username !== null && value.password !== null), {
  path: ['mechanism'],
  error: 'a SASL mechanism needs kafka.sasl.username and kafka.sasl.password',
})

const kafka = section('The log.', {
  brokers: setting(z.array(hostPort).min(1), ['localhost:9092'], 'Brokers to ask first.'),
  client_id: setting(name, 'weir', 'Name that the brokers see in their logs and quotas.'),
  session_timeout_ms: setting(
    ms,
    10_000,
    "Milliseconds without a heartbeat after which a member's partitions go to another; within the broker's group.min.session.timeout.ms and group.max.session.timeout.ms.",
  ),
  transaction_timeout_ms: setting(
    ms,
    30_000,
    "Milliseconds after which the broker ends a dead member's open transaction; at most its transaction.max.timeout.ms.",
  ),
  tls: tls('Kafka'),
  sasl,
})

const redisUrl = 'redis://localhost:6379'

const redis = section('The store of feature states.', {
  url: setting(
    url(['redis', 'rediss']),
    redisUrl,
    'Server; a path /N chooses database N. Credentials belong in `username` and `password`.',
  ),
  cluster_nodes: setting(
    z.array(hostPort),
    [],
    'Some nodes of a Redis Cluster, which tell of the others, instead of `url`; none: no cluster. With TLS set `tls.enabled`.',
  ),
  username: setting(text.nullable(), null, 'User name (ACL); null: the default user.'),
  password: secret('Password.'),
  tls: tls('Redis'),
  deadline_ms: setting(
    ms,
    500,
    'Milliseconds one command may take; past them the store counts as unavailable and decisions are degraded.',
  ),
  cache_mib: setting(
    z.int().min(0),
    64,
    'Memory for states that need not be read again, MiB; 0: none. Redis is still asked whose they are.',
  ),
}).refine(({ url, cluster_nodes }) => cluster_nodes.length === 0 || url === redisUrl, {
  path: ['cluster_nodes'],
  error: 'stands instead of redis.url: leave one of the two out',
})

const schemaRegistry = section('Where Avro schema ids come from.', {
  url: setting(
    url(['http', 'https']).nullable(),
    null,
    'Confluent-compatible registry; null: ids are those of the schema files.',
  ),
  username: setting(text.nullable(), null, 'User name (basic authentication).'),
  password: secret('Password.'),
  register: setting(z.boolean(), false, 'Whether weir may register schemas that the registry lacks.'),
})

const models = section('The models.', {
  directory: setting(path, 'models', 'Folder of model packages: `<name>/<version>/`.'),
  champion: setting(
    z
      .string()
      .regex(/^[a-z0-9_-]+@\d+\.\d+\.\d+$/)
      .meta({ title: 'name@version' }),
    'champion@1.0.0',
    'The package whose score decides.',
  ),
  providers: setting(z.array(text).min(1), ['cpu'], 'ONNX Runtime execution providers, first choice first.'),
  threads: setting(z.int().min(1).max(64), 1, 'ONNX Runtime threads inside one call.'),
  deadline_ms: setting(
    ms,
    3_000,
    'Milliseconds that a member waits for the scores of a chunk, and again for the reasons; past them its decisions are degraded until the model answers. No heartbeat goes out meanwhile: twice of it must stay well below kafka.session_timeout_ms.',
  ),
})

const cases = section('Alerts that people work on together.', {
  window_ms: setting(
    ms,
    86_400_000,
    "Milliseconds of event time from a case's first alert; later alerts of the customer within are linked to it while it is not closed.",
  ),
  per_day: setting(
    z.int().min(0).nullable(),
    null,
    'Alert budget: cases a day on the working list, those of the largest expected loss; null: all.',
  ),
  look_back_ms: setting(
    ms,
    2_592_000_000,
    'Milliseconds of record timestamps before now that `weir alerts` and `weir label` read.',
  ),
})

const narrative = section(
  'Texts about alerts by an external language model, for a person who asks. Nothing that decides waits for it.',
  {
    language: setting(z.enum(['en', 'zh']), 'en', 'English or simplified Chinese.'),
    endpoint: setting(
      url(['http', 'https']).nullable(),
      null,
      'OpenAI-compatible chat completions, the whole address; it gets the facts of an alert, no ids of customer, card, device or address. null: off.',
    ),
    model: setting(text.nullable(), null, 'Name of the model as the endpoint knows it.'),
    api_key: secret('Sent as a bearer token.'),
    timeout_ms: setting(ms, 10_000, "Milliseconds for the whole answer; past them weir's own text is shown."),
  },
)
  .refine(({ endpoint, model }) => endpoint === null || model !== null, {
    path: ['model'],
    error: 'an endpoint needs narrative.model',
  })
  .refine(({ endpoint }) => endpoint === null || new URL(endpoint).username === '', {
    path: ['endpoint'],
    error: 'holds a user name; give narrative.api_key',
  })

/** Everything that can be set. The order here is the order of every listing. */
export const configSchema = z
  .strictObject({
    app: setting(name, 'weir', 'Names this installation: first part of the keys of its states.'),
    group: setting(name, 'weir', 'Kafka consumer group; members of one group share the partitions.'),
    features: setting(path, 'features.yaml', 'Feature definitions.'),
    policy: setting(
      path,
      'policy.yaml',
      'Decision policy: thresholds, reasons, degraded mode. One on the control topic replaces it.',
    ),
    rules: setting(path.nullable(), null, 'Rules; null: none. Those on the control topic replace them.'),
    topics,
    kafka,
    redis,
    schema_registry: schemaRegistry,
    models,
    chunk: section('How many transactions are decided together.', {
      max_records: setting(z.int().min(1).max(100_000), 2_000, 'Records of one partition in one chunk.'),
      concurrency: setting(z.int().min(1).max(1_000), 4, 'Partitions that one process handles side by side.'),
    }),
    limits: section('What is refused, and what counts as too old.', {
      record_bytes: setting(
        z.int().min(256).max(16_777_216),
        65_536,
        'Bytes of one record value; a larger one goes to dead-letters.',
      ),
      event_time_past_ms: setting(
        ms,
        604_800_000,
        'Milliseconds that `event_time` may lie before the record timestamp.',
      ),
      event_time_future_ms: setting(
        z.int().min(0),
        300_000,
        'Milliseconds that `event_time` may lie after the record timestamp.',
      ),
      entity_age_ms: setting(
        ms,
        3_600_000,
        'Milliseconds of event time that merchant, terminal and device values may be behind; older ones count as missing.',
      ),
    }),
    cases,
    http: section('Health, metrics and the API. Health and metrics answer everybody: keep them inside.', {
      host: setting(text, '127.0.0.1', 'Address to listen on; 0.0.0.0 in a container.'),
      port: setting(z.int().min(0).max(65_535), 8_080, 'Port; 0: any free one.'),
      keys: setting(
        z.array(apiKey).refine((keys) => new Set(keys.map((key) => key.name)).size === keys.length, {
          error: 'two keys have one name',
        }),
        [],
        'Who may call /v1, each by a key of its own, of which only the SHA-256 stands here; empty: this machine alone, and only where `host` is a loopback address.',
      ),
      requests_per_second: setting(
        z.int().min(1).max(100_000),
        1_000,
        'Requests of one key a second; more are refused with 429.',
      ),
      concurrent_scores: setting(
        z.int().min(1).max(10_000),
        64,
        'Payments that POST /v1/score decides side by side; more are refused with 503.',
      ),
    }),
    narrative,
    log: section("weir's own log, on standard error.", {
      level: setting(
        z.enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent']),
        'info',
        'Least severe level that is written. warn: no data lost; error: somebody is needed.',
      ),
      pretty: setting(z.boolean(), false, 'One readable line an entry instead of JSON.'),
    }),
  })
  .describe('weir.yaml')

type DeepReadonly<T> = T extends readonly (infer E)[]
  ? readonly E[]
  : T extends object
    ? { readonly [K in keyof T]: DeepReadonly<T[K]> }
    : T

/** The configuration: validated, complete and frozen. Meaning, units and defaults: docs/reference/configuration.md. */
export type Config = DeepReadonly<z.output<typeof configSchema>>
