import type { Random } from '../core/random.ts'
import type { Transaction } from '../core/types.ts'
import type { Drift } from './drift.ts'
import type { Payments } from './payments.ts'
import type { World } from './world.ts'

/** What actors, honest or not, can see and do. */
export interface Scene {
  readonly random: Random
  readonly world: World
  readonly payments: Payments
  readonly drift: Drift
  /** Plans an action; its time is handed to it. */
  at(time: number, act: (time: number) => void): void
  /** Sends a transaction off; `fraudType` is null when it is honest. */
  pay(transaction: Transaction, fraudType: string | null): void
}

/** A typical amount of the merchant for this customer, euro cents. */
export function usualCents(
  scene: Scene,
  merchant: {
    readonly category: { readonly medianCents: number; readonly sigma: number }
    readonly level: number
  },
  level: number,
  time: number,
): number {
  const { medianCents, sigma } = merchant.category
  return scene.random.logNormal(medianCents * merchant.level * level, sigma) * scene.drift.priceLevel(time)
}
