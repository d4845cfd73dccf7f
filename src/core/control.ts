import type { ActiveSet } from './decide.ts'
import { WeirError } from './errors.ts'
import { ListBook, type ListChange } from './lists.ts'
import { holdsPan } from './pan.ts'
import type { CompiledPolicy } from './policy.ts'
import type { CompiledRules } from './rules/rules.ts'
import type { Control } from './types.ts'
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
  /** By rule: what it is silent for, until that expires. */
  readonly snoozes: ReadonlyMap<string, ListBook>
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
  /** Null: it cannot be read. */
  readonly control: Control | null
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
  let { offset, rules, policy } = state
  // Together, so that what they touch is copied once.
  const listed: ListChange[] = []
  const snoozed: Snooze[] = []
  for (const { offset: at, control } of changes) {
    offset = at + 1
    try {
      if (control === null)
        throw new WeirError('WEIR_CONTROL_REFUSED', 'schemas/control.avsc does not read it')
      const text = bodyOf(control)
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
          snoozed.push(reader.snooze(text))
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
  return { offset, rules, policy, lists, snoozes: withSnoozes(state.snoozes, snoozed) }
}

/** @throws WeirError WEIR_CONTROL_REFUSED where it holds a card number: what is said of it would repeat it. */
export function bodyOf({ body }: Pick<Control, 'body'>): string {
  const text = body.toString()
  if (holdsPan(text)) throw new WeirError('WEIR_CONTROL_REFUSED', 'it holds a card number')
  return text
}

function withSnoozes(snoozes: ControlState['snoozes'], added: readonly Snooze[]): ControlState['snoozes'] {
  const all = new Map(snoozes)
  for (const [rule, own] of Map.groupBy(added, (one) => one.rule)) {
    all.set(rule, (all.get(rule) ?? ListBook.empty).with(own.map(entryOf)))
  }
  return all
}

/** A snooze is found as an entry of a list is: whatever way an address is written. */
const entryOf = ({ type, value, until, reason }: Snooze): ListChange => ({
  op: 'add',
  list: 'allow',
  type,
  value,
  strength: 'overridable',
  expires: until,
  reason,
  who: '',
})

/** What decides from now on. */
export function controlled(base: ActiveSet, state: ControlState): ActiveSet {
  const { offset, rules, policy, lists, snoozes } = state
  return {
    ...base,
    policy,
    rules: rules?.silencedBy((rule, transaction) => !!snoozes.get(rule)?.hits(transaction).length) ?? null,
    lists: lists.size === 0 ? null : lists,
    controlOffset: offset,
  }
}
