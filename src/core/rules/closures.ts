import type { Transaction } from '../types.ts'
import type {
  Arithmetic,
  BoolExpression,
  Comparison,
  NumberExpression,
  TextExpression,
  TextTest,
} from './expression.ts'

/** What conditions look at. */
export interface RuleInput {
  readonly transaction: Transaction
  /** The vector that was scored; NaN is missing. */
  readonly features: Float32Array
  /** Calibrated probability of fraud. */
  readonly score: number
  /** 0 to 999. */
  readonly riskScore: number
  /** Probabilities in the order of Model.parts. */
  readonly parts: readonly number[]
  /** Bits of the lists that have an entry for the payment: see listBit. */
  readonly listed: number
}

export type Condition = (input: RuleInput) => boolean
type NumberOf = (input: RuleInput) => number
type TextOf = (input: RuleInput) => string | null

/**
 * A condition as nested functions, so that nothing is looked up or decided per payment that the rule's text decides.
 * A comparison with something missing is false, whatever the comparison; a calculation with something missing is
 * missing.
 */
export function compileCondition(tree: BoolExpression): Condition {
  switch (tree.kind) {
    case 'bool':
      return () => tree.value
    case 'listed':
      return (input) => (input.listed & tree.bit) !== 0
    case 'has number': {
      const of = compileNumber(tree.of)
      return (input) => !Number.isNaN(of(input))
    }
    case 'has text': {
      const of = compileText(tree.of)
      return (input) => of(input) !== null
    }
    case 'not': {
      const of = compileCondition(tree.of)
      return (input) => !of(input)
    }
    case 'and': {
      const [left, right] = [compileCondition(tree.left), compileCondition(tree.right)]
      return (input) => left(input) && right(input)
    }
    case 'or': {
      const [left, right] = [compileCondition(tree.left), compileCondition(tree.right)]
      return (input) => left(input) || right(input)
    }
    case 'compare numbers':
      return compareNumbers(tree.comparison, tree.left, tree.right)
    case 'compare texts':
      return compareTexts(tree.comparison === '==', compileText(tree.left), compileText(tree.right))
    case 'number in': {
      const of = compileNumber(tree.of)
      return (input) => tree.among.indexOf(of(input)) >= 0
    }
    case 'text in': {
      const of = compileText(tree.of)
      const among: ReadonlySet<string | null> = new Set(tree.among)
      return (input) => among.has(of(input))
    }
    case 'text test':
      return testText(tree.test, compileText(tree.of), compileText(tree.part))
  }
}

function compareNumbers(
  comparison: Comparison,
  leftTree: NumberExpression,
  rightTree: NumberExpression,
): Condition {
  if (rightTree.kind === 'number') {
    return leftTree.kind === 'feature'
      ? compareFeature(comparison, leftTree.column, rightTree.value)
      : compareWith(comparison, compileNumber(leftTree), rightTree.value)
  }
  const left = compileNumber(leftTree)
  const right = compileNumber(rightTree)
  switch (comparison) {
    case '==':
      return (input) => left(input) === right(input)
    case '!=':
      return (input) => different(left(input), right(input))
    case '<':
      return (input) => left(input) < right(input)
    case '<=':
      return (input) => left(input) <= right(input)
    case '>':
      return (input) => left(input) > right(input)
    case '>=':
      return (input) => left(input) >= right(input)
  }
}

/** Most comparisons are of a feature with a constant: two calls less. */
function compareFeature(comparison: Comparison, column: number, value: number): Condition {
  switch (comparison) {
    case '==':
      return ({ features }) => features[column] === value
    case '!=':
      return ({ features }) => different(features[column] as number, value)
    case '<':
      return ({ features }) => (features[column] as number) < value
    case '<=':
      return ({ features }) => (features[column] as number) <= value
    case '>':
      return ({ features }) => (features[column] as number) > value
    case '>=':
      return ({ features }) => (features[column] as number) >= value
  }
}

/** One call less. */
function compareWith(comparison: Comparison, left: NumberOf, value: number): Condition {
  switch (comparison) {
    case '==':
      return (input) => left(input) === value
    case '!=':
      return (input) => different(left(input), value)
    case '<':
      return (input) => left(input) < value
    case '<=':
      return (input) => left(input) <= value
    case '>':
      return (input) => left(input) > value
    case '>=':
      return (input) => left(input) >= value
  }
}

/** NaN differs from nothing: it is missing. */
const different = (a: number, b: number): boolean => a < b || a > b

function compareTexts(equal: boolean, left: TextOf, right: TextOf): Condition {
  return (input) => {
    const [a, b] = [left(input), right(input)]
    return a !== null && b !== null && (a === b) === equal
  }
}

function testText(test: TextTest, of: TextOf, part: TextOf): Condition {
  const holds = {
    startsWith: (text: string, start: string) => text.startsWith(start),
    endsWith: (text: string, end: string) => text.endsWith(end),
    contains: (text: string, some: string) => text.includes(some),
  }[test]
  return (input) => {
    const [text, some] = [of(input), part(input)]
    return text !== null && some !== null && holds(text, some)
  }
}

function compileNumber(tree: NumberExpression): NumberOf {
  switch (tree.kind) {
    case 'number':
      return () => tree.value
    case 'number field': {
      const { field } = tree
      return ({ transaction }) => (transaction[field] as number | null) ?? Number.NaN
    }
    case 'feature': {
      const { column } = tree
      return ({ features }) => features[column] as number
    }
    case 'part': {
      const { index } = tree
      return ({ parts }) => parts[index] ?? Number.NaN
    }
    case 'score':
      return ({ score }) => score
    case 'risk score':
      return ({ riskScore }) => riskScore
    case 'negative': {
      const of = compileNumber(tree.of)
      return (input) => -of(input)
    }
    case 'arithmetic':
      return calculate(tree.operator, compileNumber(tree.left), compileNumber(tree.right))
  }
}

function calculate(operator: Arithmetic, left: NumberOf, right: NumberOf): NumberOf {
  switch (operator) {
    case '+':
      return (input) => left(input) + right(input)
    case '-':
      return (input) => left(input) - right(input)
    case '*':
      return (input) => left(input) * right(input)
    case '/':
      return (input) => left(input) / right(input)
    case '//':
      return (input) => {
        const divisor = right(input)
        return divisor === 0 ? Number.NaN : Math.trunc(left(input) / divisor)
      }
    case '%':
      return (input) => left(input) % right(input)
  }
}

function compileText(tree: TextExpression): TextOf {
  if (tree.kind === 'text') return () => tree.value
  const { field } = tree
  return ({ transaction }) => transaction[field] as string | null
}
