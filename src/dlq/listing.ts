import type { Log } from '../core/ports.ts'
import type { DeadLetter, RedriveMark } from '../core/redrive.ts'
import { isLetter, isSelected, rangesOf, readLetters, type Selection } from './letters.ts'

export interface Listing {
  /** By code, the most frequent first. */
  readonly codes: readonly { readonly code: string; readonly letters: number; readonly redriven: number }[]
  /** The newest by record timestamp, newest first. */
  readonly newest: readonly Listed[]
}

export interface Listed {
  readonly letter: DeadLetter
  readonly mark: RedriveMark | null
}

/**
 * Counts the letters of a selection and keeps the newest, in one pass and whatever their number: a mark repeats the
 * code and topic of its letter.
 *
 * @param newest how many to keep.
 */
export async function listLetters(
  log: Pick<Log, 'partitions' | 'bounds' | 'offsetAt' | 'read'>,
  topic: string,
  selection: Selection,
  newest: number,
  onRead: (count: number) => void,
): Promise<Listing> {
  const counts = new Map<string, { letters: number; redriven: number }>()
  const count = (code: string, what: 'letters' | 'redriven') => {
    const found = counts.get(code) ?? { letters: 0, redriven: 0 }
    counts.set(code, found)
    found[what]++
  }
  const kept: Listed[] = []
  for (const { partition, from, to } of await rangesOf(log, topic, selection)) {
    const at = { topic, partition }
    let last: Listed[] = []
    for await (const batch of readLetters(log, at, from, (await log.bounds(at)).end)) {
      for (const one of batch) {
        if (isLetter(one)) {
          const { code, record, source } = one
          if (record.offset >= to || !isSelected(selection, { code, topic: source.topic })) continue
          count(code, 'letters')
          last.push({ letter: one, mark: null })
        } else if (one.offset >= from && one.offset < to && isSelected(selection, one)) {
          count(one.code, 'redriven')
          last = last.map((listed) =>
            listed.letter.record.offset === one.offset ? { ...listed, mark: one } : listed,
          )
        }
      }
      last = newestOf(last, newest)
      onRead(batch.length)
    }
    kept.push(...last)
  }
  return {
    codes: [...counts]
      .map(([code, found]) => ({ code, ...found }))
      .sort((a, b) => b.letters - a.letters || (a.code < b.code ? -1 : 1)),
    newest: newestOf(kept, newest),
  }
}

const newestOf = (listed: readonly Listed[], most: number): Listed[] =>
  listed
    .toSorted(
      ({ letter: a }, { letter: b }) =>
        b.record.timestamp - a.record.timestamp ||
        a.at.partition - b.at.partition ||
        b.record.offset - a.record.offset,
    )
    .slice(0, most)
