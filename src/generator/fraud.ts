import { dayMs } from '../core/days.ts'
import { awayCities, cashCategory, homeCities, transferTexts } from './catalogue.ts'
import { giveBack, localShop, ownOrigin } from './honest.ts'
import type { CardPayment, Origin, RemotePayment } from './payments.ts'
import { type Scene, usualCents } from './scene.ts'
import { address, anyCustomer, carrierAddress, type Merchant, newPayee } from './world.ts'

const minuteMs = 60_000
const hourMs = 60 * minuteMs

interface Scheme {
  readonly type: string
  /** Share of all fraudulent transactions, before and after the shift of docs/generator.md; each column sums to 1. */
  readonly share: number
  readonly shiftedShare: number
  /** Smallest and largest number of transactions of one campaign. */
  readonly size: readonly [number, number]
  /** Plans `size` fraudulent transactions from `time` on. */
  readonly start: (scene: Scene, time: number, size: number) => void
}

const schemes: readonly Scheme[] = [
  { type: 'card_testing', share: 0.12, shiftedShare: 0.18, size: [6, 12], start: testCards },
  { type: 'stolen_card', share: 0.24, shiftedShare: 0.14, size: [1, 5], start: spendStolenCard },
  { type: 'account_takeover', share: 0.13, shiftedShare: 0.13, size: [1, 3], start: takeOverAccount },
  { type: 'compromised_merchant', share: 0.15, shiftedShare: 0.12, size: [4, 10], start: useSkimmedCards },
  { type: 'impossible_travel', share: 0.11, shiftedShare: 0.08, size: [1, 3], start: useCloneAbroad },
  { type: 'bust_out', share: 0.08, shiftedShare: 0.07, size: [4, 8], start: bustOut },
  { type: 'refund_abuse', share: 0.07, shiftedShare: 0.06, size: [2, 5], start: abuseRefunds },
  { type: 'mule_transfer', share: 0.1, shiftedShare: 0.22, size: [2, 6], start: payMule },
]

/** Names of the kinds of fraud, as they stand in labels. */
export const fraudTypes = schemes.map((scheme) => scheme.type)

/**
 * Starts campaigns so that each kind keeps its share of all transactions: every payment earns each scheme a
 * fraction of a fraud, and a campaign starts once its size is earned.
 */
export function createUnderworld(scene: Scene, fraudRate: number): (time: number) => void {
  const { random } = scene
  const gangs = schemes.map((scheme) => {
    const size = random.between(...scheme.size)
    return { scheme, size, earned: size * random.unit() }
  })
  return (time) => {
    const hasShifted = scene.drift.fraudHasShifted(time)
    for (const gang of gangs) {
      gang.earned += fraudRate * (hasShifted ? gang.scheme.shiftedShare : gang.scheme.share)
      if (gang.earned < gang.size) continue
      gang.earned -= gang.size
      gang.scheme.start(scene, time, gang.size)
      gang.size = random.between(...gang.scheme.size)
    }
  }
}

/** Small sums at one web shop, one stolen card after the other, to see which still work. */
function testCards(scene: Scene, time: number, size: number): void {
  const { random, world } = scene
  const merchant = random.pickPopular(world.sites)
  const origin = strangeOrigin(scene)
  let next = time
  for (let i = 0; i < size; i++) {
    const customer = anyCustomer(world, random)
    next += Math.round(random.waiting(random.chance(0.7) ? minuteMs : 20 * minuteMs))
    scene.at(next, (at) => {
      const cents = random.logNormal(350, 0.7)
      const from = random.chance(0.7) ? origin : strangeOrigin(scene)
      payOnline(scene, { customer, merchant, cents, time: at, origin: from }, 'card_testing')
    })
  }
}

/** A card's number is spent at several web shops within hours. */
function spendStolenCard(scene: Scene, time: number, size: number): void {
  const { random, world } = scene
  const customer = anyCustomer(world, random)
  const origin = strangeOrigin(scene)
  let next = time
  for (let i = 0; i < size; i++) {
    scene.at(next, (at) => {
      const merchant = random.pickPopular(world.sites)
      const cents = usualCents(scene, merchant, 1.5, at)
      payOnline(scene, { customer, merchant, cents, time: at, origin }, 'stolen_card')
    })
    next += Math.round(random.waiting(random.chance(0.6) ? 8 * minuteMs : 2 * hourMs))
  }
}

/** Somebody else is logged in: another device as a rule, new payees, stored cards. */
function takeOverAccount(scene: Scene, time: number, size: number): void {
  const { random, world, payments } = scene
  const customer = anyCustomer(world, random)
  // Malware and remote help let the thief act from the victim's own device.
  const origin = random.chance(0.25) ? ownOrigin(scene, customer) : strangeOrigin(scene)
  const payee = newPayee(random)
  let next = time
  for (let i = 0; i < size; i++) {
    scene.at(next, (at) => {
      if (random.chance(0.45)) {
        const merchant = random.pick(customer.favouriteSites)
        const cents = usualCents(scene, merchant, 2, at)
        return payOnline(
          scene,
          { customer, merchant, cents, time: at, origin, entryMode: 'stored' },
          'account_takeover',
        )
      }
      const cents = Math.round(random.logNormal(350, 0.9)) * 100
      const description = random.pick(transferTexts)
      scene.pay(
        payments.transfer({ customer, time: at, cents, payee, payeeName: null, description, origin }),
        'account_takeover',
      )
    })
    next += Math.round(random.waiting(25 * minuteMs))
  }
}

