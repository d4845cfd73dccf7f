import { interpolate } from '../core/calibration.ts'
import { WeirError } from '../core/errors.ts'
import type { CompiledFeatures } from '../core/features/compile.ts'
import { withLookups } from '../core/features/lookups.ts'
import { fuse } from '../core/fusion.ts'
import type { Model } from '../core/ports.ts'
import {
  type Golden,
  type Manifest,
  type ModelPackage,
  partFile,
  readManifest,
  readPackage,
} from './model-package.ts'
import { hasExternalData } from './onnx-external-data.ts'
import { type Execution, loadOnnxModel, notFinite, type OnnxModel } from './onnx-model.ts'
import { type Trees, treesFile } from './trees.ts'

/** What a package is held against. */
export interface AdmissionOptions extends Execution {
  /** The compiled feature file. */
  readonly features: CompiledFeatures
  /** Gets one line a graph on where it runs. Default: nobody. */
  readonly log?: (line: string) => void
}

/** A package that may serve. */
export interface Admitted {
  readonly model: Model
  /** Those of the feature file and, after them, the model's own lookups. */
  readonly features: CompiledFeatures
}

/** One admission check, as `weir model check` shows it. */
export interface ModelCheck {
  readonly check: string
  /** Null when it passed. */
  readonly error: WeirError | null
}

/** Raw scores in float32 from another runtime: models.md measured at most 1e-6 for trees. */
const rawTolerance = 1e-5
/** Calibration is the same float64 arithmetic on both sides. */
const calibratedTolerance = 1e-9
/** The same Shapley values of the same doubles, by another algorithm. */
const contributionTolerance = 1e-9
/** onnxruntime takes other paths for one row, for few and for more than 50. */
const batchSizes = [1, 2, 7, 51]
const largestFloat32 = 3.4028234663852886e38

/** A package that passes every check; throws the WEIR_MODEL_* error of the first that fails. */
export async function admitModel(dir: string, options: AdmissionOptions): Promise<Admitted> {
  return admit(dir, options, unreported)
}

/** The checks in order, up to and with the first that fails: the later ones rest on it. */
export async function checkModel(dir: string, options: AdmissionOptions): Promise<ModelCheck[]> {
  const checks: ModelCheck[] = []
  try {
    await admit(dir, options, (check) => checks.push(check))
  } catch (error) {
    if (!(error instanceof WeirError)) throw error
  }
  return checks
}

type Report = (check: ModelCheck) => void
const unreported: Report = () => {}

async function admit(dir: string, options: AdmissionOptions, report: Report): Promise<Admitted> {
  const { files, features } = await readFitting(dir, options.features, report)
  return { model: await loadProven(files, options, report), features }
}

/** A package of which all is known but what its graphs do. */
export interface Fitting extends Pick<Admitted, 'features'> {
  readonly files: ModelPackage
}

/** The first half of admission: the files are whole, and made for these features. */
export async function readFitting(
  dir: string,
  base: CompiledFeatures,
  report: Report = unreported,
): Promise<Fitting> {
  const file = await check(report, 'manifest', () => readManifest(dir))
  const { manifest } = file
  await check(report, 'features', () => checkHash(manifest, base))
  const files = await check(report, 'files', () => readPackage(dir, file))
  const features = withLookups(base, files.lookups)
  await check(report, 'columns', () => checkColumns(manifest, features))
  await check(report, 'no external data', () => refuseExternalData(files))
  return { files, features }
}

/** The second half: the model scores here as it did where it was trained. */
export async function loadProven(
  files: ModelPackage,
  { providers, threads, log = () => {} }: Omit<AdmissionOptions, 'features'>,
  report: Report = unreported,
): Promise<OnnxModel> {
  const { golden, manifest, trees } = files
  const load = () => loadOnnxModel(files, { providers, threads }, log)
  const model = await check(report, 'provider and signature', load)
  const scores = await check(report, 'golden scores', () => checkGolden(model, files))
  if (trees !== null) {
    await check(report, 'golden contributions', () => checkContributions(model, files, trees, scores))
  }
  await check(report, 'same bits in any batch', () => checkBatches(model, golden, scores))
  const extremes = () => checkExtremes(model, manifest.columns.length)
  await check(report, 'finite on missing and extreme values', extremes)
  return model
}

async function check<T>(report: Report, name: string, work: () => T | Promise<T>): Promise<T> {
  try {
    const result = await work()
    report({ check: name, error: null })
    return result
  } catch (error) {
    if (error instanceof WeirError) report({ check: name, error })
    throw error
  }
}

function checkHash({ feature_hash: hash, columns }: Manifest, features: CompiledFeatures): void {
  if (hash === features.hash) return
  throw trainedOnOthers(`on features ${hash}, weir computes ${features.hash}`, columns, features.names)
}

function checkColumns({ columns }: Manifest, { names }: CompiledFeatures): void {
  if (columns.join() === names.join()) return
  throw trainedOnOthers('with other columns', columns, names)
}

function trainedOnOthers(how: string, model: readonly string[], ours: readonly string[]): WeirError {
  return new WeirError(
    'WEIR_MODEL_FEATURES',
    `The model was trained ${how}: ${columnDifference(model, ours)}`,
    {
      cure: 'Take the feature file that the model was trained on (--set features=FILE), a model that was trained on this one, or `weir export` again and retrain.',
    },
  )
}

const mostNamed = 5

const some = (names: readonly string[]): string =>
  names.length <= mostNamed
    ? names.join(', ')
    : `${names.slice(0, mostNamed).join(', ')} and ${names.length - mostNamed} more`

