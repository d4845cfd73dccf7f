import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { setImmediate as turn } from 'node:timers/promises'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { coalesced } from '../../../src/adapters/coalesced.ts'

let server: Server
let peer: Socket
let socket: Socket
const received: Buffer[] = []

beforeEach(async () => {
  received.length = 0
  server = createServer((accepted) => {
    peer = accepted
    accepted.on('data', (bytes: Buffer) => received.push(bytes))
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  socket = coalesced(connect((server.address() as AddressInfo).port, '127.0.0.1'))
  await Promise.all([once(socket, 'connect'), once(server, 'connection')])
})
afterEach(() => {
  socket.destroy()
  peer.destroy()
  server.close()
})

const text = () => Buffer.concat(received).toString()

test('what is written in one turn leaves together, in order, and what comes after it by itself', async () => {
  const writev = vi.spyOn(socket as unknown as { _writev(): void }, '_writev')
  for (const part of ['a', 'b', 'c']) socket.write(part)
  await Promise.resolve().then(() => socket.write('d'))
  expect(socket.writableLength).toBe(4)
  await turn()
  expect(socket.writableLength).toBe(0)
  expect(writev).toHaveBeenCalledTimes(1)
  socket.write('e')
  await expect.poll(text).toBe('abcde')
  expect(writev).toHaveBeenCalledTimes(1)
})

test('much is not held, and takes with it what was written before', async () => {
  const much = 'x'.repeat(100_000)
  socket.write('a')
  socket.write(much)
  expect(socket.writableCorked).toBe(0)
  socket.write('b')
  await expect.poll(() => text().length).toBe(much.length + 2)
  expect(text()).toBe(`a${much}b`)
})

test('what is held when a socket is ended still leaves', async () => {
  socket.write('a')
  socket.end('b')
  await expect.poll(text).toBe('ab')
})

test('what is held when a socket is destroyed fails as it would', async () => {
  const failed = once(socket, 'error')
  const written = new Promise((resolve) => socket.write('a', resolve))
  socket.destroy(new Error('gone'))
  expect(await failed).toMatchObject([{ message: 'gone' }])
  expect(await written).toBeInstanceOf(Error)
})

test('each write is answered when its bytes are gone', async () => {
  const gone: string[] = []
  for (const part of ['a', 'b']) socket.write(part, () => gone.push(part))
  await expect.poll(() => gone).toEqual(['a', 'b'])
})
