import { createHash } from 'node:crypto'
import { renameSync } from 'node:fs'
import { cp, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type AdmissionOptions, admitModel, checkModel } from '../../src/adapters/model-admission.ts'
import { type Manifest, type Part, readManifest, readPackage } from '../../src/adapters/model-package.ts'
import { loadOnnxModel } from '../../src/adapters/onnx-model.ts'
import { openThreadedModel } from '../../src/adapters/threaded-model.ts'
import { interpolate } from '../../src/core/calibration.ts'
import type { CompiledFeatures } from '../../src/core/features/compile.ts'

import { shipped } from '../helpers/feature-values.ts'

const small = 'test/fixtures/models/small/1.0.0'
const graphs = 'test/fixtures/models/graphs'

let root: string
let manifest: Manifest
let part: Part
let options: AdmissionOptions

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'weir-models-'))
  manifest = (await readManifest(small)).manifest
  part = manifest.parts[0] as Part
  options = {
    features: featuresOf(manifest.feature_hash, manifest.columns),
    providers: ['cpu'],
    threads: 1,
  }
})

afterAll(() => rm(root, { recursive: true }))

/** A feature file whose compilation has this hash and these columns. */
const featuresOf = (hash: string, names: readonly string[]): CompiledFeatures => ({
  ...shipped,
  hash,
  names,
  columns: names.map((_, at) => ({ at, value: () => 0 })),
})

interface TreesFile {
  readonly trees: { readonly column: number[]; readonly right: number[]; cover: number[] }[]
  readonly golden: { contributions: string }
}

function leavesBelow(tree: TreesFile['trees'][number], node: number): number {
  if ((tree.column[node] as number) < 0) return 1
  return leavesBelow(tree, node + 1) + leavesBelow(tree, tree.right[node] as number)
}

interface Golden {
  readonly raw: Record<string, number[]>
  readonly probability: number[]
  readonly risk_score: number[]
}

/** A copy of the small package with files changed; the manifest vouches for the changed ones. */
async function aPackage(changes: {
  onnx?: string
  golden?: (golden: Golden) => void
  files?: Record<string, Buffer>
  part?: object
  manifest?: object
}): Promise<string> {
  const dir = await mkdtemp(join(root, 'package-'))
  await cp(small, dir, { recursive: true })
  // They explain a package of one part.
  if (changes.manifest !== undefined && 'fusion' in changes.manifest) await rm(join(dir, 'trees.json'))
  if (changes.onnx !== undefined) await cp(join(graphs, changes.onnx), join(dir, 'lightgbm.onnx'))
  if (changes.golden !== undefined) {
    const golden = JSON.parse(await readFile(join(dir, 'golden.json'), 'utf8'))
    changes.golden(golden)
    await writeFile(join(dir, 'golden.json'), JSON.stringify(golden))
  }
  for (const [name, bytes] of Object.entries(changes.files ?? {})) await writeFile(join(dir, name), bytes)
  const parts = [{ ...part, ...changes.part }]
  const files: Record<string, string> = {}
  for (const name of (await readdir(dir)).filter((file) => !file.startsWith('model.json'))) {
    files[name] = createHash('sha256')
      .update(await readFile(join(dir, name)))
      .digest('hex')
  }
  const text = JSON.stringify({ ...manifest, parts, files, ...changes.manifest })
  await writeFile(join(dir, 'model.json'), text)
  const sum = createHash('sha256').update(text).digest('hex')
  await writeFile(join(dir, 'model.json.sha256'), `${sum}  model.json\n`)
  return dir
}

