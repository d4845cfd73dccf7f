import type { Label } from '../../src/core/types.ts'

/** What one source said last of a transaction. */
export type Word = Pick<Label, 'source' | 'state' | 'fraud' | 'observed_time'>

/** Whose word counts, the weightiest first: docs/labels.md once more. */
const order = [
  'confirmed chargeback',
  'confirmed analyst',
  'confirmed early_fraud_warning',
  'confirmed customer',
  'reported chargeback',
  'reported analyst',
  'reported early_fraud_warning',
  'reported customer',
]

/** Each source's latest word, a label more. */
export function naiveWords(words: readonly Word[], label: Word): readonly Word[] {
  const word = { ...label, source: label.source === 'issuer' ? 'early_fraud_warning' : label.source }
  const earlier = words.find(({ source }) => source === word.source)
  if (earlier === undefined) return [...words, word]
  if (earlier.observed_time > word.observed_time) return words
  return words.map((one) => (one === earlier ? word : one))
}

export function naiveFraud(words: readonly Word[]): boolean {
  for (const name of order) {
    const word = words.find(({ state, source }) => `${state} ${source}` === name)
    if (word !== undefined) return word.fraud
  }
  return false
}
