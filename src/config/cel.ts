import { type ASTNode, Environment, ParseError, type TypeError as TypeMistake } from '@marcbachmann/cel-js'
import type { BoolExpression } from '../core/rules/expression.ts'
import type { RuleName } from '../core/rules/names.ts'
import { Mistake, pathOf, resolve, unknownFunction, unknownName } from './cel-tree.ts'

/** Reads conditions. */
export interface CelReader {
  /** The library's own, for what is to be compared with it. */
  readonly environment: Environment
  /** @returns what is wrong and where, in one line, instead of the tree. */
  read(text: string): BoolExpression | string
}

type Names = ReadonlyMap<string, RuleName>

/** CEL over the names that rules may use, parsed and type-checked by the library. */
export function createCelReader(names: Names): CelReader {
  const environment = environmentOf(names)
  return {
    environment,
    read(text) {
      try {
        const parsed = environment.parse(text)
        const { error, type = '' } = parsed.check()
        if (error !== undefined) throw mistaken(error, names)
        if (type !== 'bool') throw new Mistake(0, `is a ${type}, not a condition: compare it with something`)
        return resolve(parsed.ast, names)
      } catch (error) {
        if (error instanceof ParseError) return placed(text, mistaken(error, names))
        if (error instanceof Mistake) return placed(text, error)
        throw error
      }
    },
  }
}

/**
 * Numbers compare across int and double in CEL; here they calculate and are found in lists across them, too, so that
 * `feature.amount in [1, 2]` and `feature.amount * 2 > 3.5` can be written as they are thought.
 */
function environmentOf(names: Names): Environment {
  const environment = new Environment()
  for (const [name, schema] of Object.entries(schemaOf(names))) {
    if (typeof schema === 'string') environment.registerVariable(name, schema)
    else environment.registerVariable({ name, schema })
  }
  const across: Readonly<Record<string, (a: number, b: number) => number>> = {
    '+': (a, b) => a + b,
    '-': (a, b) => a - b,
    '*': (a, b) => a * b,
    '/': (a, b) => a / b,
    '%': (a, b) => a % b,
  }
  for (const [operator, calculate] of Object.entries(across)) {
    const handler = (a: number | bigint, b: number | bigint) => calculate(Number(a), Number(b))
    environment.registerOperator(`double ${operator} int`, handler)
    environment.registerOperator(`int ${operator} double`, handler)
  }
  environment.registerOperator('double % double', (a, b) => a % b)
  environment.registerOperator('double == int', (a: number, b: bigint) => a === Number(b))
  const isAmong = (a: number | bigint, list: (number | bigint)[]) => list.some((b) => Number(a) === Number(b))
  environment.registerOperator('double in list<int>', isAmong)
  environment.registerOperator('int in list<double>', isAmong)
  return environment
}

type Schema = { [name: string]: string | Schema }

/** `feature.amount` as { feature: { amount: 'double' } }. */
function schemaOf(names: Names): Schema {
  const root: Schema = {}
  for (const [path, { type }] of names) {
    const keys = path.split('.')
    const last = keys.pop() as string
    let node = root
    for (const key of keys) {
      node[key] ??= {}
      node = node[key] as Schema
    }
    node[last] = type
  }
  return root
}

/** What the library found, with the nearest right name where one is unknown. */
function mistaken(error: ParseError | TypeMistake, names: Names): Mistake {
  const node = error.node as ASTNode | undefined
  switch (error.code) {
    case 'no_such_key':
    case 'unknown_variable':
      if (node !== undefined) return unknownName(pathOf(node), node.start, names)
      break
    case 'no_matching_overload':
      if (node?.op === 'call' || node?.op === 'rcall') return unknownFunction(node.args[0], node)
      break
  }
  const summary = error.summary.charAt(0).toLowerCase() + error.summary.slice(1)
  // The library makes up names, with a $, for the types of variables that have fields.
  return new Mistake(error.range?.start ?? 0, summary.replaceAll('$', ''))
}

/** Line and column count from 1. */
function placed(text: string, { start, message }: Mistake): string {
  const lines = text.slice(0, start).split('\n')
  return `at ${lines.length}:${(lines.at(-1) as string).length + 1}: ${message}`
}
