import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { describe, expect, it } from 'vitest'

const shutdown = new URL('../../../src/cli/shutdown.ts', import.meta.url).href

/** A process that waits, stops as told, and gets the signals one by one, each after it has said something. */
async function stopped(
  stop: string,
  ...signals: NodeJS.Signals[]
): Promise<{ code: number | null; said: string }> {
  const script = `
    import { stopOnSignal } from ${JSON.stringify(shutdown)}
    import { setTimeout as sleep } from 'node:timers/promises'
    stopOnSignal(async () => { console.log('stopping'); ${stop} }, 300)
    setInterval(() => {}, 1000)
    console.log('started')`
  const child = spawn(process.execPath, ['--input-type=module-typescript', '-e', script], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let said = ''
  child.stderr.on('data', (text) => {
    said += text
  })
  for (const signal of signals) {
    await once(child.stdout, 'data')
    child.kill(signal)
  }
  const [code] = (await once(child, 'exit')) as [number | null]
  return { code, said }
}

describe('a signal', () => {
  it.each<NodeJS.Signals>(['SIGTERM', 'SIGINT'])('%s lets the work end: 0', async (signal) => {
    expect(await stopped('await sleep(50)', signal)).toEqual({ code: 0, said: '' })
  })

  it('whose work does not end in time ends it: 1', async () => {
    const { code, said } = await stopped('await sleep(60_000)', 'SIGTERM')
    expect(code).toBe(1)
    expect(said).toContain('not stopped within 300 ms')
  })

  it('whose work fails is a failure: 1', async () => {
    const { code, said } = await stopped("throw new Error('broker away')", 'SIGTERM')
    expect(code).toBe(1)
    expect(said).toContain('stopping failed: broker away')
  })

  it('that comes again ends at once', async () => {
    expect((await stopped('await sleep(60_000)', 'SIGTERM', 'SIGINT')).code).toBe(130)
    expect((await stopped('await sleep(60_000)', 'SIGINT', 'SIGTERM')).code).toBe(143)
  })
})
