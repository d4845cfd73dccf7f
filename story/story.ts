import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { DeskCase } from '../src/apps/cases.ts'
import type { Economics } from '../src/apps/economics.ts'
import { grouped, money } from '../src/cli/output.ts'
import type { Comparison } from '../src/core/evaluation/comparison.ts'
import type { ReadableDecision } from '../src/core/feature-values.ts'
import type { Audit } from '../src/ledger/audit.ts'
import type { ReplaySummary } from '../src/replay/summary.ts'
import type { Verification } from '../src/replay/verdict.ts'
import { claim, declined, inWords, onlyByRule, share, signed } from './figures.ts'
import type { Stage } from './stage.ts'
import { isOfAttack, type Part, type Traffic } from './traffic.ts'

const rules = 'story/rules.yaml'
const analyst = 'ana'

/** Of the attack's payments after the rule. */
const leastDeclined = 0.95

/** The figures of a story that held. */
export interface Summary {
  readonly payments: number
  readonly decisions: number
  /** Cases that the first wave of the attack opened. */
  readonly cases: number
  /** Payments of the attack that were declined, and all, before and after the rule. */
  readonly declined_before: readonly [declined: number, of: number]
  readonly declined_after: readonly [declined: number, of: number]
  /** What the trial on history said: payments that only the rule declines. */
  readonly trial: { readonly attack: number; readonly others: number }
  /** What the rule saved by the end, major units of `currency`. */
  readonly saved: number
  readonly currency: string
  readonly verified: number
  readonly differ: number
}

/** The story, chapter by chapter: each says what happens, by which commands, and checks that it did. */
export class Story {
  readonly #stage: Stage
  readonly #traffic: Traffic
  readonly #out: string
  readonly #decisions = new Map<string, ReadableDecision>()
  #chapter = 0
  #sent = 0
  #decided = 0

  /** @param out folder for files, replays and the report; what is in it is deleted first. */
  constructor(stage: Stage, traffic: Traffic, out: string) {
    this.#stage = stage
    this.#traffic = traffic
    this.#out = out
  }

  /** @throws Error with the first sentence that does not hold. */
  async tell(): Promise<Summary> {
    rmSync(this.#out, { recursive: true, force: true })
    mkdirSync(this.#out, { recursive: true })
    await this.#paymentsFlow()
    const cases = await this.#cardsAreTested()
    const trial = await this.#aRuleIsTried()
    const afterRule = await this.#theRuleHolds()
    await this.#casesClose(cases)
    const worth = await this.#whatItIsWorth()
    return { cases: cases.length, trial, ...afterRule, ...worth, ...(await this.#everythingAddsUp()) }
  }

  async #paymentsFlow(): Promise<void> {
    const { before } = this.#traffic
    this.#begin('Payments flow')
    await this.#stage.weir('topics create')
    this.#stage.start('stream')
    this.#stage.start('tail decisions --from-start --json', (line) => {
      const decision = JSON.parse(line) as ReadableDecision
      this.#decided++
      if (decision.status !== 'duplicate') this.#decisions.set(decision.transaction_id, decision)
    })
    await this.#stage.until(
      'weir stream serves',
      async () => (await this.#stage.metric('weir_lane_state')).size > 0,
    )
    await this.#send('before', before)
    const all = [...this.#decisions.values()]
    const approved = all.filter(({ outcome }) => outcome === 'approve').length
    this.#say(`${grouped(this.#decided)} payments, each answered: ${grouped(approved)} approved`)
    claim(
      all.every(({ status }) => status === 'scored'),
      'every payment was scored',
    )
  }

  async #cardsAreTested(): Promise<DeskCase[]> {
    const { firstWave, shop } = this.#traffic
    this.#begin(`Somebody tests stolen cards at ${shop.name}`)
    await this.#send('first-wave', firstWave)
    const wave = this.#attackOf(firstWave)
    this.#say(`${wave.length} payments of the attack: ${inWords(wave)}`)
    const all = await this.#stage.weir<DeskCase[]>('alerts list --json')
    const cases = all.filter(({ alerts }) => alerts.some(({ transaction_id }) => isOfAttack(transaction_id)))
    claim(cases.length > 0, 'the attack raised alerts')
    this.#say(`${cases.length} of the ${all.length} open cases are of payments at ${shop.name}`)
    const [first] = cases as [DeskCase]
    const { alerts } = await this.#stage.weir<DeskCase>(`alerts show ${first.case_id} --json`)
    const alert = alerts.find(({ transaction_id }) => isOfAttack(transaction_id)) as (typeof alerts)[number]
    this.#say(
      `${alert.customer_id}, ${money(alert.amount_minor, alert.currency)}: ${alert.outcome}, risk ${alert.risk_score}`,
    )
    this.#say(alert.narrative)
    for (const { code, text } of alert.reasons) this.#say(`- ${code}: ${text}`)
    const heaviest = alert.contributions.slice(0, 4)
    this.#say(`moved by ${heaviest.map((one) => `${one.feature} ${signed(one.contribution)}`).join(', ')}`)
    claim(alert.reasons.length > 0 && alert.contributions.length > 0, 'the alert says why')
    claim(alert.narrative !== '', 'the alert says it in words')
    return cases
  }

