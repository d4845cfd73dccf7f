import { randomUUID } from 'node:crypto'
import { sha256 } from '../config/definitions.ts'
import type { Config } from '../config/schema.ts'
import { bodyOf } from '../core/control.ts'
import { WeirError } from '../core/errors.ts'
import type { Control } from '../core/types.ts'
import { validateControl } from '../core/validate.ts'
import type { Connection } from './connect.ts'

/** Who makes a change, and why. */
export interface Author {
  readonly author: string
  readonly comment?: string | undefined
}

/** A change that is to be made. */
export interface Change extends Author, Pick<Control, 'kind' | 'name' | 'version'> {
  /** UTF-8. */
  readonly body: string | Buffer
}

/**
 * Sends a change to all members, which take it within about a second, each between two chunks.
 *
 * @returns its control_id.
 * @throws WeirError WEIR_CONTROL_REFUSED where it holds a card number, or a name that is none.
 */
export async function publishChange(
  { log, contracts }: Pick<Connection, 'log' | 'contracts'>,
  { topics }: Config,
  { body, ...change }: Change,
): Promise<string> {
  const bytes = Buffer.from(body)
  const control: Control = {
    ...change,
    comment: change.comment ?? null,
    control_id: randomUUID(),
    body: bytes,
    sha256: sha256(bytes),
    created_time: Date.now(),
  }
  const checked = validateControl(control)
  if (!checked.ok) throw refused(checked.rejection.message)
  bodyOf(control)
  const value = contracts.control.encode(control)
  await log.append([{ topic: topics.control, partition: 0, key: change.kind, value }])
  return control.control_id
}

const refused = (why: string): WeirError =>
  new WeirError('WEIR_CONTROL_REFUSED', `the change was not sent: ${why}`, {
    cure: 'mend it and publish it again',
  })
