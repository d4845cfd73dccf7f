import type { AlertAccount, Finding } from './account.ts'

export interface AlertBookOptions {
  readonly account: AlertAccount
  readonly find: (kind: Finding['kind'], offset: number, what: string) => void
  /** Whether an alert on this offset would be among those that retention has deleted. */
  readonly isGone: (offset: number) => boolean
}

/** So many decisions that seem to lack their alert are remembered, until all alerts have been read. */
const mostPending = 100_000

/** Which decisions call for an alert, and which alerts are there. */
export class AlertBook {
  readonly #options: AlertBookOptions
  /** Decisions that call for an alert and have none so far. */
  readonly #pending = new Set<number>()

  constructor(options: AlertBookOptions) {
    this.#options = options
  }

  get isSettled(): boolean {
    return this.#pending.size === 0
  }

  /** @param wanted whether what was decided on the offset calls for one; null: not known. */
  enter(offset: number, wanted: boolean | null, alerts: number): void {
    const { account, find, isGone } = this.#options
    account.found += alerts
    if (wanted === null) account.unproven++
    else if (wanted) {
      account.expected++
      if (alerts > 1) {
        account.double += alerts - 1
        find('alert double', offset, `has ${alerts} alerts`)
      }
      if (alerts > 0) return
      if (isGone(offset)) account.unproven++
      else if (this.#pending.size < mostPending) this.#pending.add(offset)
      else this.#missing(offset)
    } else if (alerts > 0) {
      account.stray += alerts
      find('alert stray', offset, 'has an alert, but no decision that calls for one')
    }
  }

  /** An alert out of its order. */
  late(offset: number): void {
    const { account, find } = this.#options
    account.found++
    if (this.#pending.delete(offset)) return
    account.double++
    find('alert double', offset, 'has one more alert, out of order')
  }

  settle(): void {
    for (const offset of this.#pending) this.#missing(offset)
  }

  #missing(offset: number): void {
    this.#options.account.missing++
    this.#options.find(
      'alert missing',
      offset,
      'was decided, and has no alert, though the policy calls for one',
    )
  }
}
