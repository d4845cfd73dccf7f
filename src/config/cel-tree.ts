import type { ASTNode } from '@marcbachmann/cel-js'
import {
  type Arithmetic,
  type BoolExpression,
  type Comparison,
  comparisons,
  type NumberExpression,
  type TextExpression,
  type TextTest,
  textTests,
} from '../core/rules/expression.ts'
import type { RuleName } from '../core/rules/names.ts'
import { nearestPath } from './nearest.ts'

/** What is wrong with a condition, and where it begins in the text. */
export class Mistake extends Error {
  readonly start: number

  constructor(start: number, what: string) {
    super(what)
    this.start = start
  }
}

/** A part of a condition; `whole`: a number that CEL counts as int. */
type Resolved =
  | { readonly type: 'bool'; readonly tree: BoolExpression }
  | { readonly type: 'number'; readonly tree: NumberExpression; readonly whole: boolean }
  | { readonly type: 'text'; readonly tree: TextExpression }

type Of<Type extends Resolved['type']> = Extract<Resolved, { readonly type: Type }>
type Names = ReadonlyMap<string, RuleName>

/**
 * The library's tree, which it has checked, as ours.
 *
 * @throws Mistake for what CEL has and rules have not.
 */
export function resolve(node: ASTNode, names: Names): BoolExpression {
  return as('bool', resolved(node, names), node).tree
}

function resolved(node: ASTNode, names: Names): Resolved {
  const inner = (child: ASTNode) => resolved(child, names)
  switch (node.op) {
    case 'value':
      return literal(node)
    case 'id':
    case '.':
      return named(node, names)
    case '!_':
      return { type: 'bool', tree: { kind: 'not', of: as('bool', inner(node.args), node).tree } }
    case '&&':
    case '||': {
      const [left, right] = node.args.map((child) => as('bool', inner(child), child).tree)
      const kind = node.op === '&&' ? 'and' : 'or'
      return { type: 'bool', tree: { kind, left, right } as BoolExpression }
    }
    case '-_': {
      const { tree, whole } = as('number', inner(node.args), node)
      return { type: 'number', tree: { kind: 'negative', of: tree }, whole }
    }
    case 'in':
      return among(inner(node.args[0]), node.args[1])
    case 'call':
      return has(node, names)
    case 'rcall': {
      const [test, receiver, given] = node.args
      return textTest(node, test, inner(receiver), given.map(inner))
    }
    case '+':
    case '-':
    case '*':
    case '/':
    case '%': {
      const [left, right] = node.args
      return arithmetic(node.op, as('number', inner(left), left), as('number', inner(right), right))
    }
    default:
      if (!isComparison(node.op)) throw new Mistake(node.start, `rules do not have ${described(node.op)}`)
      return compared(node.op, node, ...(node.args as [ASTNode, ASTNode]).map(inner))
  }
}

const isComparison = (op: string): op is Comparison => comparisons.some((comparison) => comparison === op)

function literal(node: Extract<ASTNode, { readonly op: 'value' }>): Resolved {
  const { args: value } = node
  if (typeof value === 'boolean') return { type: 'bool', tree: { kind: 'bool', value } }
  if (typeof value === 'string') return { type: 'text', tree: { kind: 'text', value } }
  if (typeof value !== 'number' && typeof value !== 'bigint') {
    const cure = value === null ? ': ask has(...) whether something is there' : ''
    throw new Mistake(node.start, `rules have numbers, texts, true and false only${cure}`)
  }
  if (typeof value === 'bigint' && !Number.isSafeInteger(Number(value))) {
    throw new Mistake(node.start, `${value} is beyond the whole numbers that can be told apart (2^53)`)
  }
  return { type: 'number', tree: { kind: 'number', value: Number(value) }, whole: typeof value === 'bigint' }
}

function named(node: ASTNode, names: Names): Resolved {
  const path = pathOf(node)
  const name = names.get(path)
  if (name === undefined) throw unknownName(path, node.start, names)
  switch (name.type) {
    case 'bool':
      return { type: 'bool', tree: name.value }
    case 'string':
      return { type: 'text', tree: name.value }
    default:
      return { type: 'number', tree: name.value, whole: name.type === 'int' }
  }
}

/** `feature.amount` of a chain of selections; what cannot be told is left out. */
export function pathOf(node: ASTNode): string {
  if (node.op === 'id') return node.args
  return node.op === '.' ? `${pathOf(node.args[0])}.${node.args[1]}` : ''
}

