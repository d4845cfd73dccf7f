import { dayMs } from '../core/days.ts'
import { awayCities, type City, homeCities, transferTexts } from './catalogue.ts'
import type { Origin } from './payments.ts'
import { type Scene, usualCents } from './scene.ts'
import { type Customer, carrierAddress, type Merchant, newPayee } from './world.ts'

const minuteMs = 60_000
const hourMs = 60 * minuteMs

/** Whether a customer who could pay now does: hour of the local day, weekday, days since the salary. */
export function feelsLikeIt(scene: Scene, customer: Customer, time: number): boolean {
  const local = time + whereIs(customer, time).utcOffsetMinutes * minuteMs
  const day = Math.floor(local / dayMs)
  const hour = Math.floor((local - day * dayMs) / hourMs)
  const isWeekend = (day + 3) % 7 >= 5 // 1970-01-01 was a Thursday
  const sincePayday = (day - customer.payday + 30) % 30
  const mood = (isWeekend ? customer.weekend : 0.8) * (sincePayday < 6 ? 1 : 0.75)
  return scene.random.chance(((customer.hours[hour] as number) / 100) * mood)
}

/** Mean of the chance above over the hours of a week, so that the clock can be set to the rate asked for. */
export const meanMood = 0.27

/** One honest payment, and now and then what follows from it: a shopping tour, a trip, a new device. */
export function honestPayment(scene: Scene, customer: Customer, time: number): void {
  const { random } = scene
  payOnce(scene, customer, time)
  if (random.chance(0.004)) setOut(scene, customer, time)
  if (random.chance(0.012)) {
    let next = time
    for (let left = random.between(2, 7); left > 0; left--) {
      next += Math.round(random.waiting(random.chance(0.5) ? 3 * minuteMs : 20 * minuteMs))
      scene.at(next, (later) => purchase(scene, customer, later))
    }
  }
}

/** Every subscription is paid again each 30 days. */
export function subscribe(scene: Scene, customer: Customer, startTime: number): void {
  const { random, world, payments } = scene
  for (let count = random.below(4); count > 0; count--) {
    const merchant = random.pick(world.subscriptions)
    const cents = usualCents(scene, merchant, 1, startTime)
    const renew = (time: number) => {
      const origin = { device: null, ip: null }
      const type = 'payment'
      scene.pay(
        payments.remote({
          customer,
          merchant,
          time,
          cents,
          type,
          channel: 'recurring',
          entryMode: 'stored',
          origin,
        }),
        null,
      )
      scene.at(time + 30 * dayMs + random.below(hourMs), renew)
    }
    scene.at(startTime + random.below(30 * dayMs), renew)
  }
}

function payOnce(scene: Scene, customer: Customer, time: number): void {
  const kind = scene.random.unit()
  if (kind < 0.04) withdraw(scene, customer, time)
  else if (kind < 0.09) transfer(scene, customer, time)
  else if (kind < 0.11) payBill(scene, customer, time)
  else if (kind < 0.128) refund(scene, customer, time)
  else if (kind < 0.14) orderByPhone(scene, customer, time)
  else purchase(scene, customer, time)
}

function purchase(scene: Scene, customer: Customer, time: number): void {
  const { random } = scene
  if (random.chance(customer.onlineShare * scene.drift.onlineLevel(time))) buyOnline(scene, customer, time)
  else buyInShop(scene, customer, time)
}

function buyInShop(scene: Scene, customer: Customer, time: number): void {
  const { random } = scene
  const city = whereIs(customer, time)
  const isKnown = city === customer.home && random.chance(0.7)
  const merchant = isKnown ? random.pick(customer.favouriteShops) : localShop(scene, city)
  const cents = honestCents(scene, customer, merchant, time)
  const mode = random.unit()
  const entryMode = mode < 0.62 ? 'contactless' : mode < 0.94 ? 'chip' : mode < 0.99 ? 'magstripe' : 'manual'
  scene.pay(
    scene.payments.present({ customer, merchant, time, cents, entryMode, card: random.pick(customer.cards) }),
    null,
  )
  customer.lastPurchase = { merchant, cents }
}

function buyOnline(scene: Scene, customer: Customer, time: number): void {
  const { random } = scene
  const isKnown = random.chance(0.55)
  const merchant = isKnown ? random.pick(customer.favouriteSites) : random.pickPopular(scene.world.sites)
  const cents = honestCents(scene, customer, merchant, time)
  const card = random.pick(customer.cards)
  const entryMode = random.chance(isKnown ? 0.5 : 0.15) ? 'stored' : 'online'
  const origin = ownOrigin(scene, customer)
  scene.pay(
    scene.payments.remote({ customer, merchant, time, cents, entryMode, card, channel: 'ecommerce', origin }),
    null,
  )
  customer.lastPurchase = { merchant, cents }
}

