import { linkSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { refuseOverlap } from '../../../src/files/outputs.ts'
import { makeFolder, makeFolders } from '../../../src/files/write-whole.ts'

const folder = mkdtempSync(join(tmpdir(), 'weir-outputs-'))
afterAll(() => rmSync(folder, { recursive: true }))

const at = (name: string) => join(folder, name)
writeFileSync(at('in.csv'), 'a\n')
mkdirSync(at('sub'))
symlinkSync(at('in.csv'), at('symbolic.csv'))
linkSync(at('in.csv'), at('hard.csv'))
symlinkSync(at('sub'), at('other'))

describe('outputs', () => {
  it.each(['in.csv', 'sub/../in.csv', 'symbolic.csv', 'hard.csv'])('over what is read: %s', (name) => {
    expect(() => refuseOverlap([at('in.csv')], [{ flag: '--scores', path: at(name) }])).toThrow(
      expect.objectContaining({
        code: 'WEIR_CLI_USAGE',
        message: `--scores ${at(name)} would overwrite ${at('in.csv')}, which is read`,
        cure: 'choose another place by --scores',
      }),
    )
  })

  it('at one place, which is not there yet', () => {
    const outputs = [
      { flag: '--scores', path: at('sub/new/x') },
      { flag: '--state', path: at('other/new/x') },
    ]
    expect(() => refuseOverlap([], outputs)).toThrow(/^--state .* would overwrite --scores /)
  })

  it('apart from each other, on devices or standard input, or absent, are fine', () => {
    refuseOverlap(
      [at('in.csv'), '-'],
      [
        { flag: '--scores', path: '/dev/null' },
        { flag: '--state', path: '/dev/null' },
        { flag: '--out', path: at('out') },
        { flag: '--x', path: null },
        { flag: '--y', path: undefined },
      ],
    )
  })
})

describe('folders', () => {
  it('are made one within the other, once', () => {
    expect(makeFolders(at('a/b/c'))).toBe(at('a'))
    expect(makeFolders(at('a/b/d'))).toBe(at('a/b/d'))
    expect(makeFolders(at('a/b/d'))).toBeUndefined()
  })

  it.each(['/proc/x/y', `${at('in.csv')}/x`])('that cannot be: %s', (path) => {
    expect(() => makeFolder(path)).toThrow(
      expect.objectContaining({ code: 'WEIR_CLI_INPUT', cure: 'choose another by --out' }),
    )
  })
})
