import { nearestPath } from '../config/nearest.ts'
import { WeirError } from '../core/errors.ts'
import { compare } from '../core/evaluation/compare.ts'
import type { Comparison } from '../core/evaluation/comparison.ts'
import type { DecisionTable } from '../core/evaluation/decision-table.ts'
import type { CompareOptions, Contender } from '../core/evaluation/options.ts'
import type { Outcome } from '../core/types.ts'
import { readDecisionTable, type Window } from '../replay/decisions-table.ts'
import { type ReplaySummary, readSummary } from '../replay/summary.ts'

export interface CompareRequest extends CompareOptions {
  /** undefined: `champion`, else the first of the replay. */
  readonly champion: string | undefined
  /** undefined: the other one; that of a replay of one is compared with itself. */
  readonly candidate: string | undefined
  /** Payments of this time only; all when absent. */
  readonly window?: Window | undefined
}

/**
 * Compares two candidates of a replay.
 *
 * @param folder what `weir replay --out` wrote.
 * @throws WeirError WEIR_CLI_INPUT when the folder holds no finished replay or no payment, WEIR_CLI_USAGE when it does
 * not say whom to compare, or asks for labels that the replay did not read.
 */
export async function compareReplay(folder: string, request: CompareRequest): Promise<Comparison> {
  const summary = readSummary(folder)
  const names = summary.candidates.map(({ name }) => name)
  const champion = named(request.champion, names, folder) ?? defaultChampion(names)
  const candidate = named(request.candidate, names, folder) ?? otherThan(champion, names, folder)
  const labelsUntil = cutOffOf(summary, request.labelsUntil, folder)
  const table = await readDecisionTable(folder, summary.parts, request.window)
  if (table.rows === 0) {
    throw new WeirError('WEIR_CLI_INPUT', `${folder} holds decisions of no payment of that time`, {
      cure: 'replay a source that has payments, and compare within their time',
    })
  }
  const contender = (name: string) => contenderOf(table, summary, name)
  return compare(table, contender(champion), contender(candidate), { ...request, labelsUntil })
}

/** @throws WeirError WEIR_CLI_USAGE for a name that the replay lacks. */
export function named(
  name: string | undefined,
  names: readonly string[],
  folder: string,
): string | undefined {
  if (name === undefined || names.includes(name)) return name
  const near = nearestPath(name, names)
  throw new WeirError('WEIR_CLI_USAGE', `${folder} holds no candidate ${name}`, {
    cure: near === undefined ? `it holds ${names.join(', ')}` : `did you mean ${near}?`,
  })
}

const defaultChampion = (names: readonly string[]): string =>
  names.includes('champion') ? 'champion' : (names[0] as string)

function otherThan(champion: string, names: readonly string[], folder: string): string {
  const others = names.filter((name) => name !== champion)
  if (others.length > 1) {
    throw new WeirError('WEIR_CLI_USAGE', `${folder} holds several candidates: ${others.join(', ')}`, {
      cure: `say which is compared with ${champion}: --candidate ${others[0]}`,
    })
  }
  return others[0] ?? champion
}

/**
 * Until when labels count: those of the replay, or fewer.
 *
 * @throws WeirError WEIR_CLI_USAGE for later ones than the replay read.
 */
export function cutOffOf(
  { labels_until }: ReplaySummary,
  asked: number | null,
  folder: string,
): number | null {
  const read = labels_until === null ? null : Date.parse(labels_until)
  if (asked === null || read === null || asked <= read) return asked ?? read
  throw new WeirError('WEIR_CLI_USAGE', `${folder} has labels until ${labels_until} only`, {
    cure: 'give --labels-until an earlier time, or replay with a later one',
  })
}

function contenderOf({ candidates }: DecisionTable, summary: ReplaySummary, name: string): Contender {
  const columns = candidates.find((candidate) => candidate.name === name)
  const ofReplay = summary.candidates.find((candidate) => candidate.name === name)
  if (columns === undefined || ofReplay === undefined) {
    throw new WeirError(
      'WEIR_CLI_INPUT',
      `the decisions of ${name} are not in the files that replay.json tells of`,
      {
        cure: 'replay again',
      },
    )
  }
  return { columns, alertOn: ofReplay.alert_on as readonly Outcome[] }
}
