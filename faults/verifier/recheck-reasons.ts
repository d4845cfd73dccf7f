import type { ActiveSet } from '../../src/core/decide.ts'
import { type Explained, explainRows } from '../../src/core/explain/explained.ts'
import { logOdds } from '../../src/core/fusion.ts'
import type { Findings } from './findings.ts'
import type { Installation } from './installation.ts'
import { plainShap } from './plain-shap.ts'

/** Far above rounding, far below what anybody could see. */
const tolerance = 1e-9

/**
 * Why rows score as they do, by weir's own code, whose bits alerts carry; held against the algorithm of the paper where
 * the package has its trees, and otherwise against the score that the contributions must add up to.
 *
 * @param which places of the rows that are not approved.
 */
export async function explainAgain(
  { active: { model, features }, trees }: Pick<Installation, 'trees'> & { readonly active: ActiveSet },
  rows: Float32Array,
  scores: Float64Array,
  which: readonly number[],
  findings: Findings,
): Promise<ReadonlyMap<number, Explained>> {
  const explained = await explainRows(model, rows, scores.length, which)
  const width = features.names.length
  for (const [row, { base, contributions }] of explained) {
    if (trees === null) {
      const sum = contributions.reduce((a, b) => a + b, base)
      const margin = logOdds(scores[row] as number)
      if (!(Math.abs(sum - margin) <= tolerance))
        findings.add('changed', `contributions add up to log-odds of ${sum}, the score's are ${margin}`)
      continue
    }
    const cells = trees.places.map((place) => rows[row * width + place] as number)
    const expected = new Float64Array(width)
    plainShap(trees.trees, cells).forEach((value, i) => {
      expected[trees.places[i] as number] = value
    })
    const off = expected.findIndex(
      (value, i) => !(Math.abs(value - (contributions[i] as number)) <= tolerance),
    )
    if (off >= 0)
      findings.add(
        'changed',
        `${features.names[off]} contributes ${contributions[off]}, by the paper's algorithm ${expected[off]}`,
      )
  }
  return explained
}
