import { dayMs } from '../days.ts'
import { WeirError } from '../errors.ts'
import { durationMs, type EntityWindowFeature, type FeatureFile } from './definition.ts'
import type { EntityLayout } from './entity-state.ts'
import { withMatured } from './matured-columns.ts'
import type { Tier } from './tiles.ts'

/** Tiers for the windows given: one a tile length, as long as the longest window asks. */
export function tiersOf(
  tiles: Readonly<Record<string, string>>,
  windows: readonly string[],
  extraMs = 0,
): Tier[] {
  const tiers = new Map<number, number>()
  for (const window of windows) {
    const tileMs = tileOf('tiles', tiles, window)
    const count = (durationMs(window) + (tileMs === dayMs ? extraMs : 0)) / tileMs
    tiers.set(tileMs, Math.max(count, tiers.get(tileMs) ?? 0))
  }
  return [...tiers].sort(([a], [b]) => a - b).map(([tileMs, count]) => ({ tileMs, tiles: count }))
}

export function entityLayout(file: FeatureFile): EntityLayout {
  const windowed = file.features.filter(
    (feature): feature is EntityWindowFeature => 'aggregate' in feature && feature.entity !== 'customer',
  )
  const fraud = windowed.filter(({ aggregate }) => aggregate === 'fraud_count' || aggregate === 'fraud_rate')
  // The last whole day that had ended `delay` ago: up to a day before it, besides the delay itself.
  const delayed = fraud.map(({ window, delay }) => ({ window, delayMs: durationMs(delay ?? '1d') + dayMs }))
  const reachMs = Math.max(0, ...delayed.map(({ window, delayMs }) => durationMs(window) + delayMs))
  const delayMs = Math.max(0, ...delayed.map((feature) => feature.delayMs))
  const tiers = tiersOf(file.entities.tiles, [...new Set(windowed.map(({ window }) => window))], delayMs)
  const finest = tiers[0]?.tileMs ?? dayMs
  if (tiers.some(({ tileMs }) => tileMs % finest !== 0)) {
    throw invalid(
      'entities.tiles',
      `every tile must be a multiple of the shortest, ${finest / 60_000} minutes`,
    )
  }
  const layout = {
    tiers,
    frauds: { tileMs: dayMs, tiles: reachMs / dayMs },
    mostCustomers: file.entities.most_customers,
  }
  return withOdd(withMatured(layout, windowed, file.entities.tiles), file, windowed)
}

/** The layout with what tells usual frauds from odd ones: unchanged where no feature does. */
function withOdd(
  layout: EntityLayout,
  { entities: { odd }, features }: FeatureFile,
  windowed: readonly EntityWindowFeature[],
): EntityLayout {
  const usual = windowed.find(({ aggregate }) => aggregate === 'fraud_run_usual')
  if (odd === undefined) {
    if (usual === undefined) return layout
    throw invalid(usual.name, 'leaves odd payments out, but entities.odd does not say which those are')
  }
  const feature = features.find(({ name }) => name === odd.feature)
  if (feature?.entity !== 'transaction' && feature?.entity !== 'customer') {
    throw invalid('entities.odd', `has ${odd.feature}, which is no feature of a transaction or customer`)
  }
  if (usual === undefined || layout.paymentFrauds === undefined) return layout
  const { name: _, description: __, ...of } = feature
  return { ...layout, oddPayments: { ...layout.paymentFrauds, of, atLeast: odd.at_least } }
}

export function tileOf(name: string, tiles: Readonly<Record<string, string>>, window: string): number {
  const tile = tiles[window]
  if (tile === undefined) {
    throw invalid(
      name,
      `has window ${window}, for which no tile is declared (there are ${Object.keys(tiles).join(', ')})`,
    )
  }
  const tileMs = checkedDuration(name, tile)
  if (checkedDuration(name, window) % tileMs !== 0)
    throw invalid(name, `has window ${window}, no multiple of its tile ${tile}`)
  return tileMs
}

export function checkedDuration(name: string, text: string): number {
  const ms = durationMs(text)
  if (Number.isNaN(ms)) throw invalid(name, `has "${text}" where a duration such as 10m, 24h or 30d is meant`)
  return ms
}

export function invalid(feature: string, what: string): WeirError {
  return new WeirError('WEIR_FEATURES_INVALID', `feature file: ${feature} ${what}`, {
    cure: 'Mend the feature file; `weir features list` shows what it compiles to.',
  })
}
