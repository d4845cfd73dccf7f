import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Command } from 'commander'
import { createLogUpdate } from 'log-update'
import { quantileSorted } from 'simple-statistics'
import { type DemoTally, runDemo } from '../apps/demo.ts'
import { type Alert, outcomes } from '../core/types.ts'
import { makeFolder } from '../files/write-whole.ts'
import { configOf, count, wantsJson } from './flags.ts'
import { grouped, money, note, print, progressLine, styled } from './output.ts'

interface Flags {
  readonly events: number
  readonly seed: number
  readonly out: string
  readonly rate: number
}

export function registerDemo(program: Command): void {
  program
    .command('demo')
    .description(
      'the whole scorer on an embedded log and store, over generated payments: nothing else is needed',
    )
    .option('--events <n>', 'payments to score', count, 100_000)
    .option('--seed <n>', 'the same seed and number give the same bytes in the files', count, 1)
    .option('--rate <n>', 'payments a second; 0: as fast as possible', count, 0)
    .option('--out <folder>', 'where decisions.jsonl and alerts.jsonl go', 'out')
    .action(async (flags: Flags, command: Command) => {
      const { config } = configOf(command)
      makeFolder(flags.out)
      const begun = performance.now()
      const seconds = () => (performance.now() - begun) / 1000
      const display = wantsJson(command)
        ? quiet
        : process.stderr.isTTY
          ? panel(flags, seconds)
          : lines(flags, seconds)
      const tally = await runDemo(config, {
        ...flags,
        onModel: note,
        onStep: display.step,
        pause: (events) => waitFor(events, flags.rate, seconds),
      })
      display.end()
      const summary = summaryOf(tally, flags, seconds())
      if (wantsJson(command)) print(JSON.stringify(summary))
      else printSummary(tally, summary)
    })
}

interface Display {
  step(tally: DemoTally, newAlerts: readonly Alert[]): void
  end(): void
}

const quiet: Display = { step() {}, end() {} }

/** A line every two seconds, for logs and pipes. */
function lines({ events }: Flags, seconds: () => number): Display {
  let next = 0
  return {
    step(tally) {
      if (seconds() < next) return
      next = seconds() + 2
      note(
        `${progressLine('payments', tally.events, tally.events / events, seconds())}; ${grouped(tally.alerts)} alerts`,
      )
    },
    end() {},
  }
}

const redrawMs = 100
const shownAlerts = 8

/** What happens, as it happens, in place. */
function panel(flags: Flags, seconds: () => number): Display {
  const draw = createLogUpdate(process.stderr)
  let latest: Alert[] = []
  let drawnAt = 0
  let last: DemoTally | undefined
  const render = (tally: DemoTally) =>
    draw([...status(tally, flags, seconds()), '', ...latest.map(alertLines)].join('\n'))
  return {
    step(tally, newAlerts) {
      latest = [...newAlerts.toReversed(), ...latest].slice(0, shownAlerts)
      last = tally
      if (performance.now() < drawnAt + redrawMs) return
      drawnAt = performance.now()
      render(tally)
    },
    end() {
      if (last !== undefined) render(last)
      draw.done()
    },
  }
}

const barWidth = 40

function status(tally: DemoTally, { events }: Flags, seconds: number): string[] {
  const filled = Math.round((tally.events / events) * barWidth)
  const bar = `${'█'.repeat(filled)}${'░'.repeat(barWidth - filled)}`
  const { p50, p99 } = latency(tally)
  return [
    `${styled('cyan', bar, process.stderr)} ${progressLine('payments', tally.events, tally.events / events, seconds)}`,
    `${outcomeWords(tally)}   ${grouped(tally.deadLetters)} dead letters   ${grouped(tally.labels)} labels came back`,
    `chunk latency p50 ${p50.toFixed(1)} ms, p99 ${p99.toFixed(1)} ms   newest of ${grouped(tally.alerts)} alerts:`,
  ]
}

const colours = {
  approve: 'green',
  challenge: 'yellow',
  review: 'magenta',
  decline: 'red',
  duplicate: 'dim',
} as const

function outcomeWords({ outcomes: counts }: DemoTally): string {
  return [...outcomes, 'duplicate' as const]
    .map((name) => `${styled(colours[name], name, process.stderr)} ${grouped(counts[name] ?? 0)}`)
    .join('  ')
}

function alertLines({
  outcome,
  risk_score,
  event_time,
  customer_id,
  amount_minor,
  currency,
  merchant_name,
  merchant_id,
  reasons,
}: Alert): string {
  const colour = outcome === 'decline' ? 'red' : 'magenta'
  const head = `${styled(colour, outcome.padEnd(8), process.stderr)} ${String(risk_score ?? '-').padStart(3)}  ${new Date(event_time).toISOString().slice(0, 16).replace('T', ' ')}  ${customer_id}  ${money(amount_minor, currency)} at ${merchant_name ?? merchant_id}`
  return `${head}\n  ${styled('dim', reasons.map(({ text }) => text).join(' '), process.stderr)}`
}

/** Milliseconds from a chunk's first step to its commit and state write, over all payments. */
function latency({ chunks }: DemoTally): { p50: number; p99: number } {
  const sorted = Float64Array.from(chunks, ({ seconds }) => seconds * 1000).sort()
  if (sorted.length === 0) return { p50: 0, p99: 0 }
  const at = (p: number) => quantileSorted(sorted as unknown as number[], p)
  return { p50: at(0.5), p99: at(0.99) }
}

function summaryOf(tally: DemoTally, { seed, out }: Flags, seconds: number) {
  const { p50, p99 } = latency(tally)
  return {
    events: tally.events,
    decisions: tally.decisions,
    alerts: tally.alerts,
    dead_letters: tally.deadLetters,
    labels: tally.labels,
    outcomes: tally.outcomes,
    frauds: tally.frauds,
    frauds_stopped: tally.fraudsStopped,
    false_stops: tally.falseStops,
    seed,
    seconds: Math.round(seconds * 1000) / 1000,
    events_per_second: Math.round(tally.events / seconds),
    chunk_latency_ms: { p50: Math.round(p50 * 10) / 10, p99: Math.round(p99 * 10) / 10 },
    out,
    decisions_file: join(out, 'decisions.jsonl'),
    alerts_file: join(out, 'alerts.jsonl'),
  }
}

function printSummary(tally: DemoTally, summary: ReturnType<typeof summaryOf>): void {
  const share = (part: number, whole: number) =>
    `${whole === 0 ? 0 : Math.round((1000 * part) / whole) / 10} %`
  const stopped = tally.fraudsStopped + tally.falseStops
  print('')
  print(
    `${grouped(summary.events)} payments in ${summary.seconds.toFixed(1)} s, ${grouped(summary.events_per_second)}/s on one core, model loading included`,
  )
  print(
    `${grouped(summary.decisions)} decisions and ${grouped(summary.dead_letters)} dead letters: every payment answered once`,
  )
  print(
    `${grouped(stopped)} payments not approved (${share(stopped, tally.decisions)}): ${grouped(tally.fraudsStopped)} of the ${grouped(tally.frauds)} frauds (${share(tally.fraudsStopped, tally.frauds)}), ${grouped(tally.falseStops)} honest`,
  )
  print('')
  print(`decisions  ${summary.decisions_file}`)
  print(`alerts     ${summary.alerts_file}`)
}

async function waitFor(events: number, rate: number, seconds: () => number): Promise<void> {
  const aheadMs = rate === 0 ? 0 : (events / rate - seconds()) * 1000
  if (aheadMs > 1) await sleep(aheadMs)
}
