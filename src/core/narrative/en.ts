import type { ListName } from '../verdict.ts'
import type { Facts, Moved } from './facts.ts'
import { countryName } from './names.ts'

/** The narrative in English: what happened, what spoke for it, what it is worth. */
export const inEnglish = (facts: Facts): string =>
  [
    happened(facts),
    listed(facts),
    ruled(facts),
    scored(facts),
    reasoned(facts),
    disagreed(facts),
    moved(facts),
    lost(facts),
    authenticated(facts),
  ]
    .filter((sentence) => sentence !== '')
    .join(' ')

const outcomes = {
  approve: 'was approved',
  challenge: 'was held until the payer proves who they are',
  review: 'was sent to a person for review',
  decline: 'was declined',
} as const

const nouns: Readonly<Record<string, readonly [noun: string, preposition: string]>> = {
  purchase: ['purchase', 'at'],
  refund: ['refund', 'from'],
  cash: ['cash withdrawal', 'at'],
  transfer: ['transfer', 'to'],
  payment: ['payment', 'to'],
}

const kinds: Readonly<Record<string, string>> = {
  pos: 'in-store',
  atm: 'ATM',
  ecommerce: 'online',
  moto: 'mail- or telephone-order',
  recurring: 'recurring',
  transfer: 'account-to-account',
}

const months = 'January February March April May June July August September October November December'.split(
  ' ',
)

function happened({ outcome, type, channel, amount, currency, merchant, country, at }: Facts): string {
  const [noun, preposition] = nouns[type] ?? ['payment', 'at']
  const kind = kinds[channel]
  const place = country === null ? '' : ` in ${countryName(country, 'en')}`
  const date = `${at.day} ${months[at.month - 1]} ${at.year} at ${at.time} UTC`
  return `The ${kind === undefined ? '' : `${kind} `}${noun} of ${currency} ${amount} ${preposition} ${quoted(merchant)}${place} on ${date} ${outcomes[outcome]}.`
}

const things: Readonly<Record<string, string>> = {
  customer: 'the customer',
  card: 'the card',
  device: 'the device',
  ip: 'the IP address',
  merchant: 'the merchant',
  email: 'the e-mail address',
  country: 'the country',
}

function listed({ lists, byList, outcome }: Facts): string {
  const sentence = (list: ListName, consequence: string) => {
    const what = lists[list].map((type) => things[type] ?? quoted(type))
    if (what.length === 0) return []
    return [`${capital(series(what))} ${what.length === 1 ? 'is' : 'are'} on the ${list} list${consequence}.`]
  }
  return [
    ...sentence('deny', byList && outcome === 'decline' ? ', which overrides rules and score' : ''),
    ...sentence(
      'allow',
      byList && outcome === 'approve' ? ', which approves whatever rules and score say' : '',
    ),
    ...sentence('watch', ', which changes no outcome but calls for a look'),
  ].join(' ')
}

function ruled({ rules }: Facts): string {
  if (rules.length === 0) return ''
  return `The payment matched the ${rules.length === 1 ? 'rule' : 'rules'} ${series(rules.map(quoted))}.`
}

function scored({ degraded, byList, riskScore, percent, stale }: Facts): string {
  if (degraded) {
    const decided = byList ? '' : ', so the policy decided by amount and channel alone'
    return `Its features or its score could not be obtained in time${decided}.`
  }
  if (riskScore === null) return ''
  const probability = percent === null ? '' : `, which corresponds to a fraud probability of ${percent}%`
  const score = `The model gives it a risk score of ${riskScore} of 999${probability}.`
  if (!stale) return score
  return `${score} What is known of the merchant, terminal or device was too old to be used.`
}

function reasoned({ reasons, asWhole, outcome }: Facts): string {
  const whole = asWhole ? "None of the policy's reasons holds: the risk lies in the payment as a whole." : ''
  if (reasons.length === 0) return whole
  const head = outcome === 'approve' ? 'What speaks against it' : reasons.length === 1 ? 'Reason' : 'Reasons'
  return `${head}: ${reasons.map(ended).join(' ')}`
}

const ended = (sentence: string): string => (/[.!?]$/.test(sentence) ? sentence : `${sentence}.`)

function disagreed({ parts }: Facts): string {
  if (parts === null) return ''
  const { least, most, apart, wide } = parts
  if (!wide) return `The parts of the model agree to within ${apart} points.`
  return `The parts of the model disagree by ${apart} points: alone, ${quoted(least.name)} sees a fraud probability of ${least.percent}%, ${quoted(most.name)} one of ${most.percent}%.`
}

function moved({ raising, lowering }: Facts): string {
  const up = raising.length === 0 ? '' : `${series(raising.map(feature))} raised the score most`
  const down = lowering.length === 0 ? '' : `${series(lowering.map(feature))} lowered it most`
  if (up !== '' && down !== '') return `${up}; ${down}.`
  return up === '' ? down && `${series(lowering.map(feature))} lowered the score most.` : `${up}.`
}

const feature = ({ name, value }: Moved): string => `${quoted(name)} (${value ?? 'missing'})`

const lost = ({ loss }: Facts): string =>
  loss === null ? '' : `The expected loss is ${loss} in the reference currency.`

/** Policy's words of core/sca.ts. */
const authentications: Readonly<Record<string, string>> = {
  challenge: 'The payer is to be authenticated, whatever an exemption would allow.',
  required: 'Strong customer authentication is required.',
  'exempt-low-value': 'An exemption from strong customer authentication may be asked for: its value is low.',
  'exempt-tra':
    'An exemption from strong customer authentication may be asked for by transaction risk analysis.',
  'exempt-recurring':
    'An exemption from strong customer authentication may be asked for: it is one of a series.',
  'out-of-scope': 'Strong customer authentication does not apply to it.',
}

function authenticated({ sca, outcome }: Facts): string {
  if (sca === null || (sca === 'challenge' && outcome === 'challenge')) return ''
  return authentications[sca] ?? `Its strong customer authentication is ${quoted(sca)}.`
}

const quoted = (name: string): string => `“${name}”`
const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1)

/** `a`, `a and b`, `a, b and c`. */
const series = (items: readonly string[]): string =>
  items.length < 2 ? items.join('') : `${items.slice(0, -1).join(', ')} and ${items.at(-1)}`
