import { env, InferenceSession, Tensor } from 'onnxruntime-node'
import { interpolate } from '../core/calibration.ts'
import { WeirError } from '../core/errors.ts'
import { type Fusion, fuse } from '../core/fusion.ts'
import type { Model, Scores } from '../core/ports.ts'
import { explainer } from './explainer.ts'
import type { ModelPackage, Part } from './model-package.ts'

// What goes wrong is thrown; onnxruntime would also write it to stderr, in colour.
env.logLevel = 'fatal'

/** Where and how a model runs. */
export interface Execution {
  /** onnxruntime's names ('cuda', 'cpu'), tried in this order. */
  readonly providers: readonly string[]
  /** Threads inside one call. With more than 1, sums of trees depend on the batch, which admission refuses. */
  readonly threads: number
}

/** A loaded model; `raw` gives scores before calibration. */
export interface OnnxModel extends Model {
  readonly explain: NonNullable<Model['explain']>
  /** Raw scores of each part, one a row, as the graphs give them: nothing is checked but that they run. */
  raw(features: Float32Array, rows: number): Promise<Float64Array[]>
}

/**
 * Loads the verified bytes, never a path. Throws WEIR_MODEL_PROVIDER when no provider takes a graph, as do its calls where
 * the one that did fails, and WEIR_MODEL_SIGNATURE when inputs and outputs are not those of the manifest. `log` gets one
 * line a graph that says which provider runs it and why those before it do not.
 */
export async function loadOnnxModel(
  files: ModelPackage,
  execution: Execution,
  log: (line: string) => void,
): Promise<OnnxModel> {
  const { manifest, graphs } = files
  const described = describeModel(files)
  const { id } = described
  const { parts, fusion, columns } = manifest
  const run: Score[] = []
  for (const [i, part] of parts.entries()) {
    const name = parts.length === 1 ? id : `${id} (${part.name})`
    const { session, provider } = await createSession(name, graphs[i] as Buffer, execution, log)
    checkSignature(session, part)
    run.push(scorer(session, part, columns, (error) => failed(name, provider, error)))
  }

  async function raw(features: Float32Array, rows: number): Promise<Float64Array[]> {
    const scores: Float64Array[] = []
    for (const score of run) scores.push(await score(features, rows))
    return scores
  }

  async function score(features: Float32Array, rows: number): Promise<Scores> {
    const scores = await raw(features, rows)
    for (const [i, { name, calibration }] of parts.entries()) {
      const column = scores[i] as Float64Array
      for (let row = 0; row < rows; row++) {
        const score = column[row] as number
        if (!Number.isFinite(score)) throw notFinite(`${id} (${name})`, row, score)
        column[row] = interpolate(calibration, score)
      }
    }
    return { probabilities: fuseRows(fusion, scores, rows), parts: scores }
  }

  return { ...described, raw, score, explain: explainer(files, score) }
}

/** What a model is, and how its scores are read: known without its graphs. */
export function describeModel({ manifest, sha256 }: ModelPackage): Omit<Model, 'score' | 'explain'> {
  const { name, version, feature_hash, parts, score_map } = manifest
  return {
    id: `${name}@${version}`,
    sha256: sha256.slice(0, 16),
    featureHash: feature_hash,
    parts: parts.map((part) => part.name),
    riskScore: (probability) => Math.floor(interpolate(score_map, probability) + 0.5),
  }
}

/** @param parts calibrated probabilities by part. */
function fuseRows(fusion: Fusion | null, parts: readonly Float64Array[], rows: number): Float64Array {
  if (fusion === null) return parts[0] as Float64Array
  const ofRow = new Float64Array(parts.length)
  return Float64Array.from({ length: rows }, (_, row) => {
    for (let i = 0; i < ofRow.length; i++) ofRow[i] = parts[i]?.[row] as number
    return fuse(fusion, ofRow)
  })
}

/** Raw scores of one graph, one a row. @param features row-major, all columns of the model. */
type Score = (features: Float32Array, rows: number) => Promise<Float64Array>

function scorer(
  session: InferenceSession,
  { input, output, columns, rows_at_once: rowsAtOnce }: Part,
  all: readonly string[],
  failed: (error: unknown) => WeirError,
): Score {
  const [, ...shape] = input.shape
  const width = output.shape[1]
  const fetches = [output.name]
  const places = columns.map((column) => all.indexOf(column))
  const readsAll = places.length === all.length && places.every((place, i) => place === i)

  function cellsOf(features: Float32Array, rows: number): Float32Array {
    if (readsAll) return features.subarray(0, rows * all.length)
    const cells = new Float32Array(rows * places.length)
    for (let row = 0, at = 0; row < rows; row++) {
      for (const place of places) cells[at++] = features[row * all.length + place] as number
    }
    return cells
  }

  async function run(cells: Float32Array, rows: number, scores: Float64Array, from: number, wanted: number) {
    const feeds = { [input.name]: new Tensor('float32', cells, [rows, ...shape]) }
    const results = await session.run(feeds, fetches).catch((error: unknown) => Promise.reject(failed(error)))
    const values = results[output.name]?.data as Float32Array
    for (let row = 0; row < wanted; row++) scores[from + row] = values[row * width + output.column] as number
  }

  return async (features, rows) => {
    const scores = new Float64Array(rows)
    if (rows === 0) return scores
    const cells = cellsOf(features, rows)
    if (rowsAtOnce === null) {
      await run(cells, rows, scores, 0, rows)
      return scores
    }
    // Sums of a matrix product may depend on how many rows there are: so there are always as many.
    for (let from = 0; from < rows; from += rowsAtOnce) {
      const wanted = Math.min(rowsAtOnce, rows - from)
      const padded = new Float32Array(rowsAtOnce * places.length)
      padded.set(cells.subarray(from * places.length, (from + wanted) * places.length))
      await run(padded, rowsAtOnce, scores, from, wanted)
    }
    return scores
  }
}

