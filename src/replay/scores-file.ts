import { closeSync, existsSync, ftruncateSync, openSync, renameSync, statSync, writeSync } from 'node:fs'
import { WeirError } from '../core/errors.ts'
import type { Decision } from '../core/types.ts'
import { quoted } from '../files/write.ts'
import { checkReplaceable, writing } from '../files/write-whole.ts'
import type { Sink } from './decided-chunk.ts'

/**
 * One CSV line a payment, duplicates included: transaction_id, and score, risk_score and outcome of the first candidate,
 * then of each other one with its name before. A score that there is not is empty. The file appears whole, at the end: until
 * then it lies beside its place, as .part.
 *
 * @param state of a file that is gone on with; null for a new one.
 * @throws WeirError WEIR_CLI_INPUT when the file cannot be written, now or later.
 */
export function createScoresFile(path: string, names: readonly string[], state: unknown): Sink {
  let bytes = (state as number | null) ?? 0
  checkReplaceable(path)
  const file = writing(path, () => open(path, bytes))

  function append(text: string): void {
    const all = Buffer.from(text)
    // The system may take less than all at a time, on a full disk above all.
    for (let done = 0; done < all.length; ) {
      const taken = writing(path, () => writeSync(file, all, done, all.length - done, bytes))
      done += taken
      bytes += taken
    }
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
    close: () =>
      writing(path, () => {
        closeSync(file)
        renameSync(partOf(path), path)
      }),
  }
}

const columnsOf = (name: string, place: number): string[] =>
  ['score', 'risk_score', 'outcome'].map((column) => (place === 0 ? column : `${name}.${column}`))

const verdict = ({ score, risk_score, outcome, status }: Decision): string =>
  `${score ?? ''},${risk_score ?? ''},${outcome ?? status}`

const partOf = (path: string): string => `${path}.part`

function open(path: string, bytes: number): number {
  const part = partOf(path)
  if (bytes === 0) return openSync(part, 'w')
  // A replay that failed after its last payment has given the file its name already.
  if (!existsSync(part) && existsSync(path)) renameSync(path, part)
  if (!existsSync(part) || statSync(part).size < bytes) {
    throw new WeirError(
      'WEIR_CLI_INPUT',
      `the replay that was stopped has left ${part}, which is not whole`,
      {
        cure: 'bring the file back, or replay again from the beginning into another folder',
      },
    )
  }
  const file = openSync(part, 'r+')
  // What was written after the checkpoint will be written again.
  ftruncateSync(file, bytes)
  return file
}
