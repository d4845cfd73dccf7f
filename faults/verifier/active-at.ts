import { createControlReader } from '../../src/config/control-texts.ts'
import { controlled, initialControl } from '../../src/core/control.ts'
import type { ActiveSet } from '../../src/core/decide.ts'
import type { LogRecord } from '../../src/core/ports.ts'
import type { Control, Decision } from '../../src/core/types.ts'
import { Timeline } from '../../src/replay/control-history.ts'
import type { Findings } from './findings.ts'
import type { Installation } from './installation.ts'
import { plainAvro } from './plain-avro.ts'

/** What must have decided, given the decision that was recorded: it names how far the control topic had been read. */
export type ActiveAt = (recorded: Decision | undefined) => ActiveSet

export function activeAt(
  { active: base }: Installation,
  records: readonly LogRecord[] = [],
  findings: Findings,
): ActiveAt {
  const { read } = plainAvro<Control>('control.avsc')
  const changes = records.map(({ offset, value }) => ({ offset, control: read(value) }))
  const timeline = new Timeline(changes, initialControl(base), createControlReader(base))
  const known = new Map<number, ActiveSet>()
  return (recorded) => {
    const offset = recorded?.control_offset ?? null
    if (offset === null) return base
    let active = known.get(offset)
    if (active === undefined) {
      const state = timeline.at(offset)
      if (state === null)
        findings.add('changed', `a decision names control offset ${offset}, where nothing is`)
      active = state === null ? base : controlled(base, state)
      known.set(offset, active)
    }
    return active
  }
}
