import type { ListName } from '../verdict.ts'
import type { Facts, Moved } from './facts.ts'
import { countryName, currencyNamesZh } from './names.ts'

/** The narrative in simplified Chinese: the same facts, in the order that a Chinese reader expects. */
export const inChinese = (facts: Facts): string =>
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
  ].join('')

const outcomes = {
  approve: '已放行',
  challenge: '须待付款人完成身份验证',
  review: '已转人工审核',
  decline: '已被拒绝',
} as const

const nouns: Readonly<Record<string, string>> = {
  purchase: '消费',
  refund: '退款',
  cash: '取现',
  transfer: '转账',
  payment: '付款',
}

const kinds: Readonly<Record<string, string>> = {
  pos: '门店',
  atm: '',
  ecommerce: '线上',
  moto: '邮购或电话订购',
  recurring: '定期',
  transfer: '账户间',
}

function happened({ outcome, type, channel, amount, currency, merchant, country, at }: Facts): string {
  const who = type === 'transfer' ? '收款方' : channel === 'atm' ? 'ATM机' : '商户'
  const place = `${country === null ? '' : countryName(country, 'zh')}${who}${quoted(merchant)}`
  const direction = type === 'transfer' || type === 'payment' ? '向' : type === 'refund' ? '来自' : '在'
  const name = currencyNamesZh.get(currency) ?? ` ${currency}`
  const date = `${at.year}年${at.month}月${at.day}日${at.time}（UTC）`
  return `${date}，${direction}${place}的一笔${kinds[channel] ?? ''}${nouns[type] ?? '付款'}，金额${amount}${name}，${outcomes[outcome]}。`
}

const things: Readonly<Record<string, string>> = {
  customer: '客户',
  card: '银行卡',
  device: '设备',
  ip: 'IP地址',
  merchant: '商户',
  email: '邮箱',
  country: '国家或地区',
}

const lists = { deny: '拒绝名单', allow: '允许名单', watch: '观察名单' } as const

function listed({ lists: hits, byList, outcome }: Facts): string {
  const sentence = (list: ListName, consequence: string) => {
    if (hits[list].length === 0) return ''
    const what = hits[list].map((type) => things[type] ?? `“${type}”`)
    return `该笔交易的${series(what)}已列入${lists[list]}${consequence}。`
  }
  return [
    sentence('deny', byList && outcome === 'decline' ? '，其效力高于规则和评分' : ''),
    sentence('allow', byList && outcome === 'approve' ? '，无论规则和评分如何均予放行' : ''),
    sentence('watch', '，不影响处理结果，但需留意'),
  ].join('')
}

const ruled = ({ rules }: Facts): string =>
  rules.length === 0 ? '' : `命中规则${series(rules.map(quoted))}。`

function scored({ degraded, byList, riskScore, percent, stale }: Facts): string {
  if (degraded) {
    return byList ? '未能及时取得特征或评分。' : '因未能及时取得特征或评分，策略仅依据金额和渠道作出决定。'
  }
  if (riskScore === null) return ''
  const probability = percent === null ? '' : `，对应的欺诈概率为${percent}%`
  const old = stale ? '有关商户、终端或设备的信息过旧，未予采用。' : ''
  return `模型给出的风险评分为${riskScore}分（满分999分）${probability}。${old}`
}

function reasoned({ reasons, asWhole, outcome }: Facts): string {
  if (reasons.length === 0) return asWhole ? '策略所列原因均不成立，风险来自该笔交易的整体情况。' : ''
  const texts = reasons.map((text) => (isChinese(text) ? text.replace(/。$/, '') : quoted(text)))
  return `${outcome === 'approve' ? '可疑之处' : '主要原因'}：${texts.join('；')}。`
}

/** A reason in another language is quoted as it is, not translated by guess. */
const isChinese = (text: string): boolean => /\p{Script=Han}/u.test(text)

function disagreed({ parts }: Facts): string {
  if (parts === null) return ''
  const { least, most, apart, wide } = parts
  if (!wide) return `模型各部分的风险评分相差不超过${apart}分，判断基本一致。`
  return `模型各部分判断不一，风险评分相差${apart}分：单独来看，${quoted(least.name)}给出的欺诈概率为${least.percent}%，${quoted(most.name)}为${most.percent}%。`
}

function moved({ raising, lowering }: Facts): string {
  const up = raising.length === 0 ? '' : `推高评分最多的特征是${series(raising.map(feature))}`
  const down = lowering.length === 0 ? '' : `拉低评分最多的特征是${series(lowering.map(feature))}`
  const both = [up, down].filter((text) => text !== '').join('，')
  return both === '' ? '' : `${both}。`
}

const feature = ({ name, value }: Moved): string =>
  value === null ? `${quoted(name)}（缺失）` : `${quoted(name)}（取值${value}）`

const lost = ({ loss }: Facts): string => (loss === null ? '' : `按基准货币计，预期损失为${loss}。`)

/** Policy's words of core/sca.ts. */
const authentications: Readonly<Record<string, string>> = {
  challenge: '无论可否豁免，均须验证付款人身份。',
  required: '须进行强客户认证。',
  'exempt-low-value': '因金额较低，可申请豁免强客户认证。',
  'exempt-tra': '依据交易风险分析，可申请豁免强客户认证。',
  'exempt-recurring': '因属系列扣款，可申请豁免强客户认证。',
  'out-of-scope': '该笔交易不适用强客户认证。',
}

function authenticated({ sca, outcome }: Facts): string {
  if (sca === null || (sca === 'challenge' && outcome === 'challenge')) return ''
  return authentications[sca] ?? `强客户认证方式为${quoted(sca)}。`
}

const quoted = (name: string): string => `“${name}”`

/** `甲`, `甲和乙`, `甲、乙和丙`. */
const series = (items: readonly string[]): string =>
  items.length < 2 ? items.join('') : `${items.slice(0, -1).join('、')}和${items.at(-1)}`