/** The small model twice, once with its columns turned around and 16 rows at once, fused. */
async function aFusedPackage(changes: object | null = {}): Promise<{ dir: string; expected: number[] }> {
  const turned = { ...part, name: 'turned', columns: part.columns.toReversed(), rows_at_once: 16 }
  const fusion = { intercept: 0.3, weights: [0.7, 0.2], calibration: { x: [0, 1], y: [0, 0.5] } }
  const { golden } = await readPackage(small, await readManifest(small))
  const { rows } = golden
  const width = part.columns.length
  const backwards = Float32Array.from(golden.features, (_, i) => {
    const column = i % width
    return golden.features[i - column + (width - 1 - column)] as number
  })
  const alone = await loadOnnxModel(await readPackage(small, await readManifest(small)), options, () => {})
  const [raw] = await alone.raw(backwards, rows)
  const logOdds = (value: number) => {
    const p = interpolate(part.calibration, value)
    const held = Math.min(1 - 1e-6, Math.max(1e-6, p))
    return Math.log(held) - Math.log1p(-held)
  }
  const expected = golden.raw['lightgbm']?.map(
    (score, row) => 0.5 / (1 + Math.exp(-(0.3 + 0.7 * logOdds(score) + 0.2 * logOdds(raw?.[row] as number)))),
  ) as number[]
  const dir = await aPackage({
    files: { 'turned.onnx': await readFile(join(small, 'lightgbm.onnx')) },
    golden(found) {
      found.raw['turned'] = [...(raw as Float64Array)]
      found.probability.splice(0, rows, ...expected)
      found.risk_score.splice(0, rows, ...expected.map(alone.riskScore))
    },
    manifest: { parts: [part, turned], fusion: changes === null ? null : { ...fusion, ...changes } },
  })
  return { dir, expected }
}

const refusal = (code: string, text: string | RegExp) =>
  expect.objectContaining({ code, message: expect.stringMatching(text), cure: expect.any(String) })

