import { closeSync, ftruncateSync, openSync, writeSync } from 'node:fs'
import { WeirError } from '../core/errors.ts'
import type { Decision } from '../core/types.ts'
import { quoted } from '../files/write.ts'
import type { Sink } from './decided-chunk.ts'

/**
 * One CSV line a payment, duplicates included: transaction_id, and score, risk_score and outcome of the first candidate,
 * then of each other one with its name before. A score that there is not is empty.
 *
 * @param state of a file that is gone on with; null for a new one.
 */
export function createScoresFile(path: string, names: readonly string[], state: unknown): Sink {
  let bytes = (state as number | null) ?? 0
  const file = open(path, bytes > 0)
  // What was written after the checkpoint will be written again.
  ftruncateSync(file, bytes)

  function append(text: string): void {
    bytes += writeSync(file, text, bytes)
  }

  if (bytes === 0) append(`${['transaction_id', ...names.flatMap(columnsOf)].join(',')}\n`)
  return {
    write({ arrivals, decisions }) {
      let lines = ''
      for (const [i, { transaction }] of arrivals.entries()) {
        const verdicts = decisions.map((ofCandidate) => verdict(ofCandidate[i] as Decision))
        lines += `${quoted(transaction.transaction_id)},${verdicts.join(',')}\n`
      }
      append(lines)
    },
    state: () => bytes,
    close: () => closeSync(file),
  }
}

const columnsOf = (name: string, place: number): string[] =>
  ['score', 'risk_score', 'outcome'].map((column) => (place === 0 ? column : `${name}.${column}`))

const verdict = ({ score, risk_score, outcome, status }: Decision): string =>
  `${score ?? ''},${risk_score ?? ''},${outcome ?? status}`

function open(path: string, exists: boolean): number {
  try {
    return openSync(path, exists ? 'r+' : 'w')
  } catch (cause) {
    throw new WeirError('WEIR_CLI_INPUT', `cannot write ${path}: ${(cause as Error).message}`, {
      cure: 'choose another file by --scores',
      cause,
    })
  }
}
