import { contractSchema, type JsonSchema } from './contract-schema.ts'
import { problemMediaType } from './problem.ts'

const features: JsonSchema = {
  type: ['object', 'null'],
  additionalProperties: { type: ['number', 'null'] },
}
/** A value may be missing: NaN, which JSON has not. */
const contributions: JsonSchema = {
  type: 'array',
  items: record('What one column adds to the log-odds.', {
    feature: { type: 'string' },
    value: { type: ['number', 'null'] },
    contribution: { type: 'number' },
  }),
}
const controlOffset: JsonSchema = {
  type: 'integer',
  description:
    'Every record of the control topic before this offset was read; another one: what holds may have changed.',
}
const exampleTime = Date.UTC(2026, 0, 15, 12)

/** The schemas of the API by name. Those of contracts are made from schemas/, and what is sent is checked against them. */
export const schemas = {
  Transaction: {
    ...contractSchema('transaction.avsc'),
    examples: [
      {
        transaction_id: 'what-if-1',
        event_time: exampleTime,
        customer_id: 'c-1',
        amount_minor: 4_999,
        currency: 'EUR',
        type: 'purchase',
        channel: 'ecommerce',
        merchant_id: 'm-1',
      },
    ],
  },
  Label: {
    ...contractSchema('label.avsc'),
    examples: [
      {
        label_id: 'l-1',
        transaction_id: 'tx-1',
        customer_id: 'c-1',
        merchant_id: 'm-1',
        fraud: true,
        source: 'analyst',
        effective_time: exampleTime,
        observed_time: exampleTime + 3_600_000,
      },
    ],
  },
  Decision: contractSchema('decision.avsc', { features }),
  Alert: contractSchema('alert.avsc', { contributions }),
  Score: record('What would be decided now. decision_id and alert_id are not-recorded.', {
    decision: { $ref: 'Decision#' },
    alert: nullable('Alert'),
  }),
  Explanation: record('A decision as it was made, with what led to it.', {
    decision: { $ref: 'Decision#' },
    base: {
      type: ['number', 'null'],
      description: 'Log-odds that all contributions add to; null: not known.',
    },
    contributions,
    alert: nullable('Alert'),
  }),
  PublicDecision: record('What the payer may know. Nothing in it tells how fraud is found.', {
    decision_id: { type: 'string' },
    outcome: { type: 'string', enum: ['approved', 'confirm', 'pending', 'declined'] },
    reason: { type: 'string', description: 'One sentence for the payer, of the outcome alone.' },
  }),
  Rules: record('The rules that hold, as docs/rules.md describes them.', {
    control_offset: controlOffset,
    id: { type: ['string', 'null'], description: 'version#hash, as decisions name it; null: none.' },
    rules: { type: 'array', items: { type: 'object', additionalProperties: true } },
  }),
  ListPage: record('Some entries of a list, in the order in which they were added.', {
    control_offset: controlOffset,
    total: { type: 'integer', description: 'Entries of the whole list.' },
    next: { type: ['integer', 'null'], description: '`from` of the next page; null: there is none.' },
    entries: {
      type: 'array',
      items: record('Something that stands on the list; docs/decisioning.md.', {
        list: { type: 'string' },
        type: { type: 'string' },
        value: { type: 'string' },
        strength: { type: 'string' },
        expires: { type: ['integer', 'null'] },
        reason: { type: 'string' },
        who: { type: 'string' },
      }),
    },
  }),
  LabelReceipt: record('The label lies on the labels topic.', { label_id: { type: 'string' } }),
  Problem: record('Problem details, RFC 9457.', {
    type: { type: 'string', description: '`urn:weir:error:` and the code.' },
    title: { type: 'string', description: 'The status in words.' },
    status: { type: 'integer' },
    code: { type: 'string', description: 'Stable; docs/reference/errors.md tells what it means.' },
    detail: { type: 'string', description: 'What is wrong, without anything of what was sent.' },
  }),
} as const satisfies Readonly<Record<string, JsonSchema>>

function record(description: string, properties: Readonly<Record<string, JsonSchema>>): JsonSchema {
  return {
    type: 'object',
    description,
    properties,
    required: Object.keys(properties),
    additionalProperties: false,
  }
}

function nullable(name: string): JsonSchema {
  return { anyOf: [{ $ref: `${name}#` }, { type: 'null' }] }
}

const refusals = {
  400: 'Not what the schema says; the code is the one with which a record would go to dead-letters.',
  401: 'No key, or an unknown one.',
  403: "The key's role may not do this.",
  404: 'There is none.',
  413: 'A body that is too large.',
  415: 'Not application/json.',
  429: 'More requests a second than `http.requests_per_second`; see Retry-After.',
  503: 'Not ready, busy, or Kafka or Redis is away; see Retry-After.',
} as const

/** Answers of a route, for the document: one that serves, and what each may be refused with besides what all may. */
export function answers(name: keyof typeof schemas, more: readonly (keyof typeof refusals)[], served = 200) {
  const statuses = [...more, 401, 403, 429, 503].toSorted() as (keyof typeof refusals)[]
  const problems = statuses.map((status) => [
    status,
    {
      description: refusals[status],
      content: { [problemMediaType]: { schema: { $ref: 'Problem#' } } },
    },
  ])
  return {
    [served]: {
      description: schemas[name].description ?? '',
      content: { 'application/json': { schema: { $ref: `${name}#` } } },
    },
    ...Object.fromEntries(problems),
  }
}