describe('admission', () => {
  it('passes a sound package, and names what it serves', async () => {
    const lines: string[] = []
    const { model } = await admitModel(small, { ...options, log: (line) => lines.push(line) })
    expect(model.id).toBe('small@1.0.0')
    expect(model.featureHash).toBe(manifest.feature_hash)
    const bytes = await readFile(join(small, 'model.json'))
    expect(model.sha256).toBe(createHash('sha256').update(bytes).digest('hex').slice(0, 16))
    expect(lines).toEqual(['model small@1.0.0 runs on cpu'])
    expect((await checkModel(small, options)).every(({ error }) => error === null)).toBe(true)
  })

  it('refuses what was trained on other features, and says which columns differ', async () => {
    const [first = '', second = '', ...rest] = manifest.columns
    const against = (columns: string[], hash = 'other') =>
      admitModel(small, { ...options, features: featuresOf(hash, columns) })
    await expect(against([second, first, ...rest])).rejects.toEqual(
      refusal('WEIR_MODEL_FEATURES', `another order: ${first}, ${second}`),
    )
    await expect(against([first, ...rest, 'new_one'])).rejects.toEqual(
      refusal('WEIR_MODEL_FEATURES', `needs ${second}; the model does not know new_one`),
    )
    await expect(against([...manifest.columns])).rejects.toEqual(
      refusal('WEIR_MODEL_FEATURES', 'definitions changed'),
    )
    await expect(against(rest, manifest.feature_hash)).rejects.toEqual(
      refusal('WEIR_MODEL_FEATURES', `needs ${first}, ${second}`),
    )
  })

  it('takes the lookups of a package as columns after those of the feature file', async () => {
    const columns = [...manifest.columns.slice(0, -1), 'looked']
    const values = Buffer.from(Float32Array.of(3).buffer).toString('base64')
    const lookups = (change: object) => ({
      format: 1,
      learned: { from: '2026-01-05T00:00:00Z', to: '2026-01-19T00:00:00Z', payments: 2 },
      tables: { m: { key: 'merchant_id', keys: ['m-1'], dimensions: 1, values, default: [0] } },
      columns: [{ name: 'looked', description: 'For tests.', table: 'm', component: 0, ...change }],
    })
    const withFile = (change: object) =>
      aPackage({
        files: { 'lookups.json': Buffer.from(JSON.stringify(lookups(change))) },
        part: { columns },
        manifest: { columns },
      })
    const features = featuresOf(manifest.feature_hash, manifest.columns.slice(0, -1))
    const admitted = await admitModel(await withFile({}), { ...options, features })
    expect(admitted.features.names).toEqual(columns)
    expect(admitted.features.columns).toHaveLength(columns.length)
    const refused = async (change: object) => admitModel(await withFile(change), { ...options, features })
    await expect(refused({ component: 1 })).rejects.toEqual(
      refusal('WEIR_MODEL_MANIFEST', 'lookups.json .* m has 1 dimensions'),
    )
    await expect(refused({ table: 'n' })).rejects.toEqual(refusal('WEIR_MODEL_MANIFEST', 'no table n'))
    await expect(refused({ name: 'other' })).rejects.toEqual(
      refusal('WEIR_MODEL_FEATURES', 'the model needs looked; the model does not know other'),
    )
  })

  it('refuses a file that is not the one the manifest names', async () => {
    for (const name of [
      'lightgbm.onnx',
      'golden.json',
      'baseline.json',
      'MODEL_CARD.md',
      'model.json.sha256',
    ]) {
      const dir = await aPackage({})
      const bytes = await readFile(join(dir, name))
      bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] as number) ^ 1
      await writeFile(join(dir, name), bytes)
      await expect(admitModel(dir, options)).rejects.toEqual(refusal('WEIR_MODEL_HASH', name))
      await rm(join(dir, name))
      await expect(admitModel(dir, options)).rejects.toEqual(refusal('WEIR_MODEL_UNREADABLE', name))
    }
  })

  it('refuses tensors kept outside the file, before onnxruntime would look for them', async () => {
    await expect(admitModel(await aPackage({ onnx: 'external.onnx' }), options)).rejects.toEqual(
      refusal('WEIR_MODEL_EXTERNAL_DATA', 'another file'),
    )
  })

  it('refuses outputs that are no tensors, and names the option that mends it', async () => {
    const error = await admitModel(await aPackage({ onnx: 'zipmap.onnx' }), options).catch((e) => e)
    expect(error).toEqual(refusal('WEIR_MODEL_SIGNATURE', 'ZipMap'))
    expect(error.cure).toContain('zipmap=False')
  })

  it('refuses other inputs and outputs than the manifest says', async () => {
    const input = await aPackage({ part: { input: { ...part.input, name: 'x' } } })
    await expect(admitModel(input, options)).rejects.toEqual(
      refusal('WEIR_MODEL_SIGNATURE', /input is features float32\[\*, 6\], model.json says x float32/),
    )
    const output = await aPackage({ part: { output: { ...part.output, shape: [null, 3] } } })
    await expect(admitModel(output, options)).rejects.toEqual(
      refusal('WEIR_MODEL_SIGNATURE', /probabilities float32\[\*, 2\], model.json says .*\[\*, 3\]/),
    )
  })

  it('refuses a graph that loads and cannot be run, and says where it was', async () => {
    await expect(admitModel(await aPackage({ onnx: 'fails.onnx' }), options)).rejects.toEqual(
      refusal('WEIR_MODEL_PROVIDER', /small@1.0.0 failed on cpu: .*Reshape/),
    )
  })

  it('refuses a model that does not score as where it was trained', async () => {
    const raw = await aPackage({ golden: ({ raw }) => raw['lightgbm']?.splice(7, 1, 0.5) })
    await expect(admitModel(raw, options)).rejects.toEqual(
      refusal('WEIR_MODEL_GOLDEN', 'raw score of lightgbm of golden row 7'),
    )
    const calibrated = await aPackage({
      golden: (golden) => golden.probability.splice(3, 1, (golden.probability[3] as number) + 1e-8),
    })
    await expect(admitModel(calibrated, options)).rejects.toEqual(
      refusal('WEIR_MODEL_GOLDEN', 'calibrated probability of golden row 3'),
    )
    const risk = await aPackage({
      golden: (golden) => golden.risk_score.splice(5, 1, (golden.risk_score[5] as number) + 1),
    })
    await expect(admitModel(risk, options)).rejects.toEqual(
      refusal('WEIR_MODEL_GOLDEN', 'risk score of golden row 5'),
    )
  })

  it('refuses trees that are not those of the graph, or are explained otherwise where they were trained', async () => {
    const bytes = await readFile(join(small, 'trees.json'))
    const withTrees = async (change: (file: TreesFile) => void) => {
      const file: TreesFile = JSON.parse(bytes.toString('utf8'))
      change(file)
      return admitModel(
        await aPackage({ files: { 'trees.json': Buffer.from(JSON.stringify(file)) } }),
        options,
      )
    }
    const golden = (text: string) => refusal('WEIR_MODEL_GOLDEN', text)
    await expect(
      withTrees(({ trees }) => {
        trees.pop()
      }),
    ).rejects.toEqual(golden('raw score of trees.json of golden row 0'))
    await expect(
      withTrees((file) => {
        const theirs = Buffer.from(file.golden.contributions, 'base64')
        theirs.writeDoubleLE(theirs.readDoubleLE(16) + 1e-8, 16)
        file.golden.contributions = theirs.toString('base64')
      }),
    ).rejects.toEqual(golden(`contribution of ${manifest.columns[2]} of golden row 0`))
    // Other counts, the same scores.
    await expect(
      withTrees(({ trees }) => {
        for (const tree of trees) tree.cover = tree.column.map((_, node) => leavesBelow(tree, node))
      }),
    ).rejects.toEqual(golden('contribution of'))
    await expect(
      withTrees(({ trees }) => {
        ;(trees[0] as TreesFile['trees'][number]).right[0] = 1
      }),
    ).rejects.toEqual(refusal('WEIR_MODEL_MANIFEST', 'node 0 leads to node 1'))
  })

  it('refuses a model that has no number for missing values', async () => {
    await expect(admitModel(await aPackage({ onnx: 'linear.onnx' }), options)).rejects.toEqual(
      refusal('WEIR_MODEL_NOT_FINITE', 'NaN'),
    )
  })

  it('refuses threads that make a score depend on its batch', async () => {
    await expect(admitModel(small, { ...options, threads: 2 })).rejects.toEqual(
      refusal('WEIR_MODEL_BATCH', 'batch of'),
    )
  })

  it('refuses knots that are no monotone map', async () => {
    const dir = await aPackage({ part: { calibration: { x: [0, 0.5, 0.5], y: [0, 0.1, 1] } } })
    await expect(admitModel(dir, options)).rejects.toEqual(
      refusal('WEIR_MODEL_MANIFEST', 'x must increase strictly'),
    )
  })

  it('takes the first provider that works and says why the others do not', async () => {
    const lines: string[] = []
    await admitModel(small, { ...options, providers: ['abacus', 'cpu'], log: (line) => lines.push(line) })
    expect(lines).toEqual([expect.stringMatching(/^model small@1.0.0 runs on cpu; not on abacus: .+/)])
    await expect(admitModel(small, { ...options, providers: ['abacus'] })).rejects.toEqual(
      refusal('WEIR_MODEL_PROVIDER', 'not on abacus'),
    )
  })

  it("forbids NVIDIA's libraries to round factors before one is loaded", async () => {
    await admitModel(small, { ...options, providers: ['cpu'] })
    expect(process.env['NVIDIA_TF32_OVERRIDE']).toBeUndefined()
    await admitModel(small, { ...options, providers: ['cuda', 'cpu'] })
    expect(process.env['NVIDIA_TF32_OVERRIDE']).toBe('0')
  })

  it('reports the checks up to the one that fails', async () => {
    const checks = await checkModel(await aPackage({ onnx: 'zipmap.onnx' }), options)
    expect(checks.map(({ check, error }) => [check, error?.code ?? 'passed'])).toEqual([
      ['manifest', 'passed'],
      ['features', 'passed'],
      ['files', 'passed'],
      ['columns', 'passed'],
      ['no external data', 'passed'],
      ['provider and signature', 'WEIR_MODEL_SIGNATURE'],
    ])
  })
})

