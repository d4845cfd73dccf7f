import { globSync, readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { expect, test } from 'vitest'
import { errorCodes } from '../../src/core/errors.ts'

const root = join(import.meta.dirname, '../..')
const read = (file: string) => readFileSync(join(root, file), 'utf8')
const sources = globSync('{src,test,bench,scripts}/**/*.ts', { cwd: root })
const pure = sources.filter((file) => /^src\/(core|generator)\//.test(file))

const imports = (file: string) => [...read(file).matchAll(/\bfrom '([^']+)'/g)].map(([, name = '']) => name)

test('the pure folders are there', () => {
  expect(pure.length).toBeGreaterThan(20)
})

test.each(pure)('%s imports only what is pure', (file) => {
  const outside = imports(file).filter((name) => {
    if (!name.startsWith('.')) return true
    const target = relative(root, join(root, dirname(file), name))
    return !/^src\/(core|generator)\//.test(target)
  })
  expect(outside).toEqual([])
})

test.each(pure.filter((file) => file.startsWith('src/core/')))('%s does not know the generator', (file) => {
  expect(imports(file).filter((name) => name.includes('generator/'))).toEqual([])
})

test.each(pure)('%s has no clock, randomness, environment or output', (file) => {
  const code = read(file).replaceAll(/\/\*[\s\S]*?\*\/|\/\/.*/g, '')
  expect(code).not.toMatch(/\bDate\.now\b|\bnew Date\(\)|\bMath\.random\b|\bprocess\.|\bconsole\./)
})

test.each(sources)('%s is at most 500 lines and imports by relative path with its ending', (file) => {
  expect(read(file).split('\n').length).toBeLessThanOrEqual(501)
  const ours = imports(file).filter((name) => /^[./#]/.test(name))
  expect(ours.filter((name) => !/^\.\.?\/.*\.(ts|json|mjs)$/.test(name))).toEqual([])
})

test('every error code is explained in docs/reference/errors.md, and no other', () => {
  const explained = [...read('docs/reference/errors.md').matchAll(/^\| `(WEIR_[A-Z_]+)`/gm)].map(
    ([, code]) => code,
  )
  expect(explained.toSorted()).toEqual(errorCodes.toSorted())
})
