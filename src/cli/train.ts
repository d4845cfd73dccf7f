import { basename } from 'node:path'
import { type Command, InvalidArgumentError } from 'commander'
import { findPython } from '../apps/python.ts'
import { type Step, steps, type Trained, train } from '../apps/train.ts'
import { loadFeatures } from '../config/definitions.ts'
import { mappingOf } from '../files/payments.ts'
import { configOf, count, time, wantsJson } from './flags.ts'
import { grouped, note, type Progress, print, printTable, startProgress, styled } from './output.ts'
import { interruptible } from './shutdown.ts'
import { addFileFlags, BadRows, type FileFlags, openFiles } from './source.ts'

interface Flags extends FileFlags {
  readonly out: string
  readonly features?: string
  readonly recipe?: string
  readonly family: readonly string[]
  readonly data?: string
  readonly keep?: string
  readonly trainStart?: number
  readonly trainDays?: number
  readonly delayDays: number
  readonly validationDays: number
  readonly testDays: number
}

const doing: Readonly<Record<Step, string>> = {
  export: 'features of every payment, as they are served',
  prepare: 'cleaning, quality, periods',
  train: 'fitting, exporting to ONNX, comparing the two',
  package: 'calibration, golden rows, baseline, model card',
  check: 'what a package must pass before it serves',
}

export function registerTrain(program: Command): void {
  const command = program
    .command('train')
    .description(
      'from raw payments to a model package that is admitted: export, prepare, train, package, check',
    )
    .argument(
      '<files...>',
      'history of payments: .csv, .jsonl (either also .gz), .avro, .parquet, globs, or -',
    )
    .requiredOption('--out <folder>', 'a folder of models, or the package itself: <name>/<version>')
  addFileFlags(command, 'stop')
    .option('--train-start <day>', 'first day of training; without --train-days, of its last week', time)
    .option('--train-days <n>', 'days of training (default: all that is earlier)', days(1))
    .option('--delay-days <n>', 'days until most frauds are known', days(0), 7)
    .option('--validation-days <n>', 'days to calibrate on; 0: on folds of the training rows', days(0), 0)
    .option(
      '--test-days <n>',
      'days to measure on, after the delay (at the end without --train-start)',
      days(1),
      7,
    )
    .option('--features <file>', 'feature file (default: that of the mapping, else of the configuration)')
    .option(
      '--family <names>',
      'what to train, lightgbm,gru for example, or all: several are fused (training/README.md)',
      (names) => [...new Set(names.split(','))],
      ['lightgbm'],
    )
    .option('--recipe <file>', 'settings of the family (default: those of the mapping, if it has any)')
    .option('--keep <folder>', 'keep table and run folder there, for further steps of weir-training')
    .option('--data <text>', 'where the data comes from, for the model card')
    .action(async (files: string[], flags: Flags, command: Command) => {
      const { config } = configOf(command)
      const { defaults: suggested } = mappingOf(flags.map)
      const featureFile = flags.features ?? suggested?.features ?? config.features
      const features = loadFeatures(featureFile)
      const source = openFiles(files, flags, config.topics.partitions)
      const bad = new BadRows(flags.onError)
      const { onStep, rows } = progress()
      const trained = await interruptible(async (signal) =>
        train({
          source,
          features,
          periods: flags,
          families: flags.family,
          recipe: flags.recipe ?? suggested?.recipe ?? null,
          data: flags.data ?? dataOf(source.name, flags.map),
          out: flags.out,
          keep: flags.keep ?? null,
          models: config.models,
          python: await findPython({ signal, onLine: note }),
          onStep,
          exporting: {
            onRejected: (row) => bad.add(row),
            onRows: (count) => rows()?.add(count),
            onFraction: (done) => rows()?.reach(done),
          },
        }),
      )
      source.notes().forEach(note)
      if (wantsJson(command)) print(JSON.stringify({ ...trained, features: featureFile }))
      else show(trained, featureFile)
    })
}

const days = (least: number) => (text: string) => {
  const given = count(text)
  if (given >= least && Number.isFinite(given)) return given
  throw new InvalidArgumentError(`Give a whole number of days, ${least} or more.`)
}

const dataOf = (name: string, map: string | undefined): string =>
  `Payments of ${name}${map === undefined ? '' : `, read by the mapping ${basename(map)}`}.`

/** A line a step; within the export, how far it is. */
function progress(): { onStep: (step: Step) => void; rows: () => Progress | null } {
  let rows: Progress | null = null
  return {
    onStep(step) {
      rows?.stop()
      note(
        styled('bold', `${steps.indexOf(step) + 1}/${steps.length} ${step}: ${doing[step]}`, process.stderr),
      )
      rows = step === 'export' ? startProgress('rows', Number.POSITIVE_INFINITY) : null
    },
    rows: () => rows,
  }
}

function show(
  { package: dir, model, metrics, verdict, periods, seconds }: Trained,
  featureFile: string,
): void {
  printTable(
    ['PERIOD', 'FROM', 'TO (BEFORE)', 'PAYMENTS', 'FRAUDS'],
    Object.entries(periods).map(([name, { from, to, rows, frauds }]) => [
      name,
      from.slice(0, 10),
      to.slice(0, 10),
      grouped(rows),
      grouped(frauds),
    ]),
  )
  print('')
  printTable(
    ['ON TEST', ''],
    Object.entries(metrics).map(([name, value]) => [name.replaceAll('_', ' '), value.toFixed(4)]),
  )
  if (verdict !== null) print(`\n${verdict}`)
  const total = Object.values(seconds).reduce((sum, one) => sum + one, 0)
  print(`\n${model} is admitted, after ${total.toFixed(0)} s: ${dir}`)
  print(styled('dim', `serves with --set features=${featureFile} --set models.champion=${model}`))
}
