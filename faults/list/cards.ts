import { openKafka } from '../../src/apps/connect.ts'
import type { Config } from '../../src/config/schema.ts'
import type { LogRecord } from '../../src/core/ports.ts'
import { Random } from '../../src/core/random.ts'
import { freePort } from '../../test/helpers/services-ready.ts'
import { CardSearch } from '../card-search.ts'
import { type Plant, plantCards } from '../cards.ts'
import { Breaches, breachesOf, type Fault } from '../fault.ts'
import { MemberProcess } from '../member-process.ts'
import { judge, openScene, say, settle } from '../scene.ts'
import { type Evidence, gather, type TopicName, topicNames } from '../verifier/evidence.ts'
import { plainAvro } from '../verifier/plain-avro.ts'

const schemas: Readonly<Partial<Record<TopicName, ReturnType<typeof plainAvro>>>> = {
  transactions: plainAvro('transaction.avsc'),
  labels: plainAvro('label.avsc'),
  decisions: plainAvro('decision.avsc'),
  alerts: plainAvro('alert.avsc'),
  entity_updates: plainAvro('entity-update.avsc'),
}

/** What a reader sees of a record: its bytes, and what they mean, where numbers are digits too. */
function views(topic: TopicName, { key, value, headers }: LogRecord): (string | Buffer | null)[] {
  const raw = [key, value, ...Object.entries(headers).flat()]
  try {
    return [...raw, JSON.stringify(schemas[topic]?.read(value) ?? null)]
  } catch {
    return raw
  }
}

/** The numbers that a topic holds, anywhere in its records. */
function inTopic(search: CardSearch, topic: TopicName, { records }: Evidence): Set<string> {
  const all = records[topic].flat().flatMap((record) => views(topic, record))
  return new Set(all.flatMap((text) => search.in(text)))
}

/** Asks for decisions on what was planted in transactions, and returns all that was answered. */
async function scoresNow(url: string, plants: readonly Plant[]): Promise<string> {
  let answers = ''
  for (const { fields, number, place } of plants) {
    const named = { ...fields, [place === 'transaction.description' ? number : 'description']: number }
    for (const body of [fields, named, number]) {
      const response = await fetch(`${url}/v1/score?record_timestamp=${number}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', note: number },
        body: JSON.stringify(body),
      })
      answers += `${response.status} ${await response.text()} ${JSON.stringify([...response.headers])}\n`
    }
    answers += await (await fetch(`${url}/${number}`)).text()
  }
  return answers
}

async function append(config: Config, plants: readonly Plant[]): Promise<void> {
  const log = openKafka(config)
  for (let at = 0; at < plants.length; at += 200) {
    await log.append(plants.slice(at, at + 200).map(({ record }) => record))
  }
  await log.close()
}

/** Where each search looked, and what it found there. */
function look(search: CardSearch, evidence: Evidence, others: Readonly<Record<string, string>>) {
  const outputs = topicNames.filter((name) => name !== 'transactions' && name !== 'labels')
  const stored = [...evidence.keys].flat()
  return {
    ...Object.fromEntries(outputs.map((topic) => [topic, inTopic(search, topic, evidence)])),
    redis: new Set(stored.flatMap((text) => search.in(text))),
    ...Object.fromEntries(Object.entries(others).map(([name, text]) => [name, new Set(search.in(text))])),
  } as Readonly<Record<string, ReadonlySet<string>>>
}

export const cards: Fault = {
  name: 'cards',
  promise:
    'card numbers in any field, key or header, however written, reach no output topic, log, metric, state or answer',
  times: { whole: 10_000, short: 600 },
  async run({ seed, times }) {
    const port = await freePort()
    const url = `http://127.0.0.1:${port}`
    const scene = await openScene({ env: { WEIR_LOG__LEVEL: 'trace', WEIR_HTTP__PORT: `${port}` } })
    const { config } = scene
    const member = new MemberProcess(scene.env)
    try {
      const { topics } = config
      const base = { topics, partitions: topics.partitions, time: Date.now() }
      const plants = plantCards(times, new Random(seed, 1), base)
      await append(config, plants)
      await member.step('written')
      await settle(config)
      const asked = plants.filter(({ fields }, i) => fields !== null && i % 10 < 5)
      const answers = await scoresNow(url, asked)
      const metrics = await (await fetch(`${url}/metrics`)).text()
      const readiness = await (await fetch(`${url}/readyz`)).text()
      await member.stop()

      const evidence = await gather(config)
      const search = new CardSearch(plants.map(({ number }) => number))
      const sent = new Set(
        (['transactions', 'labels'] as const).flatMap((name) => [...inTopic(search, name, evidence)]),
      )
      const found = look(search, evidence, { log: member.log, metrics, readiness, answers })
      const breaches = new Breaches()
      // The search finds each number where the producer put it: it could find it elsewhere.
      breaches.must(
        sent.size === times,
        `the search found ${sent.size} of ${times} numbers in the input topics`,
      )
      for (const [where, numbers] of Object.entries(found)) {
        const by = plants.filter(({ number }) => numbers.has(number)).map(({ place }) => place)
        breaches.must(
          numbers.size === 0,
          `${numbers.size} card numbers in ${where}, from ${[...new Set(by)].join(', ')}`,
        )
      }
      const verdict = await judge(config)
      const accepted = plants.filter((plant) => plant.accepted).length
      breaches.must(
        verdict.decisions === accepted,
        `${verdict.decisions} decisions where ${accepted} records were good`,
      )
      const letters = evidence.records.dead_letters.flat()
      const copied = letters.filter(({ headers }) => headers['weir-withheld'] !== 'true').length
      breaches.must(
        letters.length === times - accepted,
        `${letters.length} dead letters for ${times - accepted} records`,
      )
      breaches.must(copied === 0, `${copied} dead letters that were not withheld`)
      // The verdict holds answers against transactions alone.
      const ofLabels = letters.filter(
        ({ headers }) => headers['__connect.errors.topic'] === topics.labels,
      ).length
      const answered = { ...verdict, dead_letters: verdict.dead_letters - ofLabels }
      const scanned_mb = Math.round(search.bytes / 1e6)
      const total = Object.values(found).reduce((sum, { size }) => sum + size, 0)
      say(
        `${times} numbers in ${new Set(plants.map(({ place }) => place)).size} places, ${scanned_mb} MB searched`,
      )
      return {
        injected: sent.size,
        verdict,
        figures: {
          found: total,
          scored_now: 3 * asked.length,
          withheld: letters.length - copied,
          scanned_mb,
        },
        breaches: [...breachesOf(answered), ...breaches.all],
      }
    } finally {
      member.signal('SIGKILL')
      await scene.stop()
    }
  },
}
