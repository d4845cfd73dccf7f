import { once } from 'node:events'
import { createRequire } from 'node:module'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import fc from 'fast-check'
import { afterEach, beforeEach, expect, test } from 'vitest'
import '../../../src/adapters/kafka-patches.ts'

const require = createRequire(import.meta.url)
const Connection = require('kafkajs/src/network/connection')
const Encoder = require('kafkajs/src/protocol/encoder')

const sockets: Socket[] = []
let server: Server
let connection: InstanceType<typeof Connection>
/** How many bytes of its answer the broker sends on each connection before it cuts it. */
let cutAfter: number[]
beforeEach(async () => {
  server = createServer((socket) => {
    sockets.push(socket)
    const cut = cutAfter.shift()
    socket.on('data', (request) => {
      const answer = Buffer.alloc(12)
      answer.writeInt32BE(8, 0)
      request.copy(answer, 4, 8, 12)
      answer.write('done', 8)
      if (cut === undefined) socket.write(answer)
      else socket.end(answer.subarray(0, cut))
    })
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const log = () => {}
  const logger = { namespace: () => ({ debug: log, info: log, warn: log, error: log }) }
  const limits = { requestTimeout: 2_000, connectionTimeout: 2_000 }
  const socketFactory = require('kafkajs/src/network/socketFactory')()
  connection = new Connection({ host: '127.0.0.1', port, logger, socketFactory, ...limits })
})
afterEach(async () => {
  await connection.disconnect()
  server.close()
  for (const socket of sockets.splice(0)) socket.destroy()
})

async function ask(): Promise<string> {
  if (!connection.isConnected()) await connection.connect()
  const request = { apiKey: 12, apiVersion: 0, apiName: 'Heartbeat', encode: async () => new Encoder() }
  return connection.send({ request, response: { decode: async (bytes: Buffer) => bytes, parse: String } })
}

test.each([0, 2, 4, 6, 11])('an answer cut after %d bytes spoils none of those after it', async (bytes) => {
  cutAfter = [bytes]
  await expect(ask()).rejects.toThrow('Closed connection')
  expect(await ask()).toBe('done')
  expect(await ask()).toBe('done')
})

test('who asks while it connects gets the same socket', async () => {
  cutAfter = []
  await Promise.all([connection.connect(), connection.connect()])
  expect(await ask()).toBe('done')
  expect(sockets).toHaveLength(1)
})

/** kafkajs's own, which the patch has replaced. */
function ownBatch() {
  const path = require.resolve('kafkajs/src/consumer/batch.js')
  const patched = require.cache[path]
  delete require.cache[path]
  const own = require(path)
  require.cache[path] = patched
  return own
}

test('a batch tells what kafkajs finds in it', () => {
  const [Own, Patched] = [ownBatch(), require('kafkajs/src/consumer/batch.js')]
  expect(Own).not.toBe(Patched)
  const record = fc.record({ gap: fc.integer({ min: 1, max: 5 }), isControlRecord: fc.boolean() })
  const asks = ['isEmpty', 'isEmptyIncludingFiltered', 'isEmptyDueToFiltering', 'isEmptyControlRecord']
  const told = ['isEmptyDueToLogCompactedMessages', 'firstOffset', 'lastOffset', 'offsetLag', 'offsetLagLow']
  fc.assert(
    fc.property(fc.array(record, { maxLength: 8 }), fc.nat(30), (records, from) => {
      let offset = 7
      const messages = records.map(({ gap, isControlRecord }) => {
        offset += gap
        return { offset, isControlRecord }
      })
      const partition = { partition: 3, highWatermark: '90', abortedTransactions: [], messages }
      const [own, patched] = [Own, Patched].map((Batch) => new Batch('in', String(from), partition))
      for (const ask of [...asks, ...told]) expect([ask, patched[ask]()]).toEqual([ask, own[ask]()])
      expect({ ...patched }).toEqual({ ...own })
    }),
  )
})

test.each([
  ['NOT_LEADER_FOR_PARTITION', ['refresh']],
  ['LEADER_NOT_AVAILABLE', ['refresh']],
  ['UNKNOWN_TOPIC_OR_PARTITION', ['refresh', 'join']],
])('after %s a fetch does %j', async (type, does) => {
  const { prototype } = require('kafkajs/src/consumer/consumerGroup.js')
  const done: string[] = []
  const group = Object.assign(Object.create(prototype), {
    logger: { debug() {} },
    cluster: { refreshMetadata: async () => void done.push('refresh') },
    joinAndSync: async () => void done.push('join'),
  })
  await group.recoverFromFetch(Object.assign(new Error(type), { type }))
  expect(done).toEqual(does)
})
