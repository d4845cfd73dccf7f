import { cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { listModels, readManifest, readPackage } from '../../../src/adapters/model-package.ts'

const small = 'test/fixtures/models/small/1.0.0'
let root: string

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'weir-models-'))
})
afterEach(() => rm(root, { recursive: true }))

describe('listModels', () => {
  it('lists names in order and versions by number, with the error of what is broken', async () => {
    for (const version of ['1.10.0', '1.9.0']) {
      await cp(small, join(root, 'small', version), { recursive: true })
    }
    await mkdir(join(root, 'another', '1.0.0'), { recursive: true })
    await writeFile(join(root, 'another', '1.0.0', 'model.json'), '{"format": 1}')
    await mkdir(join(root, 'empty', '1.0.0'), { recursive: true })

    const listings = await listModels(root)
    expect(listings.map(({ dir, error }) => [dir.slice(root.length + 1), error?.code ?? null])).toEqual([
      ['another/1.0.0', 'WEIR_MODEL_MANIFEST'],
      ['empty/1.0.0', 'WEIR_MODEL_UNREADABLE'],
      ['small/1.9.0', null],
      ['small/1.10.0', null],
    ])
  })

  it('finds nothing where there is no folder', async () => {
    expect(await listModels(join(root, 'none'))).toEqual([])
  })
})

describe('readPackage', () => {
  it('gives golden rows and a baseline that fit the columns', async () => {
    const { manifest, golden, baseline } = await readPackage(small, await readManifest(small))
    expect(golden.features).toHaveLength(golden.rows * manifest.columns.length)
    expect(golden.features.some(Number.isNaN)).toBe(true)
    expect(Object.keys(baseline.features)).toEqual(manifest.columns)
    const rows = (histogram: { counts: number[] }) => histogram.counts.reduce((sum, n) => sum + n, 0)
    for (const histogram of Object.values(baseline.features)) {
      expect(rows(histogram) + histogram.missing).toBe(manifest.periods.train.rows)
    }
    expect(rows(baseline.risk_score)).toBe(manifest.periods.test.rows)
  })
})
