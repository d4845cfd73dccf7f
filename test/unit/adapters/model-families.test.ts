import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { float32 } from '../../../src/adapters/lookups.ts'
import { type AdmissionOptions, checkModel } from '../../../src/adapters/model-admission.ts'
import { type ModelPackage, readManifest, readPackage } from '../../../src/adapters/model-package.ts'
import { loadOnnxModel } from '../../../src/adapters/onnx-model.ts'
import { shipped } from '../../helpers/feature-values.ts'

// Written by training/tests/write_fixtures.py: a small package of every family, and 1,000 rows with the scores that
// LightGBM, scikit-learn, Keras and the others gave them themselves, before any export.
const folder = 'test/fixtures/models/families'
const parity = JSON.parse(readFileSync(join(folder, 'parity.json'), 'utf8'))
const rows: number = parity.rows
const features = float32(parity.features)

/** Nothing but comparisons, sums in one order, and perhaps a logistic function. */
const exact = ['lightgbm', 'gan', 'xgboost', 'histgb', 'forest']
/** Sums of leaves: a row that takes one wrong branch is off by far more than rounding. */
const trees = [...exact, 'isolation']
const rounding = 3e-7
const others = readdirSync(folder).filter((name) => name !== 'parity.json' && !trees.includes(name))

interface Loaded {
  readonly dir: string
  readonly options: AdmissionOptions
  readonly files: ModelPackage
}

async function load(family: string): Promise<Loaded> {
  const dir = join(folder, family, '1.0.0')
  const files = await readPackage(dir, await readManifest(dir))
  const { feature_hash: hash, columns: names } = files.manifest
  const compiled = { ...shipped, hash, names, columns: [] }
  return { dir, files, options: { features: compiled, providers: ['cpu'], threads: 1 } }
}

async function scoresOf({ files, options }: Loaded, cells: Float32Array, count: number) {
  const [raw] = await (await loadOnnxModel(files, options, () => {})).raw(cells, count)
  return raw as Float64Array
}

/** How far 1,000 scores are from those of the library, at most. */
async function farthest(family: string, loaded: Loaded): Promise<number> {
  const bytes = Buffer.from(parity.raw[family], 'base64')
  const scores = await scoresOf(loaded, features, rows)
  return Math.max(...scores.map((score, row) => Math.abs(score - bytes.readDoubleLE(8 * row))))
}

it('every family that training knows has a package', () => {
  const known = readFileSync('training/src/weir_training/families/__init__.py', 'utf8')
  const names = [...known.matchAll(/^ {4}"(\w+)": \(/gm)].map(([, name]) => name)
  expect([...trees, ...others].toSorted()).toEqual(names.toSorted())
  expect(rows).toBe(1000)
})

describe.each([...trees, ...others])('%s', (family) => {
  it('is admitted, and scores 1,000 rows as its library does', async () => {
    const loaded = await load(family)
    const checks = await checkModel(loaded.dir, loaded.options)
    expect(checks.filter(({ error }) => error !== null)).toEqual([])
    expect(await farthest(family, loaded)).toBeLessThan(trees.includes(family) ? rounding : 1e-5)
  })
})

it.each(exact)("%s: onnxruntime's scores in Python have the same bits here", async (family) => {
  const loaded = await load(family)
  const { golden } = loaded.files
  expect(Array.from(await scoresOf(loaded, golden.features, golden.rows))).toEqual(golden.raw[family])
})
