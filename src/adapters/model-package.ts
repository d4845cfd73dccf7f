import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { WeirError } from '../core/errors.ts'
import type { Lookups } from '../core/features/lookups.ts'
import { float32, lookupsFile, lookupsSchema } from './lookups.ts'
import { type Trees, treesFile, treesSchema } from './trees.ts'

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

/** A graph's one input or output; the first size is that of the rows, and free. */
const tensor = z.strictObject({
  name: z.string().min(1),
  type: z.literal('float32'),
  shape: z.tuple([z.null()], z.int().positive()),
})

/** One ONNX graph and what it reads and gives. */
const partSchema = z
  .strictObject({
    name: z.string().regex(/^[a-z0-9][a-z0-9_]*$/),
    title: z.string().min(1),
    kind: z.enum(['classifier', 'anomaly']),
    /** Names out of the manifest's columns, in the order of the input's cells. */
    columns: z.array(z.string().min(1)).min(1),
    input: tensor,
    output: tensor.extend({ shape: z.tuple([z.null(), z.int().positive()]), column: z.int().nonnegative() }),
    rows_at_once: z.int().positive().nullable(),
    calibration: knots(z.number(), probability),
  })
  .refine(
    ({ input, columns }) => cells(input.shape) === columns.length,
    'input.shape must have as many cells a row as there are columns',
  )
  .refine(({ output }) => output.column < output.shape[1], 'output.column must lie inside output.shape')

const manifestSchema = z
  .strictObject({
    format: z.literal(2),
    name: z.string().regex(/^[a-z0-9][a-z0-9-]*$/),
    version: z.string().regex(/^\d+\.\d+\.\d+$/),
    family: z.string().min(1),
    feature_hash: z.string().min(1),
    columns: z.array(z.string().min(1)).min(1),
    parts: z.array(partSchema).min(1),
    fusion: z
      .strictObject({
        intercept: z.number(),
        weights: z.array(z.number()),
        calibration: knots(probability, probability),
      })
      .nullable(),
    files: z.record(z.string().regex(/^[A-Za-z0-9_.-]+$/), sha256Hex),
    score_map: knots(probability, z.number().min(0).max(999)),
    data: z.string().min(1),
    periods: z.strictObject({ train: period, validation: period, test: period }),
    metrics: z.record(z.string(), z.number()),
  })
  .refine(
    (m) => new Set(m.parts.map(({ name }) => name)).size === m.parts.length,
    'parts must differ in name',
  )
  .refine(
    (m) => m.parts.every(({ columns }) => columns.every((column) => m.columns.includes(column))),
    'parts must read columns of the manifest',
  )
  .refine(
    (m) => (m.parts.length === 1) === (m.fusion === null),
    'there must be a fusion where there are several parts, and only there',
  )
  .refine(
    (m) => m.fusion === null || m.fusion.weights.length === m.parts.length,
    'fusion.weights must have one weight a part',
  )
  .refine(
    (m) => m.fusion === null || !(treesFile in m.files),
    `${treesFile} explains a package of one part only`,
  )
  .refine(
    (m) => packageFiles(m).every((name) => name in m.files),
    'files must name every file of the package',
  )

/** The graph of a part. */
export const partFile = ({ name }: { readonly name: string }): string => `${name}.onnx`

const packageFiles = ({ parts }: { readonly parts: readonly { readonly name: string }[] }): string[] => [
  'golden.json',
  'baseline.json',
  'MODEL_CARD.md',
  ...parts.map(partFile),
]

function cells([, ...sizes]: readonly (number | null)[]): number {
  return sizes.reduce<number>((product, size) => product * (size as number), 1)
}

/** Fewer rows than this would leave most branches of a model unvisited. */
const minGoldenRows = 50