/** Says which columns the model has beyond or short of ours, or which one stands elsewhere. */
function columnDifference(model: readonly string[], ours: readonly string[]): string {
  const missing = model.filter((column) => !ours.includes(column))
  const extra = ours.filter((column) => !model.includes(column))
  const parts = []
  if (missing.length > 0) parts.push(`the model needs ${some(missing)}`)
  if (extra.length > 0) parts.push(`the model does not know ${some(extra)}`)
  if (parts.length > 0) return parts.join('; ')
  const moved = model.filter((column, i) => column !== ours[i])
  if (moved.length > 0) return `the same columns, but in another order: ${some(moved)}`
  return 'the same columns, but their definitions changed'
}

function refuseExternalData({ manifest, graphs }: ModelPackage): void {
  const external = manifest.parts.find((_, i) => hasExternalData(graphs[i] as Buffer))
  if (external === undefined) return
  throw new WeirError('WEIR_MODEL_EXTERNAL_DATA', `${partFile(external)} keeps tensors in another file`, {
    cure: 'Save with onnx.save(model, path, save_as_external_data=False): all data must be under the one hash.',
  })
}

/** Returns the raw scores of the golden rows by part, scored in one batch. */
async function checkGolden(model: OnnxModel, { golden, manifest }: ModelPackage): Promise<Float64Array[]> {
  const scores = await model.raw(golden.features, golden.rows)
  for (let row = 0; row < golden.rows; row++) {
    const raw = manifest.parts.map(({ name }) => golden.raw[name]?.[row] as number)
    for (const [i, { name }] of manifest.parts.entries()) {
      const [score, expected] = [scores[i]?.[row] as number, raw[i] as number]
      if (!Number.isFinite(score)) throw notFinite(`${model.id} (${name})`, row, score)
      if (Math.abs(score - expected) > rawTolerance) {
        throw notGolden(row, `raw score of ${name}`, score, expected)
      }
    }
    const calibrated = manifest.parts.map(({ calibration }, i) => interpolate(calibration, raw[i] as number))
    const probability = fuse(manifest.fusion, calibrated)
    const expected = golden.probability[row] as number
    if (Math.abs(probability - expected) > calibratedTolerance) {
      throw notGolden(row, 'calibrated probability', probability, expected)
    }
    const risk = model.riskScore(expected)
    if (risk !== golden.risk_score[row]) {
      throw notGolden(row, 'risk score', risk, golden.risk_score[row] as number)
    }
  }
  return scores
}

function notGolden(row: number, what: string, found: number, expected: number): WeirError {
  return new WeirError(
    'WEIR_MODEL_GOLDEN',
    `The model does not score as it did where it was trained: ${what} of golden row ${row} is ${found}, should be ${expected}`,
    { cure: 'Export the raw model, without its calibrator, and let `weir-training` write the package.' },
  )
}

/** The trees are those of the graph, and weir explains them as their own library does, missing values included. */
async function checkContributions(
  model: OnnxModel,
  { golden: { features, rows }, manifest }: ModelPackage,
  { golden }: Trees,
  [raw]: readonly Float64Array[],
): Promise<void> {
  const { columns, parts } = manifest
  const { base, contributions } = await model.explain(features, rows, [...Array(rows).keys()])
  const width = columns.length
  for (let row = 0; row < rows; row++) {
    const sum = contributions.subarray(row * width, (row + 1) * width).reduce((a, b) => a + b, base)
    const [score, expected] = [1 / (1 + Math.exp(-sum)), raw?.[row] as number]
    if (!(Math.abs(score - expected) <= rawTolerance)) {
      throw notGolden(row, `raw score of ${treesFile}`, score, expected)
    }
  }
  const own = parts[0]?.columns ?? []
  for (const [i, row] of golden.rows.entries()) {
    for (const [place, name] of [...own, 'base'].entries()) {
      const expected = golden.contributions[i * (own.length + 1) + place] as number
      const at = row * width + columns.indexOf(name)
      const found = place === own.length ? base : (contributions[at] as number)
      if (!(Math.abs(found - expected) <= contributionTolerance)) {
        throw notGolden(row, `contribution of ${name}`, found, expected)
      }
    }
  }
}

/** A decision must come out the same whatever other transactions were in its chunk. */
async function checkBatches(model: OnnxModel, golden: Golden, whole: readonly Float64Array[]): Promise<void> {
  const columns = golden.features.length / golden.rows
  for (const size of batchSizes) {
    for (let from = 0; from < golden.rows; from += size) {
      const rows = Math.min(size, golden.rows - from)
      const few = await model.raw(golden.features.subarray(from * columns, (from + rows) * columns), rows)
      for (const [i, scores] of few.entries()) {
        const all = whole[i] as Float64Array
        const differs = scores.findIndex((score, row) => !Object.is(score, all[from + row]))
        if (differs >= 0) throw batchDependent(from + differs, size, scores[differs], all[from + differs])
      }
    }
  }
}

function batchDependent(row: number, size: number, few?: number, all?: number): WeirError {
  return new WeirError(
    'WEIR_MODEL_BATCH',
    `Golden row ${row} scores ${few} in a batch of ${size} and ${all} among all: decisions could not be made again bit for bit`,
    { cure: 'Set the model threads to 1; do not use operators that mix rows; give networks rows_at_once.' },
  )
}

async function checkExtremes(model: OnnxModel, columns: number): Promise<void> {
  const values = [0, Number.NaN, 1, -1, largestFloat32, -largestFloat32]
  const features = Float32Array.from({ length: values.length * columns }, (_, i) => {
    return values[Math.floor(i / columns)] as number
  })
  await model.score(features, values.length)
}
