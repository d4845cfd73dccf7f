import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { Redis } from 'ioredis'
import { Kafka, logLevel } from 'kafkajs'
import { expect, inject, test } from 'vitest'
import { startKafka, startRedis } from '../helpers/services.ts'
import { kafkaAnswers, untilReady } from '../helpers/services-ready.ts'

const client = (broker: string) => new Kafka({ brokers: [broker], logLevel: logLevel.NOTHING })

test('the shared broker and the shared store answer', async () => {
  expect(await kafkaAnswers(inject('kafkaBrokers'))).toBe(true)
  const redis = new Redis(inject('redisUrl'))
  expect(await redis.ping()).toBe('PONG')
  redis.disconnect()
})

test('a broker keeps its port and its topics over a kill', async () => {
  const kafka = await startKafka()
  try {
    const admin = client(kafka.address).admin()
    await admin.connect()
    await admin.createTopics({ topics: [{ topic: 'kept', numPartitions: 3 }], waitForLeaders: true })
    await admin.disconnect()
    await kafka.kill()
    expect(await kafkaAnswers(kafka.address)).toBe(false)
    await kafka.restart()
    await admin.connect()
    expect(await admin.listTopics()).toContain('kept')
    await admin.disconnect()
  } finally {
    await kafka.stop()
  }
})

test('a store keeps what it acknowledged over a kill', async () => {
  const service = await startRedis()
  try {
    const before = new Redis(`redis://${service.address}`)
    await before.set('kept', 'yes')
    before.disconnect()
    await service.kill()
    await service.restart()
    const after = new Redis(`redis://${service.address}`)
    expect(await after.get('kept')).toBe('yes')
    after.disconnect()
  } finally {
    await service.stop()
  }
})

test('services end with a process that was killed', async () => {
  const script = `
    import { startRedis } from ${JSON.stringify(new URL('../helpers/services.ts', import.meta.url).href)}
    console.log(await (await startRedis()).pid())
    setInterval(() => {}, 1_000)`
  const owner = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const [line] = await once(owner.stdout, 'data')
  const pid = Number(line)
  expect(isRunning(pid)).toBe(true)
  owner.kill('SIGKILL')
  await untilReady('the guard', async () => !isRunning(pid))
})

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}
