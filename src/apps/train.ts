import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from 'node:fs'
import { basename, join, resolve } from 'node:path'
import type { Config } from '../config/schema.ts'
import { dayMs } from '../core/days.ts'
import { WeirError } from '../core/errors.ts'
import type { CompiledFeatures } from '../core/features/compile.ts'
import { makeFolder } from '../files/write-whole.ts'
import type { Source } from '../replay/source.ts'
import { type ExportProgress, writeTrainingTable } from './export.ts'
import { type Python, runStep } from './python.ts'

/** Days; see `weir train --help`. */
export interface TrainPeriods {
  /** Epoch milliseconds, midnight UTC. */
  readonly trainStart?: number | undefined
  readonly trainDays?: number | undefined
  readonly delayDays: number
  readonly validationDays: number
  readonly testDays: number
}

export interface TrainOptions {
  readonly source: Source
  readonly features: CompiledFeatures
  readonly periods: TrainPeriods
  /** Several are fused, as is `all`, which stands for every family that the table has columns for. */
  readonly families: readonly string[]
  readonly recipe: string | null
  /** Where the data comes from, for the model card. */
  readonly data: string
  readonly out: string
  /** Where table and run folder are kept for further steps; null: nowhere. */
  readonly keep: string | null
  readonly models: Config['models']
  readonly python: Python
  /** Told of each step when it begins, and of the rows that are exported. */
  readonly onStep: (step: Step) => void
  readonly exporting: ExportProgress
}

export const steps = ['export', 'prepare', 'train', 'package', 'check'] as const
export type Step = (typeof steps)[number]

export interface Trained {
  readonly package: string
  /** name@version. */
  readonly model: string
  readonly feature_hash: string
  readonly periods: Readonly<Record<string, { from: string; to: string; rows: number; frauds: number }>>
  readonly metrics: Readonly<Record<string, number>>
  /** Of several families, whether fusing them was worth it, in a sentence. */
  readonly verdict: string | null
  readonly seconds: Readonly<Record<Step, number>>
}

/** A week, as in the protocol of the Fraud Detection Handbook. */
const lastTrainDays = 7

/**
 * From raw payments to a package that was admitted. What is made on the way lies in a hidden folder beside the package,
 * which is gone at the end; the package appears whole, after the last check.
 *
 * @throws WeirError of the step that failed.
 */
export async function train(options: TrainOptions): Promise<Trained> {
  const { models, python, features } = options
  const { root, name, version } = targetOf(options.out)
  if (options.keep !== null && existsSync(options.keep)) {
    throw new WeirError('WEIR_CLI_USAGE', `${options.keep} is there already`, {
      cure: 'name another folder to keep',
    })
  }
  // What is wrong with families or recipe is told now, not after the export.
  await runStep(python, ['settings', ...options.families, ...flagsOfRecipe(options.recipe)])
  const made = makeFolder(root)
  const scratch = mkdtempSync(join(root, '.train-'))
  const [table, run] = [join(scratch, 'table.parquet'), join(scratch, 'run')]
  const staged = join(scratch, name, version)
  const seconds = Object.fromEntries(steps.map((step) => [step, 0])) as Record<Step, number>
  const timed = async <T>(step: Step, work: () => Promise<T>): Promise<T> => {
    python.signal.throwIfAborted()
    options.onStep(step)
    const begun = performance.now()
    const result = await work()
    seconds[step] = Math.round((performance.now() - begun) / 100) / 10
    return result
  }
  const target = ['--out', staged, '--data', options.data]
  try {
    await timed('export', () => exportTo(table, options))
    const { periods } = await timed('prepare', () => prepare(table, run, options))
    const { part, verdict } = await timed('train', () => trainFamilies(run, options))
    const { metrics } = await timed('package', () => writePackage(python, [part, '--run', run, ...target]))
    await timed('check', () => admit(staged, features, models))
    if (options.keep !== null) {
      for (const made of [table, run]) cpSync(made, join(options.keep, basename(made)), { recursive: true })
    }
    mkdirSync(join(root, name), { recursive: true })
    renameSync(staged, join(root, name, version))
    const model = `${name}@${version}`
    return {
      package: join(root, name, version),
      model,
      feature_hash: features.hash,
      periods,
      metrics,
      verdict,
      seconds,
    }
  } catch (error) {
    if (made !== undefined) rmSync(made, { recursive: true, force: true })
    throw error
  } finally {
    rmSync(scratch, { recursive: true, force: true })
  }
}

