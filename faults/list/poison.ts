import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Connection, withConnection } from '../../src/apps/connect.ts'
import type { Config } from '../../src/config/schema.ts'
import { errorCodes } from '../../src/core/errors.ts'
import { shortName } from '../../src/core/redrive.ts'
import { listLetters } from '../../src/dlq/listing.ts'
import { generate } from '../../src/generator/generate.ts'
import { weir } from '../../test/helpers/weir.ts'
import { Breaches, breachesOf, type Fault } from '../fault.ts'
import { MemberProcess } from '../member-process.ts'
import { Poison } from '../poison.ts'
import { judge, openScene, type Scene, say, settle, startFeed } from '../scene.ts'
import { asInProduction, joined, Watch } from '../watch.ts'

/** Records of one call of the log. */
const batch = 1_000
/** Dead letters that are put back with a mended payment, each twice. */
const mended = 5

export const poison: Fault = {
  name: 'poison',
  promise:
    'fuzzed records end as decisions or dead letters with a code; no member ends, leaves its group or grows by more than 64 MiB; mended ones are put back once',
  times: { whole: 1_000_000, short: 30_000 },
  async run({ seed, times }) {
    const scene = await openScene({ env: asInProduction })
    const members = [new MemberProcess(scene.env), new MemberProcess(scene.env)]
    try {
      return await withConnection(scene.config, async (connection) => {
        const { config } = scene
        await joined(members)
        // As fast as poison comes: memory follows the rate and the backlog, whatever the records are.
        const heavy = startFeed(config, seed, 0, { customers: 3_000, merchants: 300 })
        await sleep(8_000)
        say(`  ${await heavy.stop()} valid records first`)
        await drained(connection, config)
        const light = startFeed(config, seed + 1, 100)
        await sleep(1_000)
        const watch = new Watch(members)
        await sleep(11_000)
        watch.takeLevel()

        const begun = performance.now()
        await spread(connection, config, seed, times)
        const refused = await askHostile(members[0] as MemberProcess)
        await drained(connection, config)
        const seconds = (performance.now() - begun) / 1_000
        await sleep(11_000)
        const breaches = new Breaches()
        const memory = watch.end(breaches)
        const unclassified = await countUnclassified(connection, config)
        breaches.must(
          refused === hostileBodies.length,
          `${refused} of ${hostileBodies.length} requests were refused`,
        )
        breaches.must(unclassified === 0, `${unclassified} dead letters without a known code`)
        await putBackTwice(scene, connection, seed, breaches)
        await light.stop()
        await settle(config, times / 500)
        await Promise.all(members.map((member) => member.stop()))
        const verdict = await judge(config)
        breaches.must(
          verdict.redriven === mended,
          `${verdict.redriven} dead letters were put back, not ${mended}`,
        )
        const figures = {
          ...memory,
          unclassified,
          redriven: verdict.redriven,
          poison_seconds: Math.round(seconds),
        }
        return { injected: times, verdict, figures, breaches: [...breachesOf(verdict), ...breaches.all] }
      })
    } finally {
      await Promise.all(members.map((member) => member.stop()))
      await scene.stop()
    }
  },
}

async function spread(
  { log, contracts }: Connection,
  config: Config,
  seed: number,
  times: number,
): Promise<void> {
  const poison = new Poison(config, contracts, seed)
  for (let sent = 0; sent < times; sent += batch) {
    await log.append(Array.from({ length: Math.min(batch, times - sent) }, () => poison.next()))
    if (sent % 100_000 === 0) say(`  ${sent} of ${times} poisoned records sent`)
  }
}

const deep = '{"a":'.repeat(10_000)
/** Where weir takes JSON: none of it is a payment. */
const hostileBodies = [
  `${deep}1${'}'.repeat(10_000)}`,
  '['.repeat(60_000),
  '{"__proto__":{"customer_id":"c"}}',
  '{"constructor":{"prototype":{"x":1}}}',
  '{"customer_id":{"toString":"c"}}',
  `{"customer_id":"${'c'.repeat(60_000)}"}`,
  `"${'x'.repeat(1_000_000)}"`,
  '1e999',
  '\u0000',
  'null',
  '',
]

/** @returns how many of the hostile bodies were answered with a refusal of the request. */
async function askHostile({ url }: MemberProcess): Promise<number> {
  let refused = 0
  for (const body of hostileBodies) {
    const headers = { 'content-type': 'application/json' }
    const { status } = await fetch(`${url}/v1/score`, { method: 'POST', headers, body })
    if (status === 400 || status === 413) refused++
  }
  return refused
}

/** Waits until the group has answered all transactions that lie there now. */
async function drained({ log }: Connection, { group, topics }: Config): Promise<void> {
  const ends: number[] = []
  for (let partition = 0; partition < topics.partitions; partition++) {
    ends.push((await log.bounds({ topic: topics.transactions, partition })).end)
  }
  let reached = 0
  for (let stuck = 0; stuck < 120; stuck++) {
    const positions = ends.map((_, partition) =>
      log.committed(group, { topic: topics.transactions, partition }),
    )
    const all = (await Promise.all(positions)).map((position) => position ?? 0)
    if (all.every((position, partition) => position >= (ends[partition] as number))) return
    const sum = all.reduce((a, b) => a + b, 0)
    if (sum > reached) stuck = 0
    reached = sum
    await sleep(500)
  }
  throw new Error(`the group stands still, with ${ends.reduce((a, b) => a + b, 0) - reached} records to go`)
}

async function countUnclassified({ log }: Connection, { topics }: Config): Promise<number> {
  const { codes } = await listLetters(log, topics.dead_letters, {}, 0, () => {})
  for (const { code, letters } of codes) say(`  ${letters} x ${code}`)
  const known: readonly string[] = errorCodes.filter((code) => code.startsWith('WEIR_RECORD_'))
  return codes.reduce((sum, { code, letters }) => sum + (known.includes(code) ? 0 : letters), 0)
}

/** Mends the newest letters by the command, and does it again. */
async function putBackTwice(
  { config, env }: Scene,
  { log }: Connection,
  seed: number,
  breaches: Breaches,
): Promise<void> {
  const { newest } = await listLetters(log, config.topics.dead_letters, {}, mended, () => {})
  const payments = [...generate({ seed, events: 100, customers: 300, merchants: 60 })].flatMap((item) =>
    item.kind === 'transaction' ? [item.transaction] : [],
  )
  const folder = mkdtempSync(join(tmpdir(), 'weir-poison-'))
  const file = join(folder, 'mended.json')
  for (const [i, { letter }] of newest.entries()) {
    const id = `mended-${shortName(letter)}`
    writeFileSync(file, JSON.stringify({ ...payments[i], transaction_id: id }))
    for (const [state, wanted] of [
      ['redriven', 1],
      ['before', 1],
    ] as const) {
      const { stdout, stderr } = await weir(['dlq', 'redrive', shortName(letter), '--with', file, '--json'], {
        env: { ...env },
      })
      const count = stdout === '' ? 0 : (JSON.parse(stdout) as Record<typeof state, number>)[state]
      breaches.must(count === wanted, `${shortName(letter)} was not ${state}: ${stdout}${stderr}`)
    }
  }
  rmSync(folder, { recursive: true })
}