describe('scores', () => {
  it('are the calibrated ones of training', async () => {
    const { golden } = await readPackage(small, await readManifest(small))
    const { model } = await admitModel(small, options)
    const { probabilities, parts } = await model.score(golden.features, golden.rows)
    expect(parts).toEqual([probabilities])
    for (const [row, score] of probabilities.entries()) {
      expect(Math.abs(score - (golden.probability[row] as number))).toBeLessThan(1e-4)
      expect(model.riskScore(golden.probability[row] as number)).toBe(golden.risk_score[row])
    }
    expect(new Set(probabilities).size).toBeGreaterThan(50)
  })

  it('have the same bits alone and in any batch', async () => {
    const { golden } = await readPackage(small, await readManifest(small))
    const { model } = await admitModel(small, options)
    const columns = manifest.columns.length
    const rows = 4000
    const features = Float32Array.from({ length: rows * columns }, (_, i) => {
      return (golden.features[(i * 7) % golden.features.length] as number) * (1 + (i % 13) / 13)
    })
    const inBatchesOf = async (size: number) => {
      const parts: number[] = []
      for (let from = 0; from < rows; from += size) {
        const count = Math.min(size, rows - from)
        const some = features.subarray(from * columns, (from + count) * columns)
        parts.push(...(await model.score(some, count)).probabilities)
      }
      return Buffer.from(Float64Array.from(parts).buffer)
    }
    const alone = await inBatchesOf(1)
    for (const size of [2, 7, 50, 51, 128, 1000, 2000, 4000]) {
      expect(alone.equals(await inBatchesOf(size)), `batches of ${size}`).toBe(true)
    }
  })

  it('of several parts are fused, and each part reads its own columns', async () => {
    const { dir, expected } = await aFusedPackage()
    const { model } = await admitModel(dir, options)
    expect(model.parts).toEqual(['lightgbm', 'turned'])
    const { golden } = await readPackage(small, await readManifest(small))
    const { probabilities, parts } = await model.score(golden.features, golden.rows)
    expect(Array.from(probabilities)).toEqual(expected.map((p) => expect.closeTo(p, 5)))
    expect(parts[1]).not.toEqual(parts[0])
    await expect(admitModel((await aFusedPackage({ weights: [1] })).dir, options)).rejects.toEqual(
      refusal('WEIR_MODEL_MANIFEST', 'one weight a part'),
    )
    await expect(admitModel((await aFusedPackage(null)).dir, options)).rejects.toEqual(
      refusal('WEIR_MODEL_MANIFEST', 'a fusion where there are several parts'),
    )
  })

  it('are none for no rows', async () => {
    const { model } = await admitModel(small, options)
    expect((await model.score(new Float32Array(0), 0)).probabilities).toEqual(new Float64Array(0))
  })

  it('never leave when they are no numbers', async () => {
    const dir = await aPackage({ onnx: 'linear.onnx' })
    const files = await readPackage(dir, await readManifest(dir))
    const model = await loadOnnxModel(files, options, () => {})
    const features = new Float32Array(2 * manifest.columns.length)
    expect((await model.score(features, 2)).probabilities).toHaveLength(2)
    features[features.length - 1] = Number.NaN
    await expect(model.score(features, 2)).rejects.toEqual(refusal('WEIR_MODEL_NOT_FINITE', 'row 1'))
  })
})