/** Cards that were used at one merchant are spent by one crew during the next days, at the few places it knows. */
function useSkimmedCards(scene: Scene, time: number, size: number): void {
  const { random, world } = scene
  const home = random.pickPopular(homeCities)
  const source = random.chance(0.6) ? localShop(scene, home) : random.pickPopular(world.sites)
  const victims = source.recent.length > 0 ? source.recent.slice() : [anyCustomer(world, random)]
  const shop = localShop(scene, home)
  const site = random.pickPopular(world.sites)
  const origin = strangeOrigin(scene)
  for (let i = 0; i < size; i++) {
    const customer = random.pick(victims)
    scene.at(time + hourMs + random.below(4 * dayMs), (at) => {
      if (random.chance(0.5)) {
        const cents = usualCents(scene, site, 2, at)
        const from = random.chance(0.5) ? origin : strangeOrigin(scene)
        payOnline(scene, { customer, merchant: site, cents, time: at, origin: from }, 'compromised_merchant')
      } else {
        payWithClone(scene, { customer, merchant: shop, time: at }, 'compromised_merchant')
      }
    })
  }
}

/** A clone is used in one country while its owner pays in another. */
function useCloneAbroad(scene: Scene, time: number, size: number): void {
  const { random, world } = scene
  const customer = anyCustomer(world, random)
  const elsewhere = [...homeCities, ...awayCities].filter((city) => city !== customer.home)
  const city = random.pick(elsewhere)
  let next = time + random.below(4 * hourMs)
  for (let i = 0; i < size; i++) {
    scene.at(next, (at) => {
      const isCash = random.chance(0.25)
      const merchant = isCash ? (world.cashMachines.get(city) as Merchant) : localShop(scene, city)
      payWithClone(scene, { customer, merchant, time: at }, 'impossible_travel')
    })
    next += Math.round(random.waiting(40 * minuteMs))
  }
}

/** The customer draws the line to its end within hours and will not pay it back. */
function bustOut(scene: Scene, time: number, size: number): void {
  const { random, world } = scene
  const customer = anyCustomer(world, random)
  for (let i = 0; i < size; i++) {
    scene.at(time + random.below(10 * hourMs), (at) => {
      const isOnline = random.chance(0.4)
      const merchant = isOnline ? random.pickPopular(world.sites) : localShop(scene, customer.home)
      const cents = usualCents(scene, merchant, 4, at)
      if (isOnline) {
        return payOnline(
          scene,
          { customer, merchant, cents, time: at, origin: ownOrigin(scene, customer) },
          'bust_out',
        )
      }
      const entryMode = random.chance(0.6) ? 'chip' : 'contactless'
      scene.pay(scene.payments.present({ customer, merchant, time: at, cents, entryMode }), 'bust_out')
    })
  }
}

/** Money back for what was never bought, or bought for less. */
function abuseRefunds(scene: Scene, time: number, size: number): void {
  const { random, world } = scene
  const customer = anyCustomer(world, random)
  const merchant = random.chance(0.5) ? random.pick(customer.favouriteSites) : localShop(scene, customer.home)
  let next = time
  for (let i = 0; i < size; i++) {
    scene.at(next, (at) => {
      const cents = usualCents(scene, merchant, 1.5, at)
      scene.pay(giveBack(scene, customer, merchant, cents, at), 'refund_abuse')
    })
    next += Math.round(random.waiting(9 * hourMs))
  }
}

/** Victims of a story told on the phone send money to one account, each from the own device. */
function payMule(scene: Scene, time: number, size: number): void {
  const { random, world, payments } = scene
  const payee = newPayee(random)
  let next = time
  for (let i = 0; i < size; i++) {
    const customer = anyCustomer(world, random)
    scene.at(next, (at) => {
      const cents = Math.round(random.logNormal(400, 0.9)) * 100
      const description = random.pick(transferTexts)
      const origin = ownOrigin(scene, customer)
      scene.pay(
        payments.transfer({ customer, time: at, cents, payee, payeeName: null, description, origin }),
        'mule_transfer',
      )
    })
    next += Math.round(random.waiting(10 * hourMs))
  }
}

function payWithClone(
  scene: Scene,
  payment: Pick<CardPayment, 'customer' | 'merchant' | 'time'>,
  fraudType: string,
): void {
  const { random, payments } = scene
  const { merchant, time } = payment
  const mode = random.unit()
  const entryMode = mode < 0.3 ? 'magstripe' : mode < 0.4 ? 'manual' : mode < 0.8 ? 'contactless' : 'chip'
  const cents = usualCents(scene, merchant, 1.6, time)
  const type = merchant.category === cashCategory ? 'cash' : 'purchase'
  scene.pay(payments.present({ ...payment, cents, entryMode, type }), fraudType)
}

type OnlinePayment = Omit<RemotePayment, 'channel' | 'entryMode'> & { readonly entryMode?: string }

function payOnline(scene: Scene, payment: OnlinePayment, fraudType: string): void {
  scene.pay(scene.payments.remote({ entryMode: 'online', ...payment, channel: 'ecommerce' }), fraudType)
}

/** A device nobody has seen, or one that hides. */
function strangeOrigin(scene: Scene): Origin {
  const { random } = scene
  return {
    device: random.chance(0.3) ? null : random.token('d'),
    ip: random.chance(0.6) ? carrierAddress(random) : address(random),
  }
}
