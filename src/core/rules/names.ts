import type { Transaction } from '../types.ts'
import { type ListName, type ListType, listNames, listTypes } from '../verdict.ts'
import type { BoolExpression, NumberExpression, TextExpression } from './expression.ts'

/** What a rule can name: its CEL type, and where its value is found. */
export type RuleName =
  | { readonly type: 'int' | 'double'; readonly value: NumberExpression }
  | { readonly type: 'string'; readonly value: TextExpression }
  | { readonly type: 'bool'; readonly value: BoolExpression }

/** The bit of `RuleInput.listed` that says whether this list has an entry for the payment. */
export const listBit = (list: ListName, type: ListType): number =>
  1 << (listNames.indexOf(list) * listTypes.length + listTypes.indexOf(type))

/** The fields of a payment as CEL sees them. */
export const transactionFields: Readonly<Record<keyof Transaction, 'int' | 'double' | 'string'>> = {
  transaction_id: 'string',
  event_time: 'int',
  customer_id: 'string',
  amount_minor: 'int',
  currency: 'string',
  type: 'string',
  channel: 'string',
  entry_mode: 'string',
  merchant_id: 'string',
  merchant_name: 'string',
  mcc: 'string',
  terminal_id: 'string',
  device_id: 'string',
  ip: 'string',
  country: 'string',
  latitude: 'double',
  longitude: 'double',
  utc_offset_minutes: 'int',
  card_token: 'string',
  card_bin: 'string',
  card_last4: 'string',
  counterparty_id: 'string',
  email_hash: 'string',
  description: 'string',
}

/**
 * All names that rules may use, as they are written in CEL.
 *
 * @param features names in column order.
 * @param parts names of the models whose scores are fused, in the order of Model.parts.
 */
export function ruleNames(
  features: readonly string[],
  parts: readonly string[],
): ReadonlyMap<string, RuleName> {
  const names = new Map<string, RuleName>([
    ['score', { type: 'double', value: { kind: 'score' } }],
    ['risk_score', { type: 'int', value: { kind: 'risk score' } }],
  ])
  for (const [field, type] of Object.entries(transactionFields) as [keyof Transaction, string][]) {
    names.set(`transaction.${field}`, fieldName(field, type))
  }
  features.forEach((name, column) => {
    names.set(`feature.${name}`, { type: 'double', value: { kind: 'feature', column } })
  })
  parts.forEach((name, index) => {
    names.set(`part.${name}`, { type: 'double', value: { kind: 'part', index } })
  })
  for (const list of listNames) {
    for (const type of listTypes) {
      names.set(`listed.${list}.${type}`, {
        type: 'bool',
        value: { kind: 'listed', bit: listBit(list, type) },
      })
    }
  }
  return names
}

function fieldName(field: keyof Transaction, type: string): RuleName {
  return type === 'string'
    ? { type: 'string', value: { kind: 'text field', field } }
    : { type: type as 'int' | 'double', value: { kind: 'number field', field } }
}