describe('a model in a thread of its own', () => {
  it('is admitted there, says where it runs, and gives the same bits', async () => {
    const { model: here } = await admitModel(small, options)
    const places: string[] = []
    const { model } = await openThreadedModel(small, { ...options, log: (place) => places.push(place) })
    const { golden } = await readPackage(small, await readManifest(small))
    const early = model.score(golden.features, golden.rows)
    await model.ready
    expect(places).toEqual([`model ${here.id} runs on cpu`])
    expect(await early).toEqual(await here.score(golden.features, golden.rows))
    await model.close()
  })

  it('is refused as in this one, and so is whatever is asked of it', async () => {
    const dir = await aPackage({ golden: ({ raw }) => raw['lightgbm']?.splice(7, 1, 0.5) })
    const { model } = await openThreadedModel(dir, options)
    const width = manifest.columns.length
    const refused = refusal('WEIR_MODEL_GOLDEN', 'raw score of lightgbm of golden row 7')
    await expect(model.score(new Float32Array(width), 1)).rejects.toEqual(refused)
    await expect(model.ready).rejects.toEqual(refused)
    await expect(model.score(new Float32Array(width), 1)).rejects.toEqual(refused)
    await model.close()
  })

  it('is refused before it begins where its files tell enough', async () => {
    const others = { ...options, features: featuresOf('others', manifest.columns) }
    await expect(openThreadedModel(small, others)).rejects.toEqual(
      refusal('WEIR_MODEL_FEATURES', 'trained on features'),
    )
  })

  it('is refused where another package has taken its place meanwhile', async () => {
    const [dir, other] = [await aPackage({}), await aPackage({ manifest: { data: 'other' } })]
    const { model } = await openThreadedModel(dir, options)
    renameSync(join(dir, 'model.json'), join(dir, 'before.json'))
    for (const name of ['model.json', 'model.json.sha256']) renameSync(join(other, name), join(dir, name))
    await expect(model.ready).rejects.toEqual(refusal('WEIR_MODEL_HASH', 'was changed'))
    await model.close()
  })
})
