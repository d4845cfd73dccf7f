import {
  type CustomerWindowFeature,
  type EntityAggregate,
  entityAggregates,
  type FeatureDefinition,
  type FeatureFile,
  isMatured,
  rememberedFields,
  robustAggregates,
  sequenceChannels,
  type WindowAggregate,
  windowAggregates,
} from '../../src/core/features/definition.ts'
import { entityKinds } from '../../src/core/types.ts'

const description = 'For tests.'

const perWindow = (aggregate: Exclude<WindowAggregate, 'distinct'>): CustomerWindowFeature[] =>
  ['1m', '1h', '24h', '3d', '12d']
    .filter((window) => aggregate !== 'min' || !window.endsWith('d'))
    .map((window) => ({ name: `${aggregate}_${window}`, entity: 'customer', aggregate, window, description }))

const distinct: FeatureDefinition[] = rememberedFields.flatMap((field) =>
  ['10m', '24h', '3d'].map((window) => ({
    name: `distinct_${field}_${window}`,
    entity: 'customer',
    aggregate: 'distinct',
    field,
    window,
    description,
  })),
)

const same: FeatureDefinition[] = rememberedFields.map((field) => ({
  name: `same_${field}`,
  entity: 'customer',
  aggregate: 'sum',
  window: '24h',
  same: field,
  where: { channel: ['ecommerce', 'pos'], type: ['purchase', 'refund'] },
  description,
}))

const sequence: FeatureDefinition[] = [0, 1, 3].flatMap((back) =>
  sequenceChannels.map((channel) => ({
    name: `seq_${back}_${channel}`,
    entity: 'customer',
    sequence: channel,
    back,
    description,
  })),
)

const robust: FeatureDefinition[] = robustAggregates.flatMap((aggregate) =>
  [3, 4].map((last) => ({
    name: `robust_${aggregate}_${last}`,
    entity: 'customer',
    robust: aggregate,
    last,
    ...(aggregate === 'large_count' ? { window: '9h', times: 1.5 } : {}),
    description,
  })),
)

/** Windows of an aggregate of entities, and its delay. */
function windowsOf(aggregate: EntityAggregate): { windows: readonly string[]; delay?: string } {
  if (isMatured(aggregate)) return { windows: ['3d', '10d'], delay: '30h' }
  if (aggregate.startsWith('fraud')) return { windows: ['2d', '14d'], delay: '3d' }
  return { windows: ['5m', '2h', '14d'] }
}

const perKind = (aggregate: EntityAggregate): FeatureDefinition[] => {
  const { windows, ...delay } = windowsOf(aggregate)
  return entityKinds.flatMap((entity) =>
    windows.map((window) => ({
      name: `${entity}_${aggregate}_${window}`,
      entity,
      aggregate,
      window,
      ...delay,
      description,
    })),
  )
}

/** Every aggregate over windows and tiles other than those of features.yaml, and small memories that overflow soon. */
export const everyAggregate: FeatureFile = {
  version: 1,
  reference_currency: 'USD',
  rates: { EUR: 1.087, USD: 1, JPY: 0.0067, KWD: 3.26, HUF: 0.0027 },
  customer: {
    keep_events: 4,
    most_events: 20,
    tiles: { '3d': '12h', '12d': '1d', '24d': '1d' },
    remember: { merchant_id: 3, device_id: 2, country: 1, mcc: 4 },
  },
  entities: {
    tiles: { '5m': '1m', '2h': '30m', '2d': '1d', '14d': '1d', '3d': '6h', '10d': '6h' },
    most_customers: 2,
    odd: { feature: 'robust_ratio_3', at_least: 1.5 },
  },
  features: [
    ...windowAggregates.filter((aggregate) => aggregate !== 'distinct').flatMap(perWindow),
    ...distinct,
    ...same,
    ...sequence,
    ...robust,
    ...entityAggregates.flatMap(perKind),
    ...entityKinds.map((entity) => ({
      name: `${entity}_customers`,
      entity,
      distinct: 'customer_id' as const,
      description,
    })),
  ],
}
