import { env, InferenceSession, Tensor } from 'onnxruntime-node'
import { interpolate } from '../core/calibration.ts'
import { WeirError } from '../core/errors.ts'
import type { Model } from '../core/ports.ts'
import type { Manifest, ModelPackage } from './model-package.ts'

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
  readonly provider: string
  /** One raw score a row, as the graph gives it: nothing is checked but that the graph runs. */
  raw(features: Float32Array, rows: number): Promise<Float64Array>
}

/**
 * Loads the verified bytes, never a path. Throws WEIR_MODEL_PROVIDER when no provider takes the model and
 * WEIR_MODEL_SIGNATURE when inputs and outputs are not those of the manifest. `log` gets one line that says
 * which provider runs and why those before it do not.
 */
export async function loadOnnxModel(
  { manifest, onnx, sha256 }: ModelPackage,
  execution: Execution,
  log: (line: string) => void,
): Promise<OnnxModel> {
  const id = `${manifest.name}@${manifest.version}`
  const { session, provider } = await createSession(id, onnx, execution, log)
  checkSignature(session, manifest)
  const { input, output, calibration, score_map: scoreMap } = manifest
  const [columns, width] = [input.shape[1], output.shape[1]]
  const fetches = [output.name]

  const raw = async (features: Float32Array, rows: number) => {
    const scores = new Float64Array(rows)
    if (rows === 0) return scores
    const tensor = new Tensor('float32', features.subarray(0, rows * columns), [rows, columns])
    const results = await session.run({ [input.name]: tensor }, fetches)
    const values = results[output.name]?.data as Float32Array
    for (let row = 0; row < rows; row++) scores[row] = values[row * width + output.column] as number
    return scores
  }

  return {
    id,
    sha256: sha256.slice(0, 16),
    featureHash: manifest.feature_hash,
    provider,
    raw,
    async score(features, rows) {
      const scores = await raw(features, rows)
      for (let row = 0; row < rows; row++) {
        const score = scores[row] as number
        if (!Number.isFinite(score)) throw notFinite(id, row, score)
        scores[row] = interpolate(calibration, score)
      }
      return scores
    },
    riskScore: (probability) => Math.floor(interpolate(scoreMap, probability) + 0.5),
  }
}

async function createSession(
  id: string,
  onnx: Buffer,
  { providers, threads }: Execution,
  log: (line: string) => void,
): Promise<{ session: InferenceSession; provider: string }> {
  const refusals: string[] = []
  for (const provider of providers) {
    try {
      const session = await InferenceSession.create(onnx, {
        executionProviders: [provider],
        intraOpNumThreads: threads,
        interOpNumThreads: 1,
        logSeverityLevel: 4,
      })
      log([`model ${id} runs on ${provider}`, ...refusals].join('; '))
      return { session, provider }
    } catch (error) {
      refusals.push(`not on ${provider}: ${firstLine(error)}`)
    }
  }
  throw new WeirError('WEIR_MODEL_PROVIDER', `No provider takes model ${id}: ${refusals.join('; ')}`, {
    cure: "Name 'cpu' among the providers; if cpu refuses, export the model for an operator set that onnxruntime 1.30 knows.",
  })
}

function checkSignature(session: InferenceSession, { input, output }: Manifest): void {
  const wrong = (what: string, cure: string) =>
    new WeirError('WEIR_MODEL_SIGNATURE', `The graph's ${what}`, { cure })
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
