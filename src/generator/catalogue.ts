/** The fixed facts of the invented world: places, kinds of merchants, prices, hours. */

export interface City {
  readonly name: string
  readonly country: string
  readonly currency: string
  readonly latitude: number
  readonly longitude: number
  /** Standard time all year. */
  readonly utcOffsetMinutes: number
}

function city(row: string): City {
  const [name, country, currency, latitude, longitude, offset] = row.split(',') as [string, ...string[]]
  return {
    name,
    country: country as string,
    currency: currency as string,
    latitude: Number(latitude),
    longitude: Number(longitude),
    utcOffsetMinutes: Number(offset),
  }
}

/** Where customers live, largest first. */
export const homeCities: readonly City[] = [
  'Berlin,DE,EUR,52.52,13.405,60',
  'Paris,FR,EUR,48.8566,2.3522,60',
  'Madrid,ES,EUR,40.4168,-3.7038,60',
  'Rome,IT,EUR,41.9028,12.4964,60',
  'Vienna,AT,EUR,48.2082,16.3738,60',
  'Amsterdam,NL,EUR,52.3676,4.9041,60',
  'Lisbon,PT,EUR,38.7223,-9.1393,0',
  'Helsinki,FI,EUR,60.1699,24.9384,120',
].map(city)

/** Where customers only travel to. */
export const awayCities: readonly City[] = [
  'London,GB,GBP,51.5074,-0.1278,0',
  'New York,US,USD,40.7128,-74.006,-300',
  'Zurich,CH,CHF,47.3769,8.5417,60',
  'Tokyo,JP,JPY,35.6762,139.6503,540',
  'Kuwait City,KW,KWD,29.3759,47.9774,180',
  'Stockholm,SE,SEK,59.3293,18.0686,60',
  'Warsaw,PL,PLN,52.2297,21.0122,60',
].map(city)

/** Minor units of the currency for one euro cent; JPY has no decimals, KWD three. Invented, constant rates. */
export const minorUnitsPerCent: Readonly<Record<string, number>> = {
  EUR: 1,
  GBP: 0.85,
  USD: 1.1,
  CHF: 0.95,
  JPY: 1.6,
  KWD: 3.3,
  SEK: 11.2,
  PLN: 4.3,
}

export interface Category {
  readonly mcc: string
  readonly noun: string
  /** Euro cents. */
  readonly medianCents: number
  /** Standard deviation of the logarithm of the amount. */
  readonly sigma: number
  /** How many merchants of this kind there are, relative to the others. */
  readonly weight: number
}

function category(row: string): Category {
  const [mcc, noun, medianCents, sigma, weight] = row.split(',') as [string, string, string, string, string]
  return { mcc, noun, medianCents: Number(medianCents), sigma: Number(sigma), weight: Number(weight) }
}

export const shopCategories: readonly Category[] = [
  '5411,Market,2800,0.8,20',
  '5812,Restaurant,2700,0.6,14',
  '5814,Snacks,1000,0.5,12',
  '5541,Fuel,5200,0.4,8',
  '5912,Pharmacy,1700,0.6,6',
  '4111,Transit,350,0.5,6',
  '5994,Kiosk,450,0.6,6',
  '5651,Fashion,5500,0.7,8',
  '5732,Electronics,14000,1.0,5',
  '5311,Department Store,4800,0.8,5',
  '7011,Hotel,16000,0.6,4',
  '5944,Jewellers,18000,1.0,2',
  '5999,Goods,3000,0.9,6',
].map(category)

export const onlineCategories: readonly Category[] = [
  '5816,Games,600,0.9,12',
  '5818,Media,800,0.8,12',
  '5964,Mail Order,4500,0.9,20',
  '5651,Fashion,6000,0.7,12',
  '5732,Electronics,15000,1.0,10',
  '4511,Airways,22000,0.7,5',
  '4722,Travel,25000,0.8,5',
  '5942,Books,1900,0.6,8',
  '8398,Charity,900,1.0,4',
  '7995,Betting,2500,1.0,4',
  '6051,Exchange,9000,1.1,3',
  '5947,Gift Cards,5000,0.6,5',
].map(category)

export const subscriptionCategory = category('4899,Streaming,1300,0.5,1')
export const cashCategory = category('6011,Cash,9000,0.6,1')

export const merchantAdjectives =
  'Amber,Blue,Cedar,Dune,Elm,Fern,Golden,Harbour,Iris,Juniper,Karst,Lime,Maple,North,Opal,Pine'.split(',')

export const transferTexts =
  'rent,thanks for dinner,holiday share,invoice,club fee,birthday present,savings,used bicycle,family,deposit'.split(
    ',',
  )

/**
 * Issuer numbers with a leading 9, which ISO/IEC 7812-1 leaves to national use: no card scheme's cards have them.
 */
export const cardBins = '99990112,99990118,99990225,99990231,999903,99990440,99990456,999905'.split(',')

/** Chance in a hundred that a payment wished for at this local hour is made, by kind of customer. */
export const hourHabits: readonly (readonly number[])[] = [
  // early risers, office hours, evenings, nights
  [4, 2, 2, 3, 8, 25, 55, 80, 75, 60, 60, 70, 80, 60, 50, 50, 60, 60, 45, 30, 18, 12, 8, 6],
  [8, 4, 3, 3, 4, 8, 20, 45, 50, 45, 50, 70, 95, 75, 50, 50, 60, 85, 95, 80, 55, 40, 28, 16],
  [22, 12, 7, 5, 5, 6, 10, 20, 30, 35, 40, 50, 60, 50, 45, 50, 60, 70, 85, 95, 90, 80, 60, 40],
  [70, 60, 50, 40, 30, 20, 12, 12, 15, 20, 25, 30, 35, 40, 45, 50, 55, 60, 65, 75, 80, 85, 85, 80],
]