function orderByPhone(scene: Scene, customer: Customer, time: number): void {
  const merchant = scene.random.pickPopular(scene.world.sites)
  const cents = honestCents(scene, customer, merchant, time)
  const origin = { device: null, ip: null }
  scene.pay(
    scene.payments.remote({ customer, merchant, time, cents, entryMode: 'manual', channel: 'moto', origin }),
    null,
  )
}

function withdraw(scene: Scene, customer: Customer, time: number): void {
  const { random, world } = scene
  const merchant = world.cashMachines.get(whereIs(customer, time)) as Merchant
  const cents = Math.max(1, Math.round(usualCents(scene, merchant, customer.level, time) / 1000)) * 1000
  const entryMode = random.chance(0.06) ? 'magstripe' : random.chance(0.5) ? 'chip' : 'contactless'
  scene.pay(scene.payments.present({ customer, merchant, time, cents, entryMode, type: 'cash' }), null)
}

function transfer(scene: Scene, customer: Customer, time: number): void {
  const { random } = scene
  const isKnown = random.chance(0.65)
  const payee = isKnown ? random.pick(customer.payees) : newPayee(random)
  if (!isKnown && random.chance(0.5)) customer.payees[random.below(3)] = payee
  const cents = Math.max(1, Math.round(random.logNormal(80, 1.1) * customer.level)) * 100
  const description = random.pick(transferTexts)
  const origin = ownOrigin(scene, customer)
  scene.pay(
    scene.payments.transfer({ customer, time, cents, payee, payeeName: null, description, origin }),
    null,
  )
}

function payBill(scene: Scene, customer: Customer, time: number): void {
  const { random } = scene
  const payee = customer.payees[0] as string
  const cents = random.logNormal(9000 * customer.level, 0.7)
  const origin = ownOrigin(scene, customer)
  const payeeName = 'City Utilities'
  scene.pay(
    scene.payments.transfer({
      customer,
      time,
      cents,
      payee,
      payeeName,
      type: 'payment',
      description: 'bill',
      origin,
    }),
    null,
  )
}

function refund(scene: Scene, customer: Customer, time: number): void {
  if (customer.lastPurchase === null) {
    purchase(scene, customer, time)
    return
  }
  const { merchant, cents } = customer.lastPurchase
  scene.pay(giveBack(scene, customer, merchant, cents, time), null)
}

/** Money back to the card, at the till or online as the merchant sells. */
export function giveBack(scene: Scene, customer: Customer, merchant: Merchant, cents: number, time: number) {
  const refunded = { customer, merchant, time, cents, type: 'refund' }
  if (merchant.terminals.length > 0) return scene.payments.present({ ...refunded, entryMode: 'chip' })
  const origin = ownOrigin(scene, customer)
  return scene.payments.remote({ ...refunded, entryMode: 'stored', channel: 'ecommerce', origin })
}

export function localShop(scene: Scene, city: City): Merchant {
  return scene.random.pickPopular(scene.world.shops.get(city) as readonly Merchant[])
}

/** The customer's own device and address, as far as the merchant sees them; devices are replaced at times. */
export function ownOrigin(scene: Scene, customer: Customer): Origin {
  const { random } = scene
  if (random.chance(0.01)) customer.devices[random.below(customer.devices.length)] = random.token('d')
  const isUnseen = random.chance(0.08)
  const isPrivate = customer.privateBrowser && random.chance(0.5)
  return {
    device: isUnseen ? null : isPrivate ? random.token('d') : random.pick(customer.devices),
    ip: random.chance(0.4) ? carrierAddress(random) : customer.ip,
  }
}

function honestCents(scene: Scene, customer: Customer, merchant: Merchant, time: number): number {
  const cents = usualCents(scene, merchant, customer.level, time)
  return scene.random.chance(0.008) ? cents * scene.random.between(4, 15) : cents
}

function whereIs(customer: Customer, time: number): City {
  return customer.trip !== null && time < customer.trip.until ? customer.trip.city : customer.home
}

function setOut(scene: Scene, customer: Customer, time: number): void {
  const { random } = scene
  const city = random.pick(random.chance(0.5) ? homeCities : awayCities)
  customer.trip = { city, until: time + random.between(1, 12) * dayMs }
}