async function createSession(
  name: string,
  onnx: Buffer,
  { providers, threads }: Execution,
  log: (line: string) => void,
): Promise<{ session: InferenceSession; provider: string }> {
  const refusals: string[] = []
  for (const provider of providers) {
    forbidTf32(provider)
    try {
      const session = await InferenceSession.create(onnx, {
        executionProviders: [provider],
        intraOpNumThreads: threads,
        interOpNumThreads: 1,
        logSeverityLevel: 4,
      })
      const where = provider === 'cpu' ? 'cpu' : `${provider}, and on cpu what ${provider} lacks`
      log([`model ${name} runs on ${where}`, ...refusals].join('; '))
      return { session, provider }
    } catch (error) {
      refusals.push(`not on ${provider}: ${firstLine(error)}`)
    }
  }
  throw new WeirError('WEIR_MODEL_PROVIDER', `No provider takes model ${name}: ${refusals.join('; ')}`, {
    cure: "Name 'cpu' among the providers; if cpu refuses, export the model for an operator set that onnxruntime 1.30 knows.",
  })
}

/** What loads may still fail when it runs: a GPU without memory, a driver of another version. */
function failed(name: string, provider: string, cause: unknown): WeirError {
  return new WeirError('WEIR_MODEL_PROVIDER', `Model ${name} failed on ${provider}: ${firstLine(cause)}`, {
    cure:
      provider === 'cpu'
        ? 'Export the model anew: its graph fails on rows of its own columns.'
        : `Mend what ${provider} says, or take it out of models.providers; docs/models.md#providers says what it needs.`,
    cause,
  })
}

/**
 * NVIDIA's libraries else round the factors of float32 products to 10 bits (TF32), and onnxruntime-node has no option
 * that forbids it. They read the variable as the process has it, which a worker thread cannot set: whoever starts one
 * has to.
 */
export function forbidTf32(provider: string): void {
  if (provider === 'cuda') process.env['NVIDIA_TF32_OVERRIDE'] ??= '0'
}

function checkSignature(session: InferenceSession, { name, input, output }: Part): void {
  const wrong = (what: string, cure: string) =>
    new WeirError('WEIR_MODEL_SIGNATURE', `The graph's ${what} (${name})`, { cure })
  const container = session.outputMetadata.find((found) => !found.isTensor)
  if (container !== undefined) {
    throw wrong(
      `output ${container.name} is a map or sequence (ZipMap), not a tensor`,
      'Convert with zipmap=False (onnxmltools, skl2onnx), or remove the ZipMap node (CatBoost).',
    )
  }
  const described = 'Let `weir-training` write model.json: it takes the names and shapes from the graph.'
  if (session.inputMetadata.length !== 1) {
    throw wrong(`inputs are ${session.inputNames.join(', ')}: there must be exactly one`, described)
  }
  const inputs = describe(session.inputMetadata)
  if (inputs.get(input.name) !== shapeText(input)) {
    throw wrong(`input is ${list(inputs)}, model.json says ${input.name} ${shapeText(input)}`, described)
  }
  const outputs = describe(session.outputMetadata)
  if (outputs.get(output.name) !== shapeText(output)) {
    throw wrong(
      `outputs are ${list(outputs)}, model.json says ${output.name} ${shapeText(output)}`,
      described,
    )
  }
}

function describe(metadata: readonly InferenceSession.ValueMetadata[]): Map<string, string> {
  return new Map(metadata.map((value) => [value.name, value.isTensor ? shapeText(value) : 'not a tensor']))
}

/** A dimension that is free is a name (maybe empty) to onnxruntime and null in the manifest. */
function shapeText({ type, shape }: { type: string; shape: readonly (number | string | null)[] }): string {
  return `${type}[${shape.map((size) => (typeof size === 'number' ? size : '*')).join(', ')}]`
}

const list = (values: Map<string, string>) => [...values].map((value) => value.join(' ')).join(', ')

const firstLine = (error: unknown) =>
  String(error instanceof Error ? error.message : error)
    .split('\n', 1)[0]
    ?.trim()

/** The code for scores that may not leave: at admission as well as at run time. */
export function notFinite(id: string, row: number, score: number): WeirError {
  return new WeirError('WEIR_MODEL_NOT_FINITE', `Model ${id} gave ${score} for row ${row} of the batch`, {
    cure: 'Export a graph that handles missing and extreme values: impute and clip inside the model.',
  })
}
