import { beforeAll, describe, expect, it } from 'vitest'
import { type Admitted, admitModel } from '../../../src/adapters/model-admission.ts'
import { type ModelPackage, readManifest, readPackage } from '../../../src/adapters/model-package.ts'
import { interpolate } from '../../../src/core/calibration.ts'
import { fuse } from '../../../src/core/fusion.ts'
import { shipped } from '../../helpers/feature-values.ts'

const dir = 'test/fixtures/models/fused/1.0.0'

let files: ModelPackage
let admitted: Admitted

beforeAll(async () => {
  files = await readPackage(dir, await readManifest(dir))
  const { feature_hash: hash, columns: names } = files.manifest
  const features = { ...shipped, hash, names, columns: [] }
  admitted = await admitModel(dir, { features, providers: ['cpu'], threads: 1 })
})

describe('a fusion that weir-training fitted', () => {
  it('has parts that all count', () => {
    expect(files.manifest.parts.map(({ name }) => name)).toEqual(['lightgbm', 'logistic'])
    expect(files.manifest.fusion?.weights.every((weight) => weight > 0)).toBe(true)
  })

  it('gives the probabilities of training from the same raw scores, within 1e-9', () => {
    const { manifest, golden } = files
    for (let row = 0; row < golden.rows; row++) {
      const calibrated = manifest.parts.map(({ name, calibration }) =>
        interpolate(calibration, golden.raw[name]?.[row] as number),
      )
      const probability = fuse(manifest.fusion, calibrated)
      expect(Math.abs(probability - (golden.probability[row] as number)), `row ${row}`).toBeLessThan(1e-9)
    }
    expect(new Set(golden.probability).size).toBeGreaterThan(golden.rows / 2)
  })

  it('is admitted and served, each part with its own probabilities beside the fused ones', async () => {
    const { golden, manifest } = files
    const { model } = admitted
    const { probabilities, parts } = await model.score(golden.features, golden.rows)
    for (const [i, { name, calibration }] of manifest.parts.entries()) {
      const expected = golden.raw[name]?.map((raw) => interpolate(calibration, raw)) as number[]
      expect(Array.from(parts[i] as Float64Array)).toEqual(expected.map((p) => expect.closeTo(p, 4)))
    }
    expect(Array.from(probabilities)).toEqual(golden.probability.map((p) => expect.closeTo(p, 4)))
    expect(parts[0]).not.toEqual(parts[1])
    expect(golden.probability.map(model.riskScore)).toEqual(golden.risk_score)
  })
})
