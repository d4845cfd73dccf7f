import { describe, expect, it } from 'vitest'
import { WeirError } from '../../../src/core/errors.ts'
import { createLogger } from '../../../src/observability/log.ts'

function logger(options: { level?: string; pretty?: boolean } = {}) {
  const written: string[] = []
  const stream = { write: (text: string) => written.push(text) }
  const log = createLogger({ level: 'info', pretty: false, ...options }, { app: 'weir' }, stream)
  return { log, written, last: () => JSON.parse(written.at(-1) ?? '') as Record<string, unknown> }
}

describe('the log', () => {
  it('writes one JSON line an entry, with time, level and base fields', () => {
    const { log, last } = logger()
    log.child({ component: 'lane' }).info({ topic: 't', partition: 3, offset: 9 }, 'acquired')
    expect(last()).toMatchObject({
      level: 'info',
      app: 'weir',
      component: 'lane',
      partition: 3,
      message: 'acquired',
    })
    expect(last()['time']).toMatch(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/)
  })

  it('leaves out what is below its level', () => {
    const { log, written } = logger({ level: 'warn' })
    log.info('not this')
    expect(written).toEqual([])
  })

  it('hides credentials and payment data, wherever an object carries them', () => {
    const { log, written } = logger()
    log.info({ password: 'geheim', kafka: { sasl: { password: 'geheim' } } }, 'a')
    log.info({ record: { value: 'geheim', offset: 1 }, transaction: { description: 'geheim' } }, 'b')
    expect(written.join()).not.toContain('geheim')
    expect(written.join()).toContain('"offset":1')
  })

  it('shows the cure of a mistake, and the stack of a bug', () => {
    const { log, last } = logger()
    const cause = new Error('refused')
    log.error({
      error: new WeirError('WEIR_LOG_UNAVAILABLE', 'away', { cure: 'start it', retriable: true, cause }),
    })
    expect(last()['error']).toEqual({
      code: 'WEIR_LOG_UNAVAILABLE',
      message: 'away',
      cure: 'start it',
      retriable: true,
      cause: 'refused',
    })
    log.error({ error: new TypeError('x is not a function') })
    expect(last()['error']).toMatchObject({
      message: 'x is not a function',
      stack: expect.stringContaining('at '),
    })
  })

  it('can be readable', () => {
    const { log, written } = logger({ pretty: true })
    log.warn({ partition: 3, detail: { a: 1 } }, 'fenced')
    expect(written[0]).toMatch(
      /^\d\d:\d\d:\d\d\.\d{3} .*warn .* fenced .*app=weir partition=3 detail=\{"a":1\}/,
    )
  })
})
