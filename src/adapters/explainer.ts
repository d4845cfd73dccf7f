import { estimateContributions, type Margins } from '../core/explain/permutations.ts'
import { treeShap } from '../core/explain/tree-shap.ts'
import { logOdds } from '../core/fusion.ts'
import type { Explanations, Model } from '../core/ports.ts'
import type { Baseline, ModelPackage } from './model-package.ts'
import type { Trees } from './trees.ts'

type Explain = NonNullable<Model['explain']>

/** Exact where the package has its trees, else estimated by what the package as a whole says. */
export const explainer = (files: ModelPackage, score: Model['score']): Explain =>
  files.trees === null ? byPermutations(files, score) : byTrees(files, files.trees)

function byTrees({ manifest }: ModelPackage, { trees }: Trees): Explain {
  const { columns, parts } = manifest
  const places = (parts[0]?.columns ?? []).map((column) => columns.indexOf(column))
  const shap = treeShap(trees)
  return async (features, _rows, which) => {
    const cells = new Float32Array(which.length * places.length)
    let at = 0
    for (const row of which) {
      for (const place of places) cells[at++] = features[row * columns.length + place] as number
    }
    const own = shap.contributions(cells, which.length)
    const contributions = new Float64Array(which.length * columns.length)
    own.forEach((value, i) => {
      const row = Math.floor(i / places.length)
      contributions[row * columns.length + (places[i % places.length] as number)] = value
    })
    return { base: shap.base, contributions, exact: true }
  }
}

function byPermutations({ manifest, baseline }: ModelPackage, score: Model['score']): Explain {
  const width = manifest.columns.length
  const reference = typicalRow(baseline, manifest.columns)
  const margins: Margins = async (rows, count) => (await score(rows, count)).probabilities.map(logOdds)
  return async (features, _rows, which): Promise<Explanations> => {
    const contributions = new Float64Array(which.length * width)
    const [base] = await margins(reference, 1)
    for (const [i, row] of which.entries()) {
      const cells = features.slice(row * width, (row + 1) * width)
      const into = contributions.subarray(i * width, (i + 1) * width)
      await estimateContributions(cells, reference, margins, into)
    }
    return { base: base as number, contributions, exact: false }
  }
}

/** The median of each column on the training rows, as near as the baseline has it; missing where most were. */
export function typicalRow({ features }: Baseline, columns: readonly string[]): Float32Array {
  return Float32Array.from(columns, (column) => {
    const { edges, counts, missing } = features[column] ?? { edges: [], counts: [], missing: 0 }
    const present = counts.reduce((sum, count) => sum + count, 0)
    if (present <= missing || edges.length === 0) return Number.NaN
    let below = 0
    const bin = counts.findIndex((count) => {
      below += count
      return below * 2 >= present
    })
    return edges[Math.min(bin, edges.length - 1)] as number
  })
}
