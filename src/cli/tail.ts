import { randomUUID } from 'node:crypto'
import { type Command, Option } from 'commander'
import type { Codec } from '../adapters/avro.ts'
import type { Contracts } from '../adapters/avro-contracts.ts'
import { withConnection } from '../apps/connect.ts'
import { loadFeatures } from '../config/definitions.ts'
import type { Config } from '../config/schema.ts'
import { readable } from '../core/feature-values.ts'
import type { Log, LogRecord } from '../core/ports.ts'
import type { Alert, Decision } from '../core/types.ts'
import { visible } from '../files/shown.ts'
import { follow } from '../stream/follow.ts'
import { configOf, count, wantsJson } from './flags.ts'
import { money, note, print, styled } from './output.ts'
import { stopOnSignal } from './shutdown.ts'

interface Flags {
  readonly limit: number
  readonly fromStart: boolean
}

export function registerTail(program: Command): void {
  const tail = program.command('tail').description('print decisions or alerts as they are made')
  const topics: readonly (readonly [name: 'decisions' | 'alerts', description: string])[] = [
    ['decisions', 'one line for each decision; --json: everything, features by name'],
    ['alerts', 'each alert with its reasons and in words'],
  ]
  for (const [name, description] of topics) {
    tail
      .command(name)
      .description(description)
      .addOption(
        new Option('--limit <n>', 'stop after so many')
          .argParser(count)
          .default(Number.POSITIVE_INFINITY, 'no end'),
      )
      .option('--from-start', 'begin with the oldest, not with the next', false)
      .action(async (flags: Flags, command: Command) => {
        const { config } = configOf(command)
        await withConnection(config, ({ log, contracts }) =>
          printTopic(log, config.topics[name], flags, formatter(name, contracts, config, wantsJson(command))),
        )
      })
  }
}

/** The lines for some records. */
type Format = (records: readonly LogRecord[]) => Promise<string[]>

function formatter(
  name: 'decisions' | 'alerts',
  contracts: Contracts,
  config: Config,
  json: boolean,
): Format {
  if (name === 'alerts') return formatWith(contracts.alerts, json ? JSON.stringify : alertLine)
  if (!json) return formatWith(contracts.decisions, decisionLine)
  const features = loadFeatures(config.features)
  return formatWith(contracts.decisions, (decision) => JSON.stringify(readable(decision, features)))
}

function formatWith<T>(codec: Codec<T>, line: (value: T) => string): Format {
  return async (records) =>
    (await codec.decode(records)).map((checked) =>
      checked.ok ? line(checked.value) : styled('red', `unreadable: ${checked.rejection.message}`),
    )
}

const outcomeColours = { approve: 'green', challenge: 'yellow', review: 'yellow', decline: 'red' } as const

export function verdict({
  outcome,
  status,
  risk_score,
}: Pick<Decision, 'outcome' | 'status' | 'risk_score'>): string {
  const word = outcome === null ? status : styled(outcomeColours[outcome], outcome.padEnd(9))
  return `${word.padEnd(9)} ${String(risk_score ?? '-').padStart(3)}${status === 'degraded' ? ' degraded' : ''}`
}

export const when = (eventTime: number): string => new Date(eventTime).toISOString()

export function decisionLine(decision: Decision): string {
  const { event_time, customer_id, transaction_id, reasons } = decision
  const what = visible(`${customer_id}  ${transaction_id}  ${reasons.join(' ')}`)
  return `${when(event_time)}  ${verdict(decision)}  ${what}`.trimEnd()
}

export function alertLine(alert: Alert): string {
  const { event_time, customer_id, amount_minor, currency, channel, merchant_name, merchant_id } = alert
  const { reasons, narrative } = alert
  const what = visible(
    `${customer_id}  ${money(amount_minor, currency)}, ${channel}, ${merchant_name ?? merchant_id}`,
  )
  return [
    // The verdict may be coloured.
    `${when(event_time)}  ${verdict(alert)}  ${what}`,
    ...reasons.map(({ code, text }) => `    ${styled('dim', code)} ${visible(text)}`),
    ...(narrative === '' ? [] : [`    ${visible(narrative)}`]),
  ].join('\n')
}

/** Prints a topic, each partition in order, until the limit or a signal. */
async function printTopic(
  log: Log,
  topic: string,
  { limit, fromStart }: Flags,
  toLines: Format,
): Promise<void> {
  const { promise: stopped, resolve: stop } = Promise.withResolvers<void>()
  let left = limit
  const options = { group: `weir-tail-${randomUUID()}`, fromStart }
  const subscription = await follow(log, topic, options, async (records) => {
    for (const line of (await toLines(records)).slice(0, Math.max(0, left))) print(line)
    left -= records.length
    if (left <= 0) stop()
  })
  // Its reader has seen enough.
  process.stdout.once('error', stop)
  const forget = stopOnSignal(() => subscription.stop())
  if (!fromStart && process.stderr.isTTY) note(`waiting for ${topic}; Ctrl-C ends`)
  await stopped
  forget()
  await subscription.stop()
}
