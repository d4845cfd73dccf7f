import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { typicalRow } from '../../../src/adapters/explainer.ts'
import { admitModel } from '../../../src/adapters/model-admission.ts'
import { type ModelPackage, readManifest, readPackage } from '../../../src/adapters/model-package.ts'
import { openThreadedModel, type ThreadedModel } from '../../../src/adapters/threaded-model.ts'
import { logOdds } from '../../../src/core/fusion.ts'
import type { Explanations, Model } from '../../../src/core/ports.ts'
import { shipped } from '../../helpers/feature-values.ts'

const execution = { providers: ['cpu'], threads: 1 }
const which = [0, 3, 40, 77, 120, 199]

interface Loaded {
  readonly files: ModelPackage
  readonly model: Model
  readonly explanations: Explanations
}

/** Features that fit any package. */
const featuresOf = ({ manifest }: ModelPackage) => ({
  ...shipped,
  hash: manifest.feature_hash,
  names: manifest.columns,
  columns: [],
})

async function load(dir: string): Promise<Loaded> {
  const files = await readPackage(dir, await readManifest(dir))
  const { model } = await admitModel(dir, { features: featuresOf(files), ...execution })
  return { files, model, explanations: await explain(model, files, which) }
}

const explain = (model: Model, { golden }: ModelPackage, rows: readonly number[]) =>
  (model.explain as NonNullable<Model['explain']>)(golden.features, golden.rows, rows)

/** Base and contributions of each row that was asked about. */
function sums({ contributions, base }: Explanations, width: number): number[] {
  return which.map((_, i) => contributions.subarray(i * width, (i + 1) * width).reduce((a, b) => a + b, base))
}

const trees = 'test/fixtures/models/small/1.0.0'
const fused = 'test/fixtures/models/fused/1.0.0'

describe('a package with its trees', () => {
  it('is explained exactly: contributions add up to the log-odds of the raw score, and are LightGBM’s own', async () => {
    const { files, explanations } = await load(trees)
    const { golden, manifest } = files
    expect(explanations.exact).toBe(true)
    const raw = which.map((row) => golden.raw['lightgbm']?.[row] as number)
    const scores = sums(explanations, manifest.columns.length).map((sum) => 1 / (1 + Math.exp(-sum)))
    expect(scores).toEqual(raw.map((score) => expect.closeTo(score, 6)))
    const theirs = files.trees?.golden
    const place = theirs?.rows.indexOf(40) as number
    const width = manifest.columns.length
    const expected = theirs?.contributions.subarray(
      place * (width + 1),
      place * (width + 1) + width,
    ) as Float64Array
    const ours = explanations.contributions.subarray(2 * width, 3 * width)
    expect([...ours]).toEqual(Array.from(expected, (value) => expect.closeTo(value, 12)))
    expect(Math.max(...expected.map(Math.abs))).toBeGreaterThan(0.1)
  })
})

describe('a fused package', () => {
  it('is explained by estimates that add up to the log-odds of its probability', async () => {
    const { files, model, explanations } = await load(fused)
    const { golden, manifest } = files
    const { probabilities } = await model.score(golden.features, golden.rows)
    expect(explanations.exact).toBe(false)
    const expected = which.map((row) => logOdds(probabilities[row] as number))
    expect(sums(explanations, manifest.columns.length)).toEqual(expected.map((sum) => expect.closeTo(sum, 9)))
    expect(explanations.contributions.some((value) => value > 0.1)).toBe(true)
  })
})

describe.each([trees, fused])('%s', (dir) => {
  let loaded: Loaded
  let thread: ThreadedModel
  beforeAll(async () => {
    loaded = await load(dir)
    const threaded = await openThreadedModel(dir, { ...execution, features: featuresOf(loaded.files) })
    thread = threaded.model
  })
  afterAll(() => thread.close())

  it('explains in its thread, and row by row, to the bits of all together', async () => {
    const { files, explanations } = loaded
    expect(await explain(thread, files, which)).toEqual(explanations)
    const alone = await Promise.all(which.map((row) => explain(thread, files, [row])))
    expect(alone.flatMap(({ contributions }) => [...contributions])).toEqual([...explanations.contributions])
  })
})

it('the typical row has the medians of the training rows, and is missing where most were', () => {
  const features = {
    spread: { edges: [1, 2, 3], counts: [10, 25, 10, 5], missing: 3 },
    far: { edges: [1, 2, 3], counts: [0, 0, 0, 5], missing: 3 },
    constant: { edges: [0], counts: [7, 0], missing: 0 },
    seldom: { edges: [1, 2], counts: [1, 1, 1], missing: 3 },
    never: { edges: [], counts: [0], missing: 9 },
  }
  const columns = Object.keys(features)
  const risk_score = { edges: [], counts: [1] }
  expect([...typicalRow({ features, risk_score }, columns)]).toEqual([2, 3, 0, Number.NaN, Number.NaN])
})
