import { readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { cpuOf, ruleFactsOf } from '../src/apps/rule-facts.ts'
import { grouped, note, print, printTable } from '../src/cli/output.ts'
import { loadConfig } from '../src/config/load.ts'
import { rulesOf } from '../src/config/rules-file.ts'
import { spread } from './median.ts'
import { whole } from './options.ts'

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
  const { config } = loadConfig({ env: { WEIR_CONFIG: '/dev/null' } })
  const { facts, world } = await ruleFactsOf(config, whole('events', values.events))
  const sizes = values.rules.split(',').map((size) => whole('rules', size))
  const found = sizes.map((size) => ({
    rules: size,
    compiled: rulesOf(`${size} rules`, manyRules(size), world),
    us: [] as number[],
  }))
  const hitsOf = ({ compiled }: (typeof found)[number]) =>
    facts.reduce((sum, one) => sum + compiled.hits(one).length, 0) / facts.length
  const rounds = whole('rounds', values.rounds)
  // The first round is the compilers'.
  for (let round = 0; round <= rounds; round++) {
    for (const one of found) {
      const us = cpuOf(one.compiled, facts)
      if (round > 0) one.us.push(us)
    }
  }
  note(`${grouped(facts.length)} payments, ${rounds} rounds`)
  printTable(
    ['RULES', 'CPU US A PAYMENT', 'NS A RULE', 'HITS A PAYMENT'],
    found.map(({ rules, us }, i) => [
      String(rules),
      spread(us, 2),
      spread(
        us.map((one) => (one * 1_000) / rules),
        1,
      ),
      hitsOf(found[i] as (typeof found)[number]).toFixed(2),
    ]),
    'numbers',
  )
  if (values.json) print(JSON.stringify(found.map(({ rules, us }) => ({ rules, us }))))
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
