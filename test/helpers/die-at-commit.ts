/**
 * Loaded before a command (`NODE_OPTIONS=--import`), lets its process die by SIGKILL at the first commit of a
 * transaction: with WEIR_TEST_DIE `before`, all records are sent and the commit is not; with `after`, it was answered.
 */
import { createRequire } from 'node:module'

const { prototype } = createRequire(import.meta.url)('kafkajs/src/network/connection.js')
const send: (asked: object) => Promise<unknown> = prototype.send
prototype.send = async function (asked: { request: { apiName: string } }) {
  const isCommit = asked.request.apiName === 'EndTxn'
  if (isCommit && process.env['WEIR_TEST_DIE'] === 'before') process.kill(process.pid, 'SIGKILL')
  const answer = await send.call(this, asked)
  if (isCommit) process.kill(process.pid, 'SIGKILL')
  return answer
}
