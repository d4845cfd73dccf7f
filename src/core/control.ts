import type { ActiveSet } from './decide.ts'
import { WeirError } from './errors.ts'
import { ListBook, type ListChange, listedValue } from './lists.ts'
import type { CompiledPolicy } from './policy.ts'
import type { CompiledRules } from './rules/rules.ts'
import type { Control, Transaction } from './types.ts'
import type { ListType } from './verdict.ts'

/** Keeps one rule silent for one customer, device, merchant … until a time. */
export interface Snooze {
  readonly rule: string
  readonly type: ListType
  readonly value: string
  /** Payments from this event_time on meet the rule again, epoch milliseconds. */
  readonly until: number
  readonly reason: string
}

/** Makes of the bodies of changes what they mean. Each throws a WeirError where it cannot. */
export interface ControlReader {
  rules(text: string): CompiledRules
  policy(text: string): CompiledPolicy
  lists(text: string): readonly ListChange[]
  snooze(text: string): Snooze
}

/** What the control topic has made of what the files say. It never changes. */
export interface ControlState {
  /** Every record before this offset of the control topic was read. */
  readonly offset: number
  readonly rules: CompiledRules | null
  readonly policy: CompiledPolicy
  readonly lists: ListBook
  /** By rule, then by type:value: until when. */
  readonly snoozes: ReadonlyMap<string, ReadonlyMap<string, number>>
}

/** A record of the control topic. */
export interface ControlChange {
  readonly offset: number
  /** Null: it cannot be read. */
  readonly control: Control | null
}

/** A change that was not made, and why. */
export interface RefusedChange {
  readonly offset: number
  readonly control: Control
  readonly cause: WeirError
}

/** Before any change: what the files of the configuration say. */
export const initialControl = ({ rules, policy }: Pick<ControlState, 'rules' | 'policy'>): ControlState => ({
  offset: 0,
  rules,
  policy,
  lists: ListBook.empty,
  snoozes: new Map(),
})

/**
 * Makes changes, in the order of the log. What cannot be made changes nothing, the same on every member: it depends on
 * the record and the features alone.
 */
export function applyControl(
  state: ControlState,
  changes: readonly ControlChange[],
  reader: ControlReader,
  onRefused: (refused: RefusedChange) => void,
): ControlState {
  let { offset, rules, policy, snoozes } = state
  // Together, so that what they touch is copied once.
  const listed: ListChange[] = []
  for (const { offset: at, control } of changes) {
    offset = at + 1
    if (control === null) continue
    const text = control.body.toString()
    try {
      switch (control.kind) {
        case 'rules':
          rules = reader.rules(text)
          break
        case 'policy':
          policy = reader.policy(text)
          break
        case 'list':
          listed.push(...reader.lists(text))
          break
        case 'snooze':
          snoozes = withSnooze(snoozes, reader.snooze(text))
          break
        default:
          throw new WeirError('WEIR_CONTROL_REFUSED', `no member knows what to do with kind ${control.kind}`)
      }
    } catch (error) {
      if (!(error instanceof WeirError)) throw error
      onRefused({ offset: at, control, cause: error })
    }
  }
  const lists = listed.length === 0 ? state.lists : state.lists.with(listed)
  return { offset, rules, policy, lists, snoozes }
}

function withSnooze(snoozes: ControlState['snoozes'], { rule, type, value, until }: Snooze) {
  const ofRule = new Map(snoozes.get(rule)).set(`${type}:${value}`, until)
  return new Map(snoozes).set(rule, ofRule)
}

/** What decides from now on. */
export function controlled(base: ActiveSet, state: ControlState): ActiveSet {
  const { offset, rules, policy, lists, snoozes } = state
  return {
    ...base,
    policy,
    rules: rules?.silencedBy((rule, transaction) => isSnoozed(snoozes.get(rule), transaction)) ?? null,
    lists: lists.size === 0 ? null : lists,
    controlOffset: offset,
  }
}

function isSnoozed(ofRule: ReadonlyMap<string, number> | undefined, transaction: Transaction): boolean {
  if (ofRule === undefined) return false
  for (const [type, of] of Object.entries(listedValue)) {
    const value = of(transaction)
    const until = value === null ? undefined : ofRule.get(`${type}:${value}`)
    if (until !== undefined && transaction.event_time < until) return true
  }
  return false
}
