import { readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { grouped, note, print, printTable } from '../src/cli/output.ts'
import { loadConfig } from '../src/config/load.ts'
import { rulesOf } from '../src/config/rules-file.ts'
import type { Decision } from '../src/core/types.ts'
import type { RuleFacts, Rules } from '../src/core/verdict.ts'
import { openCandidates } from '../src/replay/candidates.ts'
import { historiesOf, newTally, Pass } from '../src/replay/pass.ts'
import { spread } from './median.ts'
import { whole } from './options.ts'
import { historyOf } from './replay-payments.ts'

export const rulesUsage = `npm run bench -- rules [options]

  --events N     generated payments (20000)
  --rules A,B    how many rules (8,50,200,1000)
  --rounds N     (7)
  --json         the results as one line of JSON, last
  --help`

/** What rules cost a payment: those of rules/example.yaml, over again with other thresholds up to the number asked for. */
export async function benchRules(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      events: { type: 'string', default: '20000' },
      rules: { type: 'string', default: '8,50,200,1000' },
      rounds: { type: 'string', default: '7' },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) return print(rulesUsage)
  const facts = await factsOf(whole('events', values.events))
  const world = { features: facts.features, parts: facts.parts }
  const sizes = values.rules.split(',').map((size) => whole('rules', size))
  const found = sizes.map((size) => ({
    rules: size,
    compiled: rulesOf(`${size} rules`, manyRules(size), world),
    us: [] as number[],
    hits: 0,
  }))
  const rounds = whole('rounds', values.rounds)
  // The first round is the compilers'.
  for (let round = 0; round <= rounds; round++) {
    for (const one of found) {
      const { us, hits } = timed(one.compiled, facts.all)
      one.hits = hits / facts.all.length
      if (round > 0) one.us.push(us)
    }
  }
  note(`${grouped(facts.all.length)} payments, ${rounds} rounds`)
  printTable(
    ['RULES', 'US A PAYMENT', 'NS A RULE', 'HITS A PAYMENT'],
    found.map(({ rules, us, hits }) => [
      String(rules),
      spread(us, 2),
      spread(
        us.map((one) => (one * 1_000) / rules),
        1,
      ),
      hits.toFixed(2),
    ]),
    'numbers',
  )
  if (values.json) print(JSON.stringify(found.map(({ rules, us, hits }) => ({ rules, us, hits }))))
}

/** Microseconds of CPU a payment, and how many rules held for all payments together. */
function timed(rules: Rules, facts: readonly RuleFacts[]): { us: number; hits: number } {
  let hits = 0
  const begun = process.threadCpuUsage()
  for (const one of facts) hits += rules.hits(one).length
  const { user, system } = process.threadCpuUsage(begun)
  return { us: (user + system) / facts.length, hits }
}

/** Payments as the scorer sees them when it asks the rules. */
async function factsOf(events: number) {
  const { config } = loadConfig({ env: { WEIR_CONFIG: '/dev/null' } })
  const candidates = await openCandidates(config, [{ name: 'champion', thresholds: {} }])
  const all: RuleFacts[] = []
  const pass = new Pass({
    topic: 'transactions',
    candidates: candidates.all,
    histories: historiesOf(candidates.all),
    known: new Map(),
    cutOff: Number.POSITIVE_INFINITY,
    limit: Number.POSITIVE_INFINITY,
    tally: newTally(),
    onDecided({ arrivals, decisions: [decisions = []] }) {
      for (const [i, { transaction }] of arrivals.entries()) {
        const { status, features, score, risk_score } = decisions[i] as Decision
        if (status !== 'scored' || score === null || risk_score === null) continue
        all.push({ transaction, features, score, riskScore: risk_score, parts: [score], lists: [] })
      }
    },
    onRejected(at, reason) {
      throw new Error(`${at}: ${reason}`)
    },
  })
  try {
    await pass.take(historyOf({ seed: 1, events }, config.topics.partitions))
    await pass.settle()
    const { features, model } = (candidates.all[0] as (typeof candidates.all)[number]).active
    return { all, features: features.names, parts: model.parts }
  } finally {
    await candidates.close()
  }
}

/** The rules of the example, again and again, each time with the numbers of its comparisons a little higher. */
function manyRules(size: number): string {
  const example = readFileSync(new URL('../rules/example.yaml', import.meta.url), 'utf8')
  const blocks = example.slice(example.indexOf('  - id:')).split(/(?=^ {2}- id:)/m)
  const rules = Array.from({ length: size }, (_, i) => {
    const round = Math.floor(i / blocks.length)
    return (blocks[i % blocks.length] as string)
      .replace(/id: (\S+)/, `id: $1-${round}`)
      .replace(
        /((?:>=?|<) )(\d+(?:\.\d+)?)/g,
        (_, before, number) => `${before}${Number(number) + round / 50}`,
      )
  })
  return `version: bench\nrules:\n${rules.join('')}`
}
