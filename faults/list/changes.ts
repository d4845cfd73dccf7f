import { setTimeout as sleep } from 'node:timers/promises'
import { withConnection } from '../../src/apps/connect.ts'
import { publishChange } from '../../src/apps/control.ts'
import { loadFeatures, loadPolicy } from '../../src/config/definitions.ts'
import { Random } from '../../src/core/random.ts'
import { type Decision, outcomes } from '../../src/core/types.ts'
import { listNames } from '../../src/core/verdict.ts'
import { Breaches, breachesOf, type Fault } from '../fault.ts'
import { MemberProcess } from '../member-process.ts'
import { judge, openScene, type Scene, settle, startFeed } from '../scene.ts'
import { type Evidence, gather } from '../verifier/evidence.ts'
import { plainAvro } from '../verifier/plain-avro.ts'

const countries = ['DE', 'FR', 'GB', 'US', 'NL']
const [firstChangeMs, betweenMs] = [2_000, 700]
/** Events a second. The verifier explains every one that is not approved by an algorithm that takes its time. */
const rate = 80
/** A member dies after so many changes. */
const changesALife = 4

/** A change that every member must make alike, or refuse alike. */
function draw(random: Random, turn: number, policy: object): { kind: string; body: string } {
  const one = <T>(of: readonly T[]): T => of[random.between(0, of.length - 1)] as T
  const amount = random.between(100, 500) * 100
  switch (turn % 5) {
    case 0: {
      const when = `transaction.amount_minor >= ${amount} || listed.watch.country`
      const reason = { code: 'LARGE', text: `At least ${amount}.` }
      const acting = { id: 'acting', version: 1, when, outcome: one(outcomes), reason }
      const adjusting = { ...acting, id: 'adjusting', adjust: random.between(-300, 300), outcome: undefined }
      return { kind: 'rules', body: JSON.stringify({ version: `v${turn}`, rules: [acting, adjusting] }) }
    }
    case 1: {
      const op = one(['add', 'add', 'remove'])
      const entry = { list: one(listNames), type: 'country', value: one(countries) }
      const more = op === 'add' ? { who: 'ana', strength: one(['final', 'overridable']) } : {}
      return { kind: 'list', body: JSON.stringify({ changes: [{ op, ...entry, ...more }] }) }
    }
    case 2: {
      const snooze = { rule: one(['acting', 'adjusting']), type: 'country', value: one(countries) }
      return { kind: 'snooze', body: JSON.stringify({ ...snooze, until: 4e12 }) }
    }
    case 3: {
      const [challenge = 0, review = 0, decline = 0] = [0, 1, 2]
        .map(() => random.between(300, 999))
        .sort((a, b) => a - b)
      const thresholds = { challenge, review, decline }
      return { kind: 'policy', body: JSON.stringify({ ...policy, version: `p${turn}`, thresholds }) }
    }
    default:
      return one([
        { kind: 'rules', body: "version: x\nrules: [{ id: a, version: 1, when: 'feature.nothing > 1' }]" },
        {
          kind: 'list',
          body: '{"changes":[{"op":"add","list":"deny","type":"ip","value":"1.2.3","who":"x"}]}',
        },
        { kind: 'model', body: '' },
      ])
  }
}

async function publish({ config }: Scene, random: Random, turn: number): Promise<void> {
  const policy = loadPolicy(config.policy, loadFeatures(config.features)).file
  const change = {
    ...draw(random, turn, policy),
    name: 'changes',
    version: '1',
    author: 'ana',
  }
  await withConnection(config, (connection) => publishChange(connection, config, change))
}

/** What the changes made of the decisions: nothing of it, and the fault proved little. */
function figuresOf({ records }: Evidence): Record<'offsets' | 'by_rules' | 'by_lists' | 'policies', number> {
  const { read } = plainAvro<Decision>('decision.avsc')
  const decisions = records.decisions.flat().map(({ value }) => read(value))
  return {
    offsets: new Set(decisions.map(({ control_offset }) => control_offset)).size,
    by_rules: decisions.filter(({ rules_hit }) => rules_hit.length > 0).length,
    by_lists: decisions.filter(({ lists_hit }) => lists_hit.length > 0).length,
    policies: new Set(decisions.map(({ policy }) => policy)).size,
  }
}

export const changes: Fault = {
  name: 'changes',
  promise:
    'rules, lists, snoozes and policies that change under load while members die: each decision is what the changes before the offset that it names make of it',
  times: { whole: 120, short: 15 },
  async run({ seed, times }) {
    const scene = await openScene()
    try {
      const random = new Random(seed, 3)
      const members = [new MemberProcess(scene.env), new MemberProcess(scene.env)]
      const feed = startFeed(scene.config, seed, rate)
      await Promise.all(members.map((member) => member.step('written')))
      await sleep(firstChangeMs)
      for (let turn = 0; turn < times; turn++) {
        await publish(scene, random, turn)
        await sleep(betweenMs)
        if (turn % changesALife !== changesALife - 1) continue
        const place = turn % members.length
        const [old] = members.splice(place, 1, new MemberProcess(scene.env))
        old?.signal('SIGKILL')
        await old?.exit()
      }
      await Promise.all(members.map((member) => member.step('written')))
      await sleep(firstChangeMs)
      await feed.stop()
      await settle(scene.config)
      await Promise.all(members.map((member) => member.stop()))

      const evidence = await gather(scene.config)
      const verdict = await judge(scene.config, evidence)
      const figures = figuresOf(evidence)
      const breaches = new Breaches()
      for (const [what, count] of Object.entries(figures))
        breaches.must(count > 1, `${count} ${what}: the changes reached too few decisions to prove anything`)
      return { injected: times, verdict, figures, breaches: [...breachesOf(verdict), ...breaches.all] }
    } finally {
      await scene.stop()
    }
  },
}