  async #aRuleIsTried(): Promise<Summary['trial']> {
    this.#begin(`${analyst} writes a rule and tries it on history`)
    await this.#stage.weir(`rules check ${rules}`)
    const tested = await this.#stage.weir<{ rule: string; tests: number }[]>(`rules test ${rules} --json`)
    for (const { rule, tests } of tested) this.#say(`${rule}: ${tests} tests pass`)
    const { onlyByRule } = await this.#replay('trial')
    const economics = await this.#economics('trial')
    const attack = onlyByRule.filter(isOfAttack).length
    const others = onlyByRule.length - attack
    const hits = economics.rules.reduce((sum, rule) => sum + rule.hits, 0)
    this.#say(`the rule holds for ${hits} of ${grouped(economics.payments)} payments`)
    this.#say(`it alone declines ${attack} payments of the attack, and ${others} of others in ten days`)
    claim(attack > 0, 'the rule declines payments of the attack on history')
    return { attack, others }
  }

  async #theRuleHolds(): Promise<Pick<Summary, 'declined_before' | 'declined_after'>> {
    const { firstWave, secondWave, device, shop } = this.#traffic
    this.#begin('The rule is published, and the device denied')
    await this.#stage.weir(
      `rules publish ${rules} --author ${analyst} --comment`,
      `cards tested at ${shop.name}`,
    )
    await this.#stage.weir(`lists add deny device ${device} --author ${analyst} --reason`, 'tests cards')
    const changes = 2
    await this.#stage.until('the member has taken up both', async () =>
      [...(await this.#stage.metric('weir_control_offset')).values()].includes(changes),
    )
    await this.#send('second-wave', secondWave)
    const [before, after] = [this.#attackOf(firstWave), this.#attackOf(secondWave)]
    this.#say(`before: ${before.length} payments of the attack: ${inWords(before)}`)
    this.#say(`after:  ${after.length} payments of the attack: ${inWords(after)}`)
    const one = after.find(({ rules_hit, lists_hit }) => rules_hit.length > 0 && lists_hit.length === 0)
    if (one === undefined) throw new Error('it does not hold that the rule alone met a payment')
    this.#say(
      `${one.transaction_id}: ${one.outcome}, rules_hit ${one.rules_hit.join()}, control_offset ${one.control_offset}, rules ${one.rules}`,
    )
    claim(
      before.every(({ control_offset }) => control_offset === 0),
      'nothing was published before',
    )
    claim(
      after.every(({ control_offset }) => control_offset === changes),
      'both hold for all that comes after',
    )
    claim(
      after.some(({ lists_hit }) => lists_hit.includes('deny:device')),
      'the denied device met a payment',
    )
    claim(
      declined(after) >= leastDeclined * after.length,
      `${share(leastDeclined)} of the later payments are declined`,
    )
    return {
      declined_before: [declined(before), before.length],
      declined_after: [declined(after), after.length],
    }
  }

  async #casesClose([one]: readonly DeskCase[]): Promise<void> {
    const { firstWave, after, shop } = this.#traffic
    this.#begin('Cases are closed, and banks report')
    if (one === undefined) throw new Error('there is no case to close')
    await this.#stage.weir(`alerts take ${one.case_id} --who ${analyst}`)
    await this.#stage.weir(`alerts dispose ${one.case_id} --as fraud --who ${analyst}`)
    const passed = this.#attackOf(firstWave).find(({ outcome }) => outcome === 'approve')
    if (passed !== undefined) {
      await this.#stage.weir(`label ${passed.transaction_id} --fraud --type card_testing`)
    }
    const rateBefore = this.#fraudRateAt(firstWave)
    await this.#send('after', after)
    const rateAfter = this.#fraudRateAt(after)
    this.#say(
      `share of payments at ${shop.name} reported as fraud, as the model sees it: ${share(rateBefore)} on the day, ${share(rateAfter)} two days later`,
    )
    claim(rateAfter > rateBefore, "the shop's features see the labels")
  }

  async #whatItIsWorth(): Promise<Pick<Summary, 'saved' | 'currency'>> {
    this.#begin('The report: what the rule is worth')
    const summary = await this.#replay('history')
    const [comparison, economics] = await Promise.all([
      this.#stage.weir<Comparison>(`compare ${this.#out}/history --report ${this.#out}/report.html --json`),
      this.#economics('history'),
    ])
    const { changes, data } = comparison
    const { currency } = economics
    const saved = economics.rules.reduce((sum, rule) => sum + rule.saved, 0)
    this.#say(
      `${grouped(summary.payments)} payments, ${summary.frauds} known as fraud (${data.frauds.value.toFixed(2)} ${currency})`,
    )
    const { newly_caught: caught, newly_hit: hit } = changes
    const honest = summary.onlyByRule.filter((id) => !isOfAttack(id)).length
    this.#say(
      `with the rule ${caught.payments} more frauds are caught (${caught.value.toFixed(2)} ${currency}), and ${hit.payments} that nobody reported; it alone declines ${honest} honest payments`,
    )
    this.#say(`saved by config/costs.yaml: ${saved.toFixed(2)} ${currency}`)
    this.#say(`report: ${this.#out}/report.html`)
    claim(caught.payments > 0, 'more frauds are caught with the rule')
    claim(saved > 0, 'the rule saves money')
    return { saved, currency }
  }

  async #everythingAddsUp(): Promise<Pick<Summary, 'payments' | 'decisions' | 'verified' | 'differ'>> {
    this.#begin('Every decision is computed again')
    const [verification, { total }] = await Promise.all([
      this.#stage.weir<Verification>('replay --verify --json'),
      this.#stage.weir<Audit>('audit --json'),
    ])
    const { as_recorded, recomputed, decisions } = verification
    const differ = as_recorded.differ + recomputed.differ
    this.#say(
      `${grouped(as_recorded.compared)} decisions compared as recorded, ${grouped(recomputed.compared)} recomputed from the log: ${differ} differ`,
    )
    this.#say(
      `${grouped(total.records)} payments: ${grouped(total.decisions)} decisions, ${total.missing} missing, ${total.double} double`,
    )
    claim(
      decisions === this.#sent && differ === 0,
      'every decision of the story is the same when computed again',
    )
    claim(total.records === this.#sent && total.missing + total.double === 0, 'every payment has one answer')
    return { payments: this.#sent, decisions, verified: as_recorded.compared, differ }
  }

  #begin(title: string): void {
    this.#stage.say(`${this.#chapter === 0 ? '' : '\n'}${++this.#chapter}. ${title}`)
  }

  #say(line: string): void {
    this.#stage.say(`  ${line}`)
  }

  /** Sends what becomes known, then the payments, and waits for their decisions. */
  async #send(name: string, { payments, labels }: Part): Promise<void> {
    if (labels.length > 0) {
      await this.#stage.weir(`produce ${this.#file(`${name}-labels`, labels)} --as labels`)
      await this.#stage.until('the labels are taken up', async () => {
        const lags = await this.#stage.metric('weir_consumer_lag_messages')
        return lags.size > 0 && [...lags.values()].every((lag) => lag === 0)
      })
    }
    await this.#stage.weir(`produce ${this.#file(name, payments)}`)
    this.#sent += payments.length
    await this.#stage.until(`${this.#sent} payments are decided`, () => this.#decided >= this.#sent)
  }

  #attackOf({ payments }: Part): ReadableDecision[] {
    const ids = payments.map(({ transaction_id }) => transaction_id).filter(isOfAttack)
    return ids.map((id) => this.#decisions.get(id) as ReadableDecision)
  }

  /** The greatest that payments at the shop were scored with. */
  #fraudRateAt({ payments }: Part): number {
    const there = payments.filter(({ merchant_id }) => merchant_id === this.#traffic.shop.id)
    const rates = there.map(
      ({ transaction_id }) => this.#decisions.get(transaction_id)?.features?.['merchant_fraud_rate_7d'],
    )
    return Math.max(0, ...rates.map((rate) => rate ?? 0))
  }

  #file(name: string, records: readonly object[]): string {
    const path = join(this.#out, `${name}.jsonl`)
    writeFileSync(path, records.map((record) => `${JSON.stringify(record)}\n`).join(''))
    return path
  }

  /** History with and without the rule. Resolves with the payments that it alone declines, too. */
  async #replay(folder: string): Promise<ReplaySummary & { readonly onlyByRule: readonly string[] }> {
    const to = `${this.#out}/${folder}`
    const summary = await this.#stage.weir<ReplaySummary>(
      `replay topic --candidate ruled:rules=${rules} --out ${to} --scores ${to}.csv --json`,
    )
    return { ...summary, onlyByRule: onlyByRule(readFileSync(`${to}.csv`, 'utf8')) }
  }

  #economics(folder: string): Promise<Economics> {
    return this.#stage.weir(`rules economics ${this.#out}/${folder} --json`)
  }
}
