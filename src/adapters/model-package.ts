import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { WeirError } from '../core/errors.ts'

/**
 * A model package: the folder models/<name>/<version>/ with a manifest that vouches for every other file.
 * Format and meaning of each field: docs/models.md.
 */

const sha256Hex = z.string().regex(/^[0-9a-f]{64}$/)
const instant = z.iso.datetime()
const probability = z.number().min(0).max(1)

const knots = (x: z.ZodNumber, y: z.ZodNumber) =>
  z
    .strictObject({ x: z.array(x).min(2), y: z.array(y).min(2) })
    .refine((k) => k.x.length === k.y.length, 'x and y must have the same length')
    .refine((k) => k.x.every((v, i) => i === 0 || v > (k.x[i - 1] as number)), 'x must increase strictly')
    .refine((k) => k.y.every((v, i) => i === 0 || v >= (k.y[i - 1] as number)), 'y must never decrease')

const period = z.strictObject({
  from: instant,
  to: instant,
  rows: z.int().positive(),
  frauds: z.int().nonnegative(),
})

const manifestSchema = z
  .strictObject({
    format: z.literal(1),
    name: z.string().regex(/^[a-z0-9][a-z0-9-]*$/),
    version: z.string().regex(/^\d+\.\d+\.\d+$/),
    kind: z.literal('classifier'),
    family: z.string().min(1),
    input: z.strictObject({
      name: z.string().min(1),
      type: z.literal('float32'),
      shape: z.tuple([z.null(), z.int().positive()]),
    }),
    output: z.strictObject({
      name: z.string().min(1),
      type: z.literal('float32'),
      shape: z.tuple([z.null(), z.int().positive()]),
      column: z.int().nonnegative(),
    }),
    feature_hash: z.string().min(1),
    columns: z.array(z.string().min(1)).min(1),
    files: z.strictObject({
      'model.onnx': sha256Hex,
      'golden.json': sha256Hex,
      'baseline.json': sha256Hex,
      'MODEL_CARD.md': sha256Hex,
    }),
    calibration: knots(probability, probability),
    score_map: knots(probability, z.number().min(0).max(999)),
    data: z.string().min(1),
    periods: z.strictObject({ train: period, validation: period, test: period }),
    metrics: z.record(z.string(), z.number()),
  })
  .refine((m) => m.input.shape[1] === m.columns.length, 'input.shape must be [null, number of columns]')
  .refine((m) => m.output.column < m.output.shape[1], 'output.column must lie inside output.shape')

/** Fewer rows than this would leave most branches of a model unvisited. */
const minGoldenRows = 50

const goldenSchema = z
  .strictObject({
    rows: z.int().min(minGoldenRows),
    features: z.base64(),
    raw: z.array(z.number()),
    probability: z.array(probability),
    risk_score: z.array(z.int().min(0).max(999)),
  })
  .refine(
    (g) => [g.raw, g.probability, g.risk_score].every((column) => column.length === g.rows),
    'raw, probability and risk_score must have one value a row',
  )

const histogram = z
  .strictObject({ edges: z.array(z.number()), counts: z.array(z.int().nonnegative()) })
  .refine((h) => h.counts.length === h.edges.length + 1, 'there must be one count more than edges')

const baselineSchema = z.strictObject({
  features: z.record(z.string(), histogram.safeExtend({ missing: z.int().nonnegative() })),
  risk_score: histogram,
})

export type Manifest = z.infer<typeof manifestSchema>
/** Counts of what the model saw: `counts[i]` values lie in (edges[i-1], edges[i]]; `missing` were NaN. */
type Baseline = z.infer<typeof baselineSchema>

/** Rows whose scores are known, computed where the model was trained. */
export interface Golden {
  readonly rows: number
  /** Row-major, `rows` x columns. */
  readonly features: Float32Array
  readonly raw: readonly number[]
  readonly probability: readonly number[]
  readonly risk_score: readonly number[]
}

/** A package whose files are all what the manifest says they are. */
export interface ModelPackage {
  readonly manifest: Manifest
  /** SHA-256 of model.json, which holds the SHA-256 of every other file. */
  readonly sha256: string
  readonly onnx: Buffer
  readonly golden: Golden
  readonly baseline: Baseline
}

/** A manifest as read, before the other files are. */
export interface ManifestFile {
  readonly manifest: Manifest
  readonly sha256: string
}

/** Reads and validates model.json: WEIR_MODEL_UNREADABLE, WEIR_MODEL_MANIFEST. */
export async function readManifest(dir: string): Promise<ManifestFile> {
  const bytes = await readPackageFile(dir, 'model.json')
  return { manifest: parseFile('model.json', bytes, manifestSchema), sha256: sha256(bytes) }
}

