import type { ReadableDecision } from '../src/core/feature-values.ts'
import { type Outcome, outcomes } from '../src/core/types.ts'

/** @throws Error that says what of the story does not hold. */
export function claim(holds: boolean, sentence: string): void {
  if (!holds) throw new Error(`it does not hold that ${sentence}`)
}

/** @param scores CSV of `weir replay --scores`. @returns ids of the payments that the candidate alone declines. */
export function onlyByRule(scores: string): string[] {
  const rows = scores.trimEnd().split('\n').slice(1)
  return rows.flatMap((row) => {
    const [id = '', , , champion, , , ruled] = row.split(',')
    return champion !== 'decline' && ruled === 'decline' ? [id] : []
  })
}

const countOf = (decisions: readonly ReadableDecision[], outcome: Outcome): number =>
  decisions.filter((decision) => decision.outcome === outcome).length

export const declined = (decisions: readonly ReadableDecision[]): number => countOf(decisions, 'decline')

export const inWords = (decisions: readonly ReadableDecision[]): string =>
  outcomes.map((outcome) => `${outcome} ${countOf(decisions, outcome)}`).join(', ')

export const signed = (value: number): string => `${value < 0 ? '' : '+'}${value.toFixed(2)}`

export const share = (value: number): string => `${(value * 100).toFixed(1)} %`
