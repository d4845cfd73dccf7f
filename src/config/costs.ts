import { z } from 'zod'
import type { CostMatrix } from '../core/evaluation/costs.ts'
import { only, readYaml } from './definitions.ts'

const sum = (fallback: number) => z.number().min(0).default(fallback)
const share = (fallback: number) => z.number().min(0).max(1).default(fallback)

/** Keys, defaults and meaning are those of config/costs.yaml; a test compares them. */
const costFile = only({
  missed_fraud: only({ share: sum(1), fixed: sum(15) }).prefault({}),
  wrong_decline: only({ share: sum(0.05), fixed: sum(10) }).prefault({}),
  challenge: only({ honest_lost: share(0.1), fraud_passed: share(0.1), fixed: sum(0.05) }).prefault({}),
  review: only({ fraud_passed: share(0.1), fixed: sum(3) }).prefault({}),
})

export const defaultCosts: CostMatrix = costFile.parse({})

/** @throws WeirError WEIR_CONFIG_INVALID that names the place in the file. */
export const loadCosts = (path: string): CostMatrix =>
  readYaml(
    path,
    costFile,
    'WEIR_CONFIG_INVALID',
    'mend the lines that are named; config/costs.yaml has the syntax',
  ) as CostMatrix