async function exportTo(table: string, { source, features, python, exporting }: TrainOptions): Promise<void> {
  await writeTrainingTable(table, source, features, Number.POSITIVE_INFINITY, null, {
    ...exporting,
    onRows(count) {
      python.signal.throwIfAborted()
      exporting.onRows(count)
    },
  })
}

async function prepare(
  table: string,
  run: string,
  { python, periods, features }: TrainOptions,
): Promise<Pick<Trained, 'periods'>> {
  const args = ['prepare', '--table', table, '--out', run, '--feature-hash', features.hash]
  return (await runStep(python, [...args, ...flagsOf(periods)])) as Pick<Trained, 'periods'>
}

/** Without a number of training days the start tells where the test lies, and all that is earlier is trained on. */
function flagsOf({ trainStart, trainDays, delayDays, validationDays, testDays }: TrainPeriods): string[] {
  const day = (time: number) => new Date(time).toISOString().slice(0, 10)
  const flags = ['--delay-days', delayDays, '--validation-days', validationDays, '--test-days', testDays]
  if (trainDays !== undefined) flags.push('--train-days', trainDays)
  if (trainStart !== undefined && trainDays !== undefined) flags.push('--train-start', day(trainStart))
  if (trainStart !== undefined && trainDays === undefined) {
    const between = delayDays + (validationDays > 0 ? validationDays + delayDays : 0)
    flags.push('--test-start', day(trainStart + (lastTrainDays + between) * dayMs))
  }
  return flags.map(String)
}

const flagsOfRecipe = (recipe: string | null): string[] => (recipe === null ? [] : ['--recipe', recipe])

/** Trains, and fuses what is several; returns what is packaged. */
async function trainFamilies(
  run: string,
  { python, families, recipe }: TrainOptions,
): Promise<{ part: string } & Pick<Trained, 'verdict'>> {
  await runStep(python, ['train', ...families, '--run', run, ...flagsOfRecipe(recipe)])
  if (families.length === 1 && !families.includes('all')) return { part: families.join(), verdict: null }
  const { verdict } = (await runStep(python, ['fuse', ...families, '--run', run])) as { verdict: string }
  return { part: 'fusion', verdict }
}

async function writePackage(python: Python, args: readonly string[]): Promise<Pick<Trained, 'metrics'>> {
  return (await runStep(python, ['export', ...args])) as Pick<Trained, 'metrics'>
}

async function admit(dir: string, features: CompiledFeatures, models: Config['models']): Promise<void> {
  // onnxruntime takes a while to load, and only this step needs it.
  const { checkModel } = await import('../adapters/model-admission.ts')
  const { providers, threads } = models
  const checks = await checkModel(dir, { features, providers, threads })
  const failure = checks.find(({ error }) => error !== null)?.error
  if (failure) throw failure
}

/** A folder that ends in <name>/<version> is the package's own; in any other it is the next version of `champion`. */
function targetOf(out: string): { root: string; name: string; version: string } {
  const path = resolve(out)
  const [, root, name, version] = /^(.*)\/([a-z0-9][a-z0-9-]*)\/(\d+\.\d+\.\d+)$/.exec(path) ?? []
  if (root === undefined || name === undefined || version === undefined) {
    return { root: path, name: 'champion', version: nextVersion(join(path, 'champion')) }
  }
  if (!existsSync(path)) return { root, name, version }
  throw new WeirError('WEIR_CLI_USAGE', `${path} is there already, and a version never changes`, {
    cure: 'take the next version, or a folder of models for --out',
  })
}

function nextVersion(folder: string): string {
  const versions = existsSync(folder) ? readdirSync(folder) : []
  const minors = versions.flatMap((version) => /^1\.(\d+)\.\d+$/.exec(version)?.[1] ?? []).map(Number)
  return `1.${Math.max(-1, ...minors) + 1}.0`
}
