/**
 * One member of the group in a process of its own, configured by WEIR_* variables, that ends or stops itself at a
 * step of the protocol: `node faults/member.ts t.committed:3 SIGKILL` dies the third time that a lane of
 * transactions has committed. Without arguments it just runs. SIGTERM stops it as it stops `weir stream`.
 *
 * Every step of a lane of transactions is a line on standard output.
 */
import { writeSync } from 'node:fs'
import { createRequire } from 'node:module'
import { startStream } from '../src/apps/stream.ts'
import { stopOnSignal } from '../src/cli/shutdown.ts'
import { loadConfig } from '../src/config/load.ts'
import { createLogger } from '../src/observability/log.ts'

const [failpoint = '', signal = 'SIGKILL'] = process.argv.slice(2)
const [place, count] = failpoint.split(':')
let left = Number(count)

function reach(here: string): void {
  // To oneself a signal comes before kill returns: nothing runs in between.
  if (here === place && --left === 0) process.kill(process.pid, signal)
}

const { prototype } = createRequire(import.meta.url)('kafkajs/src/network/connection.js')
const send: (asked: object) => Promise<unknown> = prototype.send
prototype.send = function (asked: { request: { apiName: string } }) {
  if (asked.request.apiName === 'EndTxn') reach('ending')
  return send.call(this, asked)
}

const { config } = loadConfig()
const stream = await startStream(config, createLogger(config.log), ({ kind }, step) => {
  if (kind === 't') writeSync(1, `${step}\n`)
  reach(`${kind}.${step}`)
})
stopOnSignal(() => stream.stop())
