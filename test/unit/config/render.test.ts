import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { loadConfig } from '../../../src/config/load.ts'
import { effectiveValues, renderConfig, renderExample, renderReference } from '../../../src/config/render.ts'
import { settings } from '../../../src/config/settings.ts'

const read = (path: string) => readFileSync(new URL(`../../../${path}`, import.meta.url), 'utf8')
const example = 'config/weir.yaml'

describe('generated files (npm run reference)', () => {
  it('are up to date', () => {
    expect(read(example)).toBe(renderExample())
    expect(read('docs/reference/configuration.md')).toBe(renderReference())
  })

  it('give the defaults as the example', () => {
    expect(loadConfig({ file: example, env: {} }).config).toEqual(
      loadConfig({ file: '/dev/null', env: {} }).config,
    )
  })

  it('document every setting', () => {
    for (const { path, doc, allowed } of settings.values()) expect([path, doc, allowed]).not.toContain('')
  })
})

describe('a printed configuration', () => {
  const set = ['redis.url=redis://me:geheim@h:1/2', 'redis.password=geheim', 'http.port=1']
  const loaded = loadConfig({ file: '/dev/null', env: { WEIR_LOG__LEVEL: 'warn' }, set })

  it('is YAML with the source of each value', () => {
    const printed = renderConfig(loaded, false)
    expect(parse(printed)).toEqual(loaded.config)
    expect(printed).toContain('  port: 1  # --set http.port\n')
    expect(printed).toContain('  level: warn  # WEIR_LOG__LEVEL\n')
    expect(printed).toContain('app: weir  # default\n')
  })

  it('hides secrets and the credentials in URLs', () => {
    const printed = renderConfig(loaded, true)
    expect(printed).not.toContain('geheim')
    expect(printed).toContain('url: redis://(redacted)@h:1/2')
    expect(effectiveValues(loaded, true).get('kafka.sasl.password')).toBeNull()
  })
})