/**
 * Reads every file once, into memory, and checks those very bytes: what is scored with later cannot be another
 * file than the one checked. WEIR_MODEL_UNREADABLE, WEIR_MODEL_HASH, WEIR_MODEL_MANIFEST.
 */
export async function readPackage(dir: string, file: ManifestFile): Promise<ModelPackage> {
  const { manifest } = file
  const onnx = await readVerified(dir, manifest, 'model.onnx')
  const golden = parseFile('golden.json', await readVerified(dir, manifest, 'golden.json'), goldenSchema)
  const baseline = parseFile(
    'baseline.json',
    await readVerified(dir, manifest, 'baseline.json'),
    baselineSchema,
  )
  await readVerified(dir, manifest, 'MODEL_CARD.md')
  const features = decodeFeatures(golden.features)
  if (features.length !== golden.rows * manifest.columns.length) {
    throw notAsDescribed(
      'golden.json',
      `it holds ${features.length} values, not ${golden.rows} rows of ${manifest.columns.length} columns`,
    )
  }
  return { ...file, onnx, golden: { ...golden, features }, baseline }
}

/** One entry of `listModels`: a manifest, or the reason why there is none. */
export type ModelListing =
  | ({ readonly dir: string; readonly error: null } & ManifestFile)
  | { readonly dir: string; readonly error: WeirError }

/** Packages under `root` (<name>/<version>/model.json), sorted by name, then version; none when `root` is absent. */
export async function listModels(root: string): Promise<ModelListing[]> {
  const listings: ModelListing[] = []
  for (const name of await subfolders(root)) {
    for (const version of (await subfolders(join(root, name))).sort(byVersion)) {
      listings.push(await listing(join(root, name, version)))
    }
  }
  return listings
}

async function listing(dir: string): Promise<ModelListing> {
  try {
    return { dir, error: null, ...(await readManifest(dir)) }
  } catch (error) {
    if (error instanceof WeirError) return { dir, error }
    throw error
  }
}

async function subfolders(dir: string): Promise<string[]> {
  const entries = await readdir(dir, { withFileTypes: true }).catch(() => [])
  return entries
    .filter((entry) => entry.isDirectory())
    .map((entry) => entry.name)
    .sort()
}

const byVersion = (a: string, b: string) => a.localeCompare(b, 'en', { numeric: true })

async function readVerified(dir: string, manifest: Manifest, name: keyof Manifest['files']): Promise<Buffer> {
  const bytes = await readPackageFile(dir, name)
  const [actual, expected] = [sha256(bytes), manifest.files[name]]
  if (actual === expected) return bytes
  throw new WeirError(
    'WEIR_MODEL_HASH',
    `${join(dir, name)} is not the file that model.json names: SHA-256 is ${actual}, should be ${expected}`,
    {
      cure: 'Copy the whole package again from where it was trained. If it was edited on purpose, export it anew.',
    },
  )
}

async function readPackageFile(dir: string, name: string): Promise<Buffer> {
  try {
    return await readFile(join(dir, name))
  } catch (cause) {
    throw new WeirError(
      'WEIR_MODEL_UNREADABLE',
      `Cannot read ${join(dir, name)}: ${(cause as Error).message}`,
      {
        cure: '`weir model list` shows the packages there are; docs/models.md lists the files of one.',
        cause,
      },
    )
  }
}

function parseFile<T>(name: string, bytes: Buffer, schema: z.ZodType<T>): T {
  let json: unknown
  try {
    json = JSON.parse(bytes.toString('utf8'))
  } catch (cause) {
    throw notAsDescribed(name, `it is not JSON: ${(cause as Error).message}`)
  }
  const parsed = schema.safeParse(json)
  if (parsed.success) return parsed.data
  throw notAsDescribed(name, z.prettifyError(parsed.error).replaceAll('\n', ' '))
}

function notAsDescribed(name: string, why: string): WeirError {
  return new WeirError('WEIR_MODEL_MANIFEST', `${name} is not as the package format says: ${why}`, {
    cure: 'Write packages with `weir-training`; docs/models.md describes each field.',
  })
}

/** Copied, so that the view is aligned whatever the pool that base64 decoded into. */
function decodeFeatures(base64: string): Float32Array {
  const bytes = Uint8Array.from(Buffer.from(base64, 'base64'))
  return new Float32Array(bytes.buffer, 0, Math.floor(bytes.byteLength / 4))
}

const sha256 = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex')
