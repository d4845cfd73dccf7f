import { existsSync, globSync, statSync } from 'node:fs'
import { nearestPath } from '../config/nearest.ts'
import { WeirError } from '../core/errors.ts'
import { standardInput } from './rows.ts'
import { shown, shownNames } from './shown.ts'

export interface InputFile {
  /** `-` for standard input. */
  readonly path: string
  /** Bytes; 0 where unknown. */
  readonly size: number
}

/**
 * The files that are meant by paths and globs, in the order given, those of a glob by name.
 *
 * @throws WeirError WEIR_CLI_INPUT where there is none.
 */
export function inputFiles(given: readonly string[]): InputFile[] {
  return given.flatMap((one) => {
    if (one === standardInput) return [{ path: one, size: 0 }]
    const paths = existsSync(one) ? [one] : globSync(one).toSorted()
    if (paths.length === 0) {
      throw new WeirError('WEIR_CLI_INPUT', `there is no file ${one}`, {
        cure: "check the path; of a glob such as 'data/*.csv', what it is to match",
      })
    }
    return paths.map((path) => {
      const found = statSync(path)
      if (!found.isDirectory()) return { path, size: found.size }
      throw new WeirError('WEIR_CLI_INPUT', `${path} is a folder`, {
        cure: `name its files, for example '${path}/*.csv'`,
      })
    })
  })
}

/** Whether a column is one that a mapping reads; false: rows may lack it. */
type Wanted = ReadonlyMap<string, boolean>

/** Said of columns that nothing reads. @param record what they are no fields of. */
export const notRead = (file: string, columns: readonly string[], record: 'a payment' | 'a label'): string =>
  `${file}: ${shownNames(columns)} are no fields of ${record} and were not read`

/** Holds the columns of several files against what a mapping reads and against each other. */
export class Columns {
  readonly #wanted: Wanted
  readonly #advice: string
  #first: { readonly path: string; readonly columns: ReadonlySet<string> } | undefined

  /** @param advice what to do where a column is missing. */
  constructor(wanted: Wanted, advice = "name the file's own columns in a mapping, --map") {
    this.#wanted = wanted
    this.#advice = advice
  }

  /**
   * @returns the columns that nothing reads.
   * @throws WeirError WEIR_CLI_INPUT where one is missing, or where they are not those of the files before.
   */
  check(path: string, columns: readonly string[]): string[] {
    const own = new Set(columns)
    for (const [column, needed] of this.#wanted) {
      if (!needed || own.has(column)) continue
      const nearest = nearestPath(column, columns)
      throw new WeirError(
        'WEIR_CLI_INPUT',
        `${path} has no column ${column}; it has ${shownNames(columns)}`,
        {
          cure: `${nearest === undefined ? '' : `is ${shown(nearest)} meant? `}${this.#advice}`,
        },
      )
    }
    this.#first ??= { path, columns: own }
    const { path: other, columns: expected } = this.#first
    const more = columns.find((column) => !expected.has(column))
    const less = [...expected].find((column) => !own.has(column))
    const odd = more ?? less
    if (odd !== undefined) {
      const [has, lacks] = more === undefined ? [other, path] : [path, other]
      throw new WeirError('WEIR_CLI_INPUT', `${has} has a column ${shown(odd)}, which ${lacks} lacks`, {
        cure: 'read files of one schema at a time, or give all of them the same columns',
      })
    }
    return columns.filter((column) => !this.#wanted.has(column))
  }
}
