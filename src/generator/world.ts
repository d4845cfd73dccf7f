import type { Random } from '../core/random.ts'
import {
  awayCities,
  type Category,
  type City,
  cardBins,
  cashCategory,
  homeCities,
  hourHabits,
  merchantAdjectives,
  onlineCategories,
  shopCategories,
  subscriptionCategory,
} from './catalogue.ts'
import type { Settings } from './options.ts'

export interface Merchant {
  readonly id: string
  readonly name: string
  readonly category: Category
  readonly city: City
  readonly latitude: number
  readonly longitude: number
  /** None online. */
  readonly terminals: readonly string[]
  /** Price level against the other merchants of its kind. */
  readonly level: number
  /** The last customers who paid here, a ring: whose cards a thief at this merchant would hold. */
  readonly recent: Customer[]
  served: number
}

export interface Card {
  readonly token: string
  readonly bin: string
  readonly last4: string
}

export interface Customer {
  readonly id: string
  readonly home: City
  readonly hours: readonly number[]
  /** How lively weekends are against weekdays. */
  readonly weekend: number
  /** Day of the 30-day month on which the salary comes. */
  readonly payday: number
  /** Spending against the mean customer. */
  readonly level: number
  readonly onlineShare: number
  readonly cards: readonly Card[]
  /** Changes when the customer buys a new one. */
  readonly devices: string[]
  /** A private browser shows another fingerprint at every payment. */
  readonly privateBrowser: boolean
  readonly ip: string
  readonly favouriteShops: readonly Merchant[]
  readonly favouriteSites: readonly Merchant[]
  readonly payees: string[]
  trip: { readonly city: City; readonly until: number } | null
  lastPurchase: { readonly merchant: Merchant; readonly cents: number } | null
}

export interface World {
  readonly customers: readonly Customer[]
  readonly shops: ReadonlyMap<City, readonly Merchant[]>
  readonly cashMachines: ReadonlyMap<City, Merchant>
  readonly sites: readonly Merchant[]
  readonly subscriptions: readonly Merchant[]
}

const recentKept = 12

/** Remembers who paid at a merchant; bounded. */
export function remember(merchant: Merchant, customer: Customer): void {
  merchant.recent[merchant.served++ % recentKept] = customer
}

/** A few customers are far more active than most. */
export function anyCustomer(world: World, random: Random): Customer {
  const u = random.unit()
  const rank = random.chance(0.8) ? u : u * u
  return world.customers[Math.floor(rank * world.customers.length)] as Customer
}

export function createWorld(settings: Settings, random: Random): World {
  const cities = [...homeCities, ...awayCities]
  const shops = new Map<City, Merchant[]>(cities.map((city) => [city, []]))
  const sites: Merchant[] = []
  for (let i = 0; i < settings.merchants; i++) {
    if (i % 4 === 0) {
      sites.push(createMerchant(i, pickCategory(onlineCategories, random), siteCity(random), 0, random))
      continue
    }
    const city = pickCity(i, cities, random)
    const terminals = 1 + Math.floor(random.logNormal(1.5, 0.8))
    shops.get(city)?.push(createMerchant(i, pickCategory(shopCategories, random), city, terminals, random))
  }
  const next = settings.merchants
  const cashMachines = new Map(
    cities.map((city, i) => [city, createMerchant(next + i, cashCategory, city, 12, random)]),
  )
  const subscriptions = Array.from({ length: 6 }, (_, i) =>
    createMerchant(next + cities.length + i, subscriptionCategory, homeCities[0] as City, 0, random),
  )
  const places = { shops, cashMachines, sites, subscriptions }
  const customers = Array.from({ length: settings.customers }, (_, i) => createCustomer(i, places, random))
  return { ...places, customers }
}

/** The first shops go round all cities, so that no city is empty. */
function pickCity(i: number, cities: readonly City[], random: Random): City {
  if (i < 4 * cities.length) return cities[i % cities.length] as City
  return random.chance(0.8) ? random.pickPopular(homeCities) : random.pick(awayCities)
}

const siteCity = (random: Random) =>
  random.chance(0.75) ? random.pickPopular(homeCities) : random.pick(awayCities)

function pickCategory(categories: readonly Category[], random: Random): Category {
  return categories[random.weighted(categories.map((category) => category.weight))] as Category
}

/** Multiplication by an odd number permutes 32 bits: identifiers that do not tell the rank. */
const scramble = (i: number) => (Math.imul(i + 1, 0x9e3779b1) >>> 0).toString(36)

const inDegrees = (value: number) => Math.round(value * 10_000) / 10_000

function createMerchant(
  i: number,
  category: Category,
  city: City,
  terminals: number,
  random: Random,
): Merchant {
  const id = `m-${scramble(i)}`
  return {
    id,
    name: `${random.pick(merchantAdjectives)} ${category.noun} ${city.name}`,
    category,
    city,
    latitude: inDegrees(city.latitude + (random.unit() - 0.5) * 0.2),
    longitude: inDegrees(city.longitude + (random.unit() - 0.5) * 0.3),
    terminals: Array.from({ length: terminals }, (_, n) => `${id}-t${n + 1}`),
    level: random.logNormal(1, 0.25),
    recent: [],
    served: 0,
  }
}

function createCustomer(i: number, places: Omit<World, 'customers'>, random: Random): Customer {
  const home = random.pickPopular(homeCities)
  const shops = places.shops.get(home) as readonly Merchant[]
  const id = scramble(i)
  return {
    id: `c-${id}`,
    home,
    hours: hourHabits[random.weighted([25, 40, 27, 8])] as readonly number[],
    weekend: 0.6 + 0.4 * random.unit(),
    payday: random.below(30),
    level: random.logNormal(1, 0.4),
    onlineShare: 0.15 + 0.55 * random.unit(),
    cards: several(random, 0.3, () => createCard(random)),
    devices: several(random, 0.4, () => random.token('d')),
    privateBrowser: random.chance(0.15),
    ip: address(random),
    favouriteShops: Array.from({ length: 6 }, () => random.pickPopular(shops)),
    favouriteSites: Array.from({ length: 4 }, () => random.pickPopular(places.sites)),
    payees: Array.from({ length: 3 }, () => payeeOf(random.below(1 << 20))),
    trip: null,
    lastPurchase: null,
  }
}

function several<T>(random: Random, second: number, create: () => T): T[] {
  return random.chance(second) ? [create(), create()] : [create()]
}

function createCard(random: Random): Card {
  return {
    token: random.token('card'),
    bin: random.pickPopular(cardBins),
    last4: String(random.below(10_000)).padStart(4, '0'),
  }
}

const payeeOf = (n: number) => `a-${scramble(n + 77_777)}`

/** An account that is paid to: of a friend, a landlord or a mule; nothing in it tells which. */
export const newPayee = (random: Random) => payeeOf(random.below(1 << 20))

/** An address of 100.64.0.0/10 (RFC 6598) or 2001:db8::/32 (RFC 3849): nobody's on the open net. */
export function address(random: Random): string {
  if (random.chance(0.15)) return `2001:db8:${random.below(65_536).toString(16)}::${random.between(1, 9999)}`
  return [100, random.between(64, 126), random.below(256), random.between(1, 254)].join('.')
}

/** A mobile carrier's address: many customers, and thieves, come from the same few. */
export const carrierAddress = (random: Random) => `100.127.${random.below(4)}.${random.between(1, 254)}`
