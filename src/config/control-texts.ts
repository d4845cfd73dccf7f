import { z } from 'zod'
import type { ControlReader, Snooze } from '../core/control.ts'
import type { ActiveSet } from '../core/decide.ts'
import { WeirError } from '../core/errors.ts'
import { parseRange } from '../core/ip.ts'
import { type ListChange, strengths } from '../core/lists.ts'
import { holdsPan } from '../core/pan.ts'
import { type ListType, listNames, listTypes } from '../core/verdict.ts'
import { checked, oneOf, only, policyOf } from './definitions.ts'
import { rulesOf } from './rules-file.ts'

const code = 'WEIR_CONTROL_REFUSED'
const cure = 'docs/decisioning.md has what such a change says'

/** What an entry of each type may be. */
const valuesOf: Readonly<Record<ListType, (value: string) => boolean>> = {
  customer: isIdentifier,
  card: isIdentifier,
  device: isIdentifier,
  merchant: isIdentifier,
  ip: (value) => parseRange(value) !== null,
  email: (value) => /^[\da-f]{64}$/.test(value),
  country: (value) => /^[A-Z]{2}$/.test(value),
}

const words: Readonly<Record<ListType, string>> = {
  customer: '1 to 64 characters',
  card: 'a token of 1 to 64 characters',
  device: '1 to 64 characters',
  merchant: '1 to 64 characters',
  ip: 'an address or a range, 192.0.2.0/24',
  email: 'the SHA-256 of the address in lower case, 64 hexadecimal digits',
  country: 'two capital letters, ISO 3166-1',
}

function isIdentifier(value: string): boolean {
  return value.length > 0 && value.length <= 64
}

/** Whatever it is put into: a card number is never kept. */
const free = z.string().refine((value) => !holdsPan(value), { error: 'holds a card number' })
const named = { type: oneOf(listTypes), value: free }
/** The whole record is looked through for card numbers, and a moment from 2096-10-02 on may read as one. */
const time = z
  .int()
  .min(0)
  .refine((ms) => !holdsPan(String(ms)), {
    error: 'reads as a card number, in milliseconds: take a minute more or less',
  })

function checkValue({ type, value }: { type: ListType; value: string }, context: z.RefinementCtx): void {
  if (valuesOf[type](value)) return
  context.addIssue({ code: 'custom', path: ['value'], message: `of type ${type} is not ${words[type]}` })
}

const change = z.discriminatedUnion('op', [
  only({
    op: z.literal('add'),
    list: oneOf(listNames),
    ...named,
    strength: oneOf(strengths).default('overridable'),
    expires: time.nullable().default(null),
    reason: free.max(256).default(''),
    who: free.min(1).max(64),
  }).superRefine(checkValue),
  only({ op: z.literal('remove'), list: oneOf(listNames), ...named }).superRefine(checkValue),
])
const changes = only({ changes: z.array(change).min(1).max(10_000) })
const snooze = only({
  rule: z.string().min(1).max(64),
  ...named,
  until: time,
  reason: free.max(256).default(''),
}).superRefine(checkValue)

/** Reads bodies of control records against the features and the model that serve. */
export function createControlReader({
  features,
  model,
}: Pick<ActiveSet, 'features' | 'model'>): ControlReader {
  const world = { features: features.names, parts: model.parts }
  return {
    rules: (text) => rulesOf('rules', text, world),
    policy: (text) => policyOf('policy', text, features),
    lists: readListChanges,
    snooze: readSnooze,
  }
}

/** @throws WeirError WEIR_CONTROL_REFUSED that names the place in the text. */
export const readListChanges = (text: string): readonly ListChange[] =>
  (checked('list', jsonOf('list', text), changes, code, cure) as { changes: ListChange[] }).changes

/** What is wrong with one change, each with its field; nothing where it can be made. */
export function mistakesOf(one: ListChange): string[] {
  const { error } = change.safeParse(one)
  return (error?.issues ?? []).map(({ path, message }) => `${path.join('.')} ${message}`)
}

/** @throws WeirError WEIR_CONTROL_REFUSED that names the place in the text. */
export const readSnooze = (text: string): Snooze =>
  checked('snooze', jsonOf('snooze', text), snooze, code, cure) as Snooze

function jsonOf(source: string, text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw new WeirError(code, `${source} is not JSON: ${(cause as Error).message}`, { cure, cause })
  }
}
