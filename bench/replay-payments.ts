import { generate } from '../src/generator/generate.ts'
import type { GeneratorOptions } from '../src/generator/options.ts'
import { type HistoryItem, Numbering } from '../src/replay/source.ts'

/** Generated payments in memory, with the labels between them, in order of arrival. */
export function historyOf(options: GeneratorOptions, partitions: number): HistoryItem[] {
  const numbering = new Numbering(partitions)
  const items: HistoryItem[] = []
  for (const made of generate(options)) {
    if (made.kind === 'label') items.push({ kind: 'label', label: made.label })
    if (made.kind === 'transaction') items.push(numbering.item(made.transaction, made.labels))
  }
  return items
}
