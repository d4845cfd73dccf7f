import { once } from 'node:events'
import { createRequire } from 'node:module'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import fc from 'fast-check'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
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

/** A consumer group of kafkajs of which only what a refused fetch does is there. */
function fetchingGroup(done: string[]) {
  const { prototype } = require('kafkajs/src/consumer/consumerGroup.js')
  return Object.assign(Object.create(prototype), {
    logger: { debug() {} },
    cluster: { refreshMetadata: async () => void done.push('refresh') },
    joinAndSync: async () => void done.push('join'),
  })
}

test.each([
  ['NOT_LEADER_FOR_PARTITION', ['refresh']],
  ['LEADER_NOT_AVAILABLE', ['refresh']],
  ['FENCED_LEADER_EPOCH', ['refresh']],
  ['UNKNOWN_LEADER_EPOCH', ['refresh']],
  ['UNKNOWN_TOPIC_OR_PARTITION', ['refresh', 'join']],
])('after %s a fetch does %j', async (type, does) => {
  const done: string[] = []
  await fetchingGroup(done).recoverFromFetch(Object.assign(new Error(type), { type }))
  expect(done).toEqual(does)
})

test('a fetch that is refused for more than 5 s joins the group anew', async () => {
  const done: string[] = []
  const group = fetchingGroup(done)
  const refused = Object.assign(new Error('refused'), { type: 'NOT_LEADER_FOR_PARTITION' })
  vi.useFakeTimers({ toFake: ['performance'] })
  try {
    for (let i = 0; i < 12; i++) {
      await group.recoverFromFetch(refused)
      vi.advanceTimersByTime(500)
    }
    expect(done.filter((what) => what === 'join')).toHaveLength(1)
    done.length = 0
    for (let i = 0; i < 4; i++) {
      await group.recoverFromFetch(refused)
      vi.advanceTimersByTime(6_000)
    }
    expect(done).not.toContain('join')
  } finally {
    vi.useRealTimers()
  }
})

test.each([
  ['a connection that is refused', { name: 'KafkaJSConnectionError' }, ['beat', 'find', 'beat']],
  ['a connection that ended', { name: 'KafkaJSConnectionClosedError' }, ['beat', 'find', 'beat']],
  ['another coordinator', { type: 'NOT_COORDINATOR_FOR_GROUP' }, ['beat', 'find', 'beat']],
  ['a group that changes', { type: 'REBALANCE_IN_PROGRESS' }, ['beat']],
])('after %s a heartbeat does as it must', async (_, failure, does) => {
  const done: string[] = []
  const coordinator = {
    async heartbeat() {
      done.push('beat')
      throw Object.assign(new Error('refused'), failure)
    },
  }
  const found = { heartbeat: async () => void done.push('beat') }
  const ConsumerGroup = require('kafkajs/src/consumer/consumerGroup.js')
  const group = new ConsumerGroup({
    retry: {},
    topics: [],
    topicConfigurations: {},
    groupId: 'g',
    cluster: {
      async findGroupCoordinator() {
        done.push('find')
        return found
      },
    },
    logger: { namespace: () => ({}) },
    instrumentationEmitter: { emit() {} },
  })
  Object.assign(group, { coordinator, memberId: 'm', generationId: 1, lastRequest: 0 })
  const beating = group.heartbeat({ interval: 0 })
  if (does.length > 1) await beating
  else await expect(beating).rejects.toThrow('refused')
  expect(done).toEqual(does)
})
