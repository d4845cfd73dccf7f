import type { Transaction } from '../types.ts'

/**
 * The condition of a rule as a tree in which every name is resolved and every operator knows what it works on. A
 * number may be missing (NaN), and a text (null); a truth never is.
 */
export type BoolExpression =
  | { readonly kind: 'bool'; readonly value: boolean }
  | { readonly kind: 'listed'; readonly bit: number }
  | { readonly kind: 'has number'; readonly of: NumberExpression }
  | { readonly kind: 'has text'; readonly of: TextExpression }
  | { readonly kind: 'not'; readonly of: BoolExpression }
  | { readonly kind: 'and' | 'or'; readonly left: BoolExpression; readonly right: BoolExpression }
  | {
      readonly kind: 'compare numbers'
      readonly comparison: Comparison
      readonly left: NumberExpression
      readonly right: NumberExpression
    }
  | {
      readonly kind: 'compare texts'
      readonly comparison: '==' | '!='
      readonly left: TextExpression
      readonly right: TextExpression
    }
  | { readonly kind: 'number in'; readonly of: NumberExpression; readonly among: readonly number[] }
  | { readonly kind: 'text in'; readonly of: TextExpression; readonly among: readonly string[] }
  | {
      readonly kind: 'text test'
      readonly test: TextTest
      readonly of: TextExpression
      readonly part: TextExpression
    }

export type NumberExpression =
  | { readonly kind: 'number'; readonly value: number }
  | { readonly kind: 'number field'; readonly field: keyof Transaction }
  | { readonly kind: 'feature'; readonly column: number }
  | { readonly kind: 'part'; readonly index: number }
  | { readonly kind: 'score' | 'risk score' }
  | { readonly kind: 'negative'; readonly of: NumberExpression }
  | {
      readonly kind: 'arithmetic'
      readonly operator: Arithmetic
      readonly left: NumberExpression
      readonly right: NumberExpression
    }

export type TextExpression =
  | { readonly kind: 'text'; readonly value: string }
  | { readonly kind: 'text field'; readonly field: keyof Transaction }

export const comparisons = ['==', '!=', '<', '<=', '>', '>='] as const
export type Comparison = (typeof comparisons)[number]

/** `//` is CEL's division of two whole numbers, which drops the remainder. */
export type Arithmetic = '+' | '-' | '*' | '/' | '//' | '%'

export const textTests = ['startsWith', 'endsWith', 'contains'] as const
export type TextTest = (typeof textTests)[number]
