import { z } from 'zod'
import { WeirError } from '../core/errors.ts'
import { canonical } from '../core/features/compile.ts'
import type { History } from '../core/history.ts'
import { damaged, type Frame, type FrameKind, readFrames, writeFrames } from './snapshot-file.ts'

const offset = z.int().min(0)

const headSchema = z
  .strictObject({
    version: z.literal(1),
    /** Of the feature file that the states were made with. */
    feature_hash: z.string(),
    /** For people: what history was read. */
    source: z.string(),
    /**
     * The topics that the positions are of. Absent where history came from elsewhere, such as files: duplicates in such states would name
     * offsets that no topic has.
     */
    topics: z.strictObject({ transactions: z.string(), labels: z.string() }).optional(),
    partitions: z.int().min(1),
    /** By partition: the states contain the log up to this offset. */
    positions: z.strictObject({ transactions: z.array(offset), labels: z.array(offset) }),
    /** Latest event time by partition of transactions, epoch milliseconds; 0 where there was none. */
    times: z.array(z.int().min(0)),
  })
  .refine(
    ({ partitions, positions, times }) =>
      [positions.transactions, positions.labels, times].every(({ length }) => length === partitions),
    'there is not one position and time for each partition',
  )

/** What the states of a snapshot are: made with which features, of which history, up to where. */
export type SnapshotHead = z.infer<typeof headSchema>

/** The states of a History, by the name that a snapshot's file has for them. */
const sections = { customer: 'customers', labelled: 'labelled', entity: 'entities' } as const
type Section = keyof typeof sections

/**
 * Writes what a History holds: whole or not at all, and the same states give the same bytes.
 *
 * A customer belongs to the partition that Kafka's own producers choose for the key (core/partition.ts).
 *
 * @throws WeirError WEIR_CLI_INPUT when the file cannot be written.
 */
export async function writeSnapshot(path: string, head: SnapshotHead, history: History): Promise<void> {
  await writeFrames(path, framesOf(headSchema.parse(head), history))
}

function* framesOf(head: SnapshotHead, history: History): Generator<Frame, void, undefined> {
  yield { kind: 'head', key: '', value: Buffer.from(canonical(head)) }
  for (const kind of Object.keys(sections) as Section[]) {
    const states = history[sections[kind]]
    for (const key of [...states.keys()].sort()) yield { kind, key, value: states.get(key) as Buffer }
  }
}

/**
 * Fills a History with the states of a snapshot. After a rejection the History is of no use.
 *
 * @throws WeirError WEIR_STATE_SNAPSHOT where the file is damaged, cut short, of another version or of other features
 * than the History; WEIR_CLI_INPUT when it cannot be read.
 */
export async function readSnapshot(path: string, history: History): Promise<SnapshotHead> {
  let head: SnapshotHead | undefined
  for await (const part of snapshotParts(path, history.features.hash)) {
    if ('version' in part) head = part
    else for (const { kind, key, packed } of part) history[sections[kind]].set(key, packed)
  }
  return head as SnapshotHead
}

/** One state of a snapshot: of a customer, of a customer's labelled transactions, or of an entity by `entityKey`. */
export interface SnapshotState {
  readonly kind: Section
  readonly key: string
  readonly packed: Buffer
}

/**
 * The head of a snapshot, then its states, many at a time. They can be trusted only when the generator has ended.
 *
 * @param featureHash of the features that the states are wanted for.
 * @throws WeirError as `readSnapshot` does.
 */
export async function* snapshotParts(
  path: string,
  featureHash: string,
): AsyncGenerator<SnapshotHead | readonly SnapshotState[], void, undefined> {
  let isBegun = false
  for await (const frames of readFrames(path)) {
    let states = frames
    if (!isBegun) {
      const [first, ...others] = frames
      yield headOf(path, first as Frame, featureHash)
      isBegun = true
      states = others
    }
    yield states.map(({ kind, key, value }) => {
      if (!isSection(kind)) throw damaged(path, `it holds a second ${kind}`)
      return { kind, key, packed: value }
    })
  }
  if (!isBegun) throw damaged(path, 'it is empty')
}

const isSection = (kind: FrameKind): kind is Section => kind in sections

function headOf(path: string, { kind, value }: Frame, featureHash: string): SnapshotHead {
  if (kind !== 'head') throw damaged(path, 'it has no head')
  const found = JSON.parse(value.toString()) as Partial<SnapshotHead>
  if (found.version !== 1) {
    throw new WeirError(
      'WEIR_STATE_SNAPSHOT',
      `${path} is a snapshot of version ${found.version}, this release reads version 1`,
      { cure: 'make it again by `weir replay --state` of this release' },
    )
  }
  const checked = headSchema.safeParse(found)
  if (!checked.success) throw damaged(path, z.prettifyError(checked.error))
  if (checked.data.feature_hash === featureHash) return checked.data
  throw new WeirError(
    'WEIR_STATE_SNAPSHOT',
    `${path} holds states of features ${checked.data.feature_hash}, wanted are those of ${featureHash}`,
    { cure: 'use the feature file that it was made with, or make it again by `weir replay --state`' },
  )
}