const goldenSchema = z
  .strictObject({
    rows: z.int().min(minGoldenRows),
    features: z.base64(),
    /** By part. */
    raw: z.record(z.string(), z.array(z.number())),
    probability: z.array(probability),
    risk_score: z.array(z.int().min(0).max(999)),
  })
  .refine(
    (g) => [...Object.values(g.raw), g.probability, g.risk_score].every((column) => column.length === g.rows),
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
export type Part = Manifest['parts'][number]
/** Counts of what the model saw: `counts[i]` values lie in (edges[i-1], edges[i]]; `missing` were NaN. */
export type Baseline = z.infer<typeof baselineSchema>

/** Rows whose scores are known, computed where the model was trained. */
export interface Golden {
  readonly rows: number
  /** Row-major, `rows` x columns. */
  readonly features: Float32Array
  /** By the part's name. */
  readonly raw: Readonly<Record<string, readonly number[]>>
  readonly probability: readonly number[]
  readonly risk_score: readonly number[]
}

/** A package whose files are all what the manifest says they are. */
export interface ModelPackage {
  readonly manifest: Manifest
  /** SHA-256 of model.json, which holds the SHA-256 of every other file. */
  readonly sha256: string
  /** The graphs, in the order of the manifest's parts. */
  readonly graphs: readonly Buffer[]
  /** Columns of its own, after those of the feature file; null when it has none. */
  readonly lookups: Lookups | null
  /** Of a single part of boosted trees, for exact contributions; null where there is no such file. */
  readonly trees: Trees | null
  readonly golden: Golden
  readonly baseline: Baseline
}

/** A manifest as read, before the other files are. */
export interface ManifestFile {
  readonly manifest: Manifest
  readonly sha256: string
}

/** The SHA-256 of the manifest, as `sha256sum` writes it. */
const manifestSum = 'model.json.sha256'

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
  await checkManifest(dir, file.sha256)
  const graphs = await Promise.all(manifest.parts.map((part) => readVerified(dir, manifest, partFile(part))))
  const golden = parseFile('golden.json', await readVerified(dir, manifest, 'golden.json'), goldenSchema)
  const baseline = parseFile(
    'baseline.json',
    await readVerified(dir, manifest, 'baseline.json'),
    baselineSchema,
  )
  const [{ columns }] = manifest.parts as [Part]
  const trees =
    treesFile in manifest.files
      ? parseFile(
          treesFile,
          await readVerified(dir, manifest, treesFile),
          treesSchema(columns.length, golden.rows),
        )
      : null
  const lookups =
    lookupsFile in manifest.files
      ? parseFile(lookupsFile, await readVerified(dir, manifest, lookupsFile), lookupsSchema)
      : null
  await readVerified(dir, manifest, 'MODEL_CARD.md')
  const features = float32(golden.features)
  if (features.length !== golden.rows * manifest.columns.length) {
    throw notAsDescribed(
      'golden.json',
      `it holds ${features.length} values, not ${golden.rows} rows of ${manifest.columns.length} columns`,
    )
  }
  for (const { name } of manifest.parts) {
    if (!(name in golden.raw)) throw notAsDescribed('golden.json', `it has no raw scores of ${name}`)
  }
  return { ...file, graphs, lookups, trees, golden: { ...golden, features }, baseline }
}

/** Lookups that lie outside a package, and the file's text, for training. WEIR_MODEL_UNREADABLE, WEIR_MODEL_MANIFEST. */
export async function readLookups(
  path: string,
): Promise<{ readonly lookups: Lookups; readonly text: string }> {
  const bytes = await readPackageFile('', path)
  return { lookups: parseFile(path, bytes, lookupsSchema), text: bytes.toString('utf8') }
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

/** `sha256sum -c model.json.sha256` says the same: a manifest that is damaged and still JSON must not pass. */
async function checkManifest(dir: string, sha256: string): Promise<void> {
  const named = (await readPackageFile(dir, manifestSum)).toString('utf8')
  if (named === `${sha256}  model.json\n`) return
  throw new WeirError(
    'WEIR_MODEL_HASH',
    `${join(dir, 'model.json')} is not the file that ${manifestSum} names: its SHA-256 is ${sha256}`,
    {
      cure: `Copy the whole package again from where it was trained. If it was edited on purpose: \`sha256sum model.json > ${manifestSum}\` in its folder.`,
    },
  )
}

async function readVerified(dir: string, manifest: Manifest, name: string): Promise<Buffer> {
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

const sha256 = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex')
