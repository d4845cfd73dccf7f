import type { Command } from 'commander'
import { withConnection } from '../apps/connect.ts'
import { WeirError } from '../core/errors.ts'
import { createRecordFile } from '../files/write.ts'
import { type Generated, generate } from '../generator/generate.ts'
import type { GeneratorOptions } from '../generator/options.ts'
import { configOf, count, number, refuseFlags } from './flags.ts'
import { grouped, note, type Progress, startProgress } from './output.ts'
import { createTopicSink, type Sink } from './sink.ts'

interface Flags {
  readonly events: number
  readonly seed: number
  readonly customers?: number
  readonly merchants?: number
  readonly start?: string
  readonly fraudRate?: number
  readonly damagedRate?: number
  readonly out?: string
  readonly labels?: string
  readonly rate: number
}

export function registerGenerate(program: Command): void {
  program
    .command('generate')
    .description('make synthetic payments, frauds and labels, into the topics or into a file')
    .option('--events <n>', 'transactions; 0 or infinity: until stopped', count, 10_000)
    .option('--seed <n>', 'the same seed and options give the same bytes', count, 1)
    .option('--customers <n>', 'customers (default: a hundredth of the events, 10,000 when endless)', count)
    .option('--merchants <n>', 'merchants (default: a third of the customers)', count)
    .option('--start <time>', 'first moment of the stream, ISO 8601 (default: 2026-01-05T00:00Z)')
    .option('--fraud-rate <share>', 'share of frauds, 0 to 0.05 (default: 0.007)', number)
    .option('--damaged-rate <share>', 'unreadable records per transaction; topics only (default: 0)', number)
    .option('--rate <n>', 'records a second into the topics; 0: as fast as possible', count, 0)
    .option('--out <file>', 'transactions into a .csv, .jsonl or .avro file, not into the topics')
    .option('--labels <file>', 'with --out: labels into this file; without it they are left out')
    .action(async (flags: Flags, command: Command) => {
      const options = generatorOptions(flags)
      const { out, labels, rate } = flags
      if (out !== undefined) return fill(options, (progress) => createFileSink(out, labels, progress))
      refuseFlags(command, ['labels'], 'without --out')
      const { config } = configOf(command)
      await withConnection(config, (connection) =>
        fill(options, (progress) => createTopicSink(connection, config.topics, { rate, progress })),
      )
    })
}

function generatorOptions(flags: Flags): GeneratorOptions {
  const { seed, customers, merchants, start, fraudRate, damagedRate } = flags
  const endless = flags.events === 0 || flags.events === Number.POSITIVE_INFINITY
  const startTime = start === undefined ? undefined : Date.parse(start)
  if (Number.isNaN(startTime)) {
    throw new WeirError('WEIR_CLI_USAGE', `--start ${start} is no time`, {
      cure: 'write ISO 8601, for example 2026-01-05T00:00:00Z',
    })
  }
  const given = {
    customers: customers ?? (endless ? 10_000 : undefined),
    merchants,
    startTime,
    fraudRate,
    damagedRate,
  }
  const chosen = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined))
  return { seed, events: endless ? Number.MAX_SAFE_INTEGER : flags.events, ...chosen }
}

async function fill(options: GeneratorOptions, open: (progress: Progress) => Promise<Sink>): Promise<void> {
  const total = options.events === Number.MAX_SAFE_INTEGER ? Number.POSITIVE_INFINITY : options.events
  const progress = startProgress('records', total)
  try {
    const sink = await open(progress)
    for (const record of generate(options)) await pass(record, sink)
    await sink.close()
  } finally {
    const { count: written, seconds } = progress.stop()
    note(`${grouped(written)} records in ${seconds.toFixed(1)} s`)
  }
}

function pass(record: Generated, sink: Sink): Promise<void> {
  if (record.kind === 'label') return sink.label(record.label, record.time)
  if (record.kind === 'damaged') return sink.transaction(record.candidate, record.time, record.spoil)
  return sink.transaction(record.transaction, record.time)
}

/** Damaged records have no place in a file: its kind decides the encoding. */
async function createFileSink(out: string, labelsOut: string | undefined, progress: Progress): Promise<Sink> {
  const transactions = await createRecordFile(out, 'transaction.avsc')
  const labels = labelsOut === undefined ? undefined : await createRecordFile(labelsOut, 'label.avsc')
  return {
    async transaction(transaction, _, spoil) {
      if (spoil !== undefined) return
      await transactions.write(transaction)
      progress.add(1)
    },
    label: async (label) => labels?.write(label),
    async close() {
      await Promise.all([transactions.close(), labels?.close()])
    },
  }
}
