import type { EntityColumn } from './columns.ts'
import { durationMs, type EntityWindowFeature, isMatured, type MaturedAggregate } from './definition.ts'
import type { EntityLayout, EntityState } from './entity-state.ts'
import type { Tiles } from './tiles.ts'

const missing = Number.NaN

/** A window over the payments at an entity that are old enough for their frauds to be known. */
export interface MaturedWindow {
  /** Position of the entity's tier that is cut into tiles of `tileMs`. */
  readonly tier: number
  readonly tileMs: number
  /** Whole tiles, the last of them one that had ended by event time - `delayMs`. */
  readonly tiles: number
  readonly delayMs: number
}

/**
 * Frauds among an entity's payments by when they were paid. Counts and rates are of matured payments. Times and runs
 * also see frauds reported sooner: there payments that are not matured and not reported are passed over, since nothing
 * is known of them. Times in seconds, from the start of the tile.
 */
export function maturedColumn(aggregate: MaturedAggregate, window: MaturedWindow): EntityColumn {
  switch (aggregate) {
    case 'matured_count':
      return (entity, { time }) => maturedIn(entity.tiers[window.tier], window, time)
    case 'matured_fraud_count':
      return (entity, { time }) => maturedIn(entity.paymentFrauds, window, time)
    case 'matured_fraud_rate':
      return (entity, { time }) => {
        const payments = maturedIn(entity.tiers[window.tier], window, time)
        return payments === 0 ? missing : maturedIn(entity.paymentFrauds, window, time) / payments
      }
    case 'time_since_fraud':
      return (entity, { time }) => secondsSince(walk(entity, window, time).lastFraud, time)
    case 'time_since_good':
      return (entity, { time }) => secondsSince(walk(entity, window, time).lastGood, time)
    case 'fraud_run':
      return (entity, { time }) => walk(entity, window, time).run
    case 'fraud_run_usual':
      return (entity, { time }) => walk(entity, window, time).usual
    case 'fraud_run_age':
      return (entity, { time }) => secondsSince(walk(entity, window, time).runStart, time)
  }
}

const secondsSince = (since: number, time: number): number => (time - since) / 1000

function maturedIn(
  from: Tiles | null | undefined,
  { tileMs, tiles, delayMs }: MaturedWindow,
  time: number,
): number {
  if (from === null || from === undefined) return 0
  const last = time - delayMs - tileMs
  let count = 0
  for (let i = from.from(last, tiles), end = from.to(last); i < end; i++) count += from.count[i] as number
  // A report may be folded after the one that takes it back.
  return Math.max(0, count)
}

/** Starts of tiles, NaN where there is none, and the frauds since the last good payment: all, and those not odd. */
interface Walk {
  lastFraud: number
  lastGood: number
  runStart: number
  run: number
  usual: number
}

/** From the tile of the event back to the start of the window, or to where nothing more can be learnt. */
function walk(entity: EntityState, { tier, tileMs, tiles, delayMs }: MaturedWindow, time: number): Walk {
  const found: Walk = { lastFraud: missing, lastGood: missing, runStart: missing, run: 0, usual: 0 }
  const frauds = entity.paymentFrauds as Tiles
  const payments = entity.tiers[tier] as Tiles
  const lastMatured = Math.floor((time - delayMs) / tileMs) - 1
  let f = frauds.to(time) - 1
  let p = payments.to(time - delayMs - tileMs) - 1
  for (;;) {
    const tile = Math.max(
      f < 0 ? -1 : (frauds.index[f] as number),
      p < 0 ? -1 : (payments.index[p] as number),
    )
    if (tile <= lastMatured - tiles) return found
    const reported = f >= 0 && frauds.index[f] === tile ? Math.max(0, frauds.count[f--] as number) : 0
    const paid = p >= 0 && payments.index[p] === tile ? (payments.count[p--] as number) : 0
    if (reported > 0 && Number.isNaN(found.lastFraud)) found.lastFraud = tile * tileMs
    if (Number.isNaN(found.lastGood)) {
      if (paid > reported) found.lastGood = tile * tileMs
      else if (reported > 0) {
        found.run += reported
        found.usual += Math.max(0, reported - oddIn(entity.oddPayments, tile))
        found.runStart = tile * tileMs
      }
    }
    if (!Number.isNaN(found.lastFraud) && !Number.isNaN(found.lastGood)) return found
  }
}

function oddIn(odd: Tiles | null, tile: number): number {
  if (odd === null) return 0
  const at = odd.to(tile * odd.tileMs) - 1
  return at >= 0 && odd.index[at] === tile ? (odd.count[at] as number) : 0
}

/** The layout with what windows of matured payments need: unchanged where no feature has one. */
export function withMatured(
  layout: EntityLayout,
  features: readonly EntityWindowFeature[],
  tiles: Readonly<Record<string, string>>,
): EntityLayout {
  const matured = features.filter(({ aggregate }) => isMatured(aggregate))
  const [first] = matured
  if (first === undefined) return layout
  const tileMs = durationMs(tiles[first.window] as string)
  // The last tile that had ended `delay` ago: up to a tile before it, besides the delay itself.
  const reach = matured.map(
    ({ window, delay }) => (durationMs(window) + durationMs(delay ?? '1d')) / tileMs + 1,
  )
  const most = Math.ceil(Math.max(...reach))
  const tiers = layout.tiers.map((tier) =>
    tier.tileMs === tileMs ? { tileMs, tiles: Math.max(most, tier.tiles) } : tier,
  )
  return { ...layout, tiers, paymentFrauds: { tileMs, tiles: most } }
}