export function unknownName(path: string, start: number, names: Names): Mistake {
  const nearest = nearestPath(path, names.keys())
  return new Mistake(
    start,
    `there is no "${path}"${nearest === undefined ? '' : `; did you mean ${nearest}?`}`,
  )
}

function arithmetic(operator: Exclude<Arithmetic, '//'>, left: Of<'number'>, right: Of<'number'>): Resolved {
  const whole = left.whole && right.whole
  const tree = {
    kind: 'arithmetic' as const,
    operator: operator === '/' && whole ? ('//' as const) : operator,
    left: left.tree,
    right: right.tree,
  }
  return { type: 'number', tree, whole }
}

function compared(comparison: Comparison, node: ASTNode, left?: Resolved, right?: Resolved): Resolved {
  if (left?.type === 'number' && right?.type === 'number') {
    return {
      type: 'bool',
      tree: { kind: 'compare numbers', comparison, left: left.tree, right: right.tree },
    }
  }
  if (left?.type === 'text' && right?.type === 'text' && (comparison === '==' || comparison === '!=')) {
    return { type: 'bool', tree: { kind: 'compare texts', comparison, left: left.tree, right: right.tree } }
  }
  const cure =
    left?.type === 'bool' ? 'write the condition alone, or ! before it' : 'texts have == and != only'
  throw new Mistake(node.start, `rules do not compare ${left?.type} ${comparison} ${right?.type}: ${cure}`)
}

function among(of: Resolved, list: ASTNode): Resolved {
  if (list.op !== 'list') throw new Mistake(list.start, 'after `in` comes a list, ["DE", "FR"]')
  const values = list.args.map((node) => {
    const { tree } = resolvedConstant(node)
    if (of.type === 'bool') throw new Mistake(list.start, 'a condition is in no list')
    return tree.value
  })
  return of.type === 'number'
    ? { type: 'bool', tree: { kind: 'number in', of: of.tree, among: values as number[] } }
    : { type: 'bool', tree: { kind: 'text in', of: (of as Of<'text'>).tree, among: values as string[] } }
}

/** A number, its sign included, or a text. */
function resolvedConstant(node: ASTNode): { readonly tree: { readonly value: number | string } } {
  const sign = node.op === '-_' ? -1 : 1
  const bare = node.op === '-_' ? node.args : node
  const { tree } = bare.op === 'value' ? literal(bare) : { tree: undefined }
  if (tree?.kind === 'number') return { tree: { value: sign * tree.value } }
  if (tree?.kind === 'text') return { tree }
  throw new Mistake(node.start, 'a list has numbers or texts only')
}

function has(node: Extract<ASTNode, { readonly op: 'call' }>, names: Names): Resolved {
  const [name, [asked]] = node.args
  if (name !== 'has' || asked === undefined) throw unknownFunction(name, node)
  const of = named(asked, names)
  if (of.type === 'bool') throw new Mistake(asked.start, `${pathOf(asked)} is never missing`)
  return of.type === 'number'
    ? { type: 'bool', tree: { kind: 'has number', of: of.tree } }
    : { type: 'bool', tree: { kind: 'has text', of: of.tree } }
}

function textTest(node: ASTNode, name: string, of: Resolved, given: readonly Resolved[]): Resolved {
  const [part] = given
  const test = textTests.find((known) => known === name)
  if (test === undefined || of.type !== 'text' || part?.type !== 'text') throw unknownFunction(name, node)
  return { type: 'bool', tree: { kind: 'text test', test: test as TextTest, of: of.tree, part: part.tree } }
}

export function unknownFunction(name: string, node: ASTNode): Mistake {
  const known = ['has', ...textTests]
  if (known.includes(name)) {
    const usage = name === 'has' ? 'has(NAME)' : `TEXT.${name}(TEXT)`
    return new Mistake(node.start, `${name} is written ${usage}`)
  }
  const nearest = nearestPath(name, known)
  const cure = nearest === undefined ? `; there are ${known.join(', ')}` : `; did you mean ${nearest}?`
  return new Mistake(node.start, `rules do not have ${name}()${cure}`)
}

function as<Type extends Resolved['type']>(type: Type, given: Resolved, node: ASTNode): Of<Type> {
  if (given.type === type) return given as Of<Type>
  throw new Mistake(node.start, `is a ${given.type}, and a ${type} is needed`)
}

const described = (op: string): string =>
  ({
    '?:': '? and :; write (a && b) || (!a && c)',
    list: 'lists but after `in`',
    map: 'maps',
    '[]': '[...]; write a name with a dot, feature.amount',
    '.?': '.?; ask has(...)',
    '[?]': '[?...]; ask has(...)',
  })[op] ?? op
