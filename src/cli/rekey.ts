import type { Command } from 'commander'
import { stringify } from 'yaml'
import { createKafkaAdmin, type KafkaAdmin, type TopicDescription } from '../adapters/kafka-admin.ts'
import { checkStore, kafkaClient, openContracts, openKafka, openStore } from '../apps/connect.ts'
import { loadFeatures } from '../config/definitions.ts'
import type { Config } from '../config/schema.ts'
import { WeirError } from '../core/errors.ts'
import { changedSettings, type Move, nextConfig } from '../rekey/installation.ts'
import { type Plan, planOf } from '../rekey/plan.ts'
import { rekey } from '../rekey/rekey.ts'
import { configOf, count, wantsJson } from './flags.ts'
import { grouped, note, print, printJson, printTable, startProgress } from './output.ts'
import { wantedTopics } from './topics.ts'

interface RekeyFlags {
  readonly partitions: number
  readonly suffix?: string
  readonly yes: boolean
}

export function registerRekey(program: Command): void {
  program
    .command('rekey')
    .description('move an installation to topics with another number of partitions')
    .requiredOption('--partitions <n>', 'of the new topics', count)
    .option('--suffix <text>', 'of the names of the new installation (default: -p<n>)')
    .option('--yes', 'do it; without, only say what would be done', false)
    .addHelpText(
      'after',
      `
Stop the members first; broken off, run it again. Afterwards producers send to the new topics, and members start with
the settings that it prints.

Example:
  weir rekey --partitions 12
  weir rekey --partitions 12 --yes > settings.yaml`,
    )
    .action(async (flags: RekeyFlags, command: Command) => {
      const { config } = configOf(command)
      const next = nextOf(config, flags)
      const settings = changedSettings(config, next)
      await withMove(config, next, flags.yes, async (move) => {
        const plan = await planOf(move)
        const figures = figuresOf(plan)
        if (!flags.yes) {
          if (wantsJson(command)) return printJson({ done: false, settings, ...figures })
          showPlan(config, next, plan)
          note('nothing was done: --yes does it')
          return
        }
        const progress = startProgress('records', figures.history + figures.undecided)
        const moved = await rekey(move, {
          wanted: await wantedOf(move),
          observer: { step: (what) => note(what), records: (more) => progress.add(more) },
        })
        const { seconds } = progress.stop()
        if (wantsJson(command)) return printJson({ done: true, settings, moved })
        print(stringify(settings).trimEnd())
        note(
          `${grouped(moved.history)} decided and ${grouped(moved.undecided)} undecided records moved in ${seconds.toFixed(1)} s; members can start with these settings, and producers send to ${next.topics.transactions} and ${next.topics.labels}; what they still sent to the old topics, the same command moves`,
        )
      })
    })
}

function nextOf(config: Config, { partitions, suffix = `-p${partitions}` }: RekeyFlags): Config {
  const usage = (message: string, cure: string) => new WeirError('WEIR_CLI_USAGE', message, { cure })
  if (!(partitions >= 1 && partitions <= 10_000)) {
    throw usage(`--partitions ${partitions} is none`, 'give a number from 1 to 10,000')
  }
  if (partitions === config.topics.partitions) {
    throw usage(`the topics have ${partitions} partitions already`, 'give another number')
  }
  // Keys of the store begin with the app and a dot: another dot would make them look like those of the old one.
  if (!/^[-_][A-Za-z0-9_-]{1,63}$/.test(suffix)) {
    throw usage(`--suffix ${suffix} is none`, 'begin with a dash, then letters, digits, dash and underscore')
  }
  return nextConfig(config, partitions, suffix)
}

/** Opens both installations for the time that `use` takes; the model is not needed. */
async function withMove(
  config: Config,
  next: Config,
  writes: boolean,
  use: (move: Move) => Promise<void>,
): Promise<void> {
  const features = loadFeatures(config.features)
  const before = await openContracts(config)
  // May register schemas.
  const after = writes ? await openContracts(next) : before
  const log = openKafka(config)
  const stores = [config, next].map((one) => openStore(one, features, () => {}))
  let admin: KafkaAdmin | undefined
  try {
    const [from, to] = stores as [(typeof stores)[number], (typeof stores)[number]]
    await Promise.all(stores.map((store) => checkStore(store)))
    admin = await createKafkaAdmin(kafkaClient(config))
    await use({
      old: { config, contracts: before, store: from },
      next: { config: next, contracts: after, store: to },
      features,
      log,
      admin,
    })
  } finally {
    await Promise.all([log.close(), admin?.close(), ...stores.map((store) => store.close())])
  }
}

/** What a record has more when it was moved: its place in the old topic. */
const mostAdded = 1_024

/** The topics as the configuration wants them; whatever the old inputs could hold, the new ones can. */
async function wantedOf({ old, next, admin }: Move): Promise<TopicDescription[]> {
  const inputs = ['transactions', 'labels'] as const
  const found = await admin.describeTopics(inputs.map((input) => old.config.topics[input]))
  return wantedTopics(next.config)
    .filter(({ topic }) => topic !== next.config.topics.control)
    .map((wanted) => {
      const at = inputs.findIndex((input) => next.config.topics[input] === wanted.topic)
      const bytes = found[at]?.settings['max.message.bytes']
      if (bytes === undefined) return wanted
      const settings = { ...wanted.settings, 'max.message.bytes': String(Number(bytes) + mostAdded) }
      return { ...wanted, settings }
    })
}

/** Offsets, which count a few markers of transactions along with the records. */
function figuresOf({ parts, members, isLoaded }: Plan) {
  const sum = (of: (part: Plan['parts'][number]) => number) => parts.reduce((all, part) => all + of(part), 0)
  return {
    members,
    history: isLoaded ? 0 : sum(({ first, decided }) => Math.max(0, decided - first)),
    undecided: sum(({ decided, end }) => Math.max(0, end - decided)),
  }
}

function showPlan(config: Config, next: Config, plan: Plan): void {
  const { members, history, undecided } = figuresOf(plan)
  const names = ['transactions', 'labels', 'decisions', 'alerts', 'dead_letters', 'entity_updates'] as const
  printTable(
    ['', 'NOW', 'THEN'],
    [
      ['app', config.app, next.app],
      ['group', config.group, next.group],
      ['partitions', String(config.topics.partitions), String(next.topics.partitions)],
      ...names.map((name) => [name, config.topics[name], next.topics[name]]),
    ],
  )
  print(
    plan.isLoaded
      ? 'history and states are in the new topics already'
      : `${grouped(history)} decided records to copy, with their states and all entity updates`,
  )
  print(`${grouped(undecided)} undecided records to move`)
  if (plan.parts.some(({ first }) => first > 0)) {
    print('the log has lost its beginning: what the states know of it is moved, and can be rebuilt by nobody')
  }
  if (members > 0) print(`first stop the members of ${config.group}: there are ${members}`)
}
