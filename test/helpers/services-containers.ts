import { randomUUID } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import { GenericContainer, getContainerRuntimeClient, ImageName } from 'testcontainers'
import type { Service, Settings } from './services.ts'
import { guard } from './services-guard.ts'
import { durableRedis, smallKafka } from './services-local.ts'
import { freePort, kafkaAnswers, redisAnswers, untilReady } from './services-ready.ts'

const images = { kafka: 'apache/kafka:4.4.0', redis: 'redis:7' }
// Its image is one more to pull, and our own guard ends the containers.
process.env['TESTCONTAINERS_RYUK_DISABLED'] = 'true'

/** Null when the containers can be started here, else why not. */
export async function whyNoContainers(): Promise<string | null> {
  const client = await within(5_000, getContainerRuntimeClient()).catch(() => null)
  if (client === null) return 'no Docker engine answers'
  for (const image of Object.values(images)) {
    const name = ImageName.fromString(image)
    if (await client.image.exists(name)) continue
    process.stderr.write(`services: pulling ${image}\n`)
    try {
      await within(120_000, client.image.pull(name))
    } catch {
      return `image ${image} is not here and cannot be pulled`
    }
  }
  return null
}

/** The broker talks to itself inside the container, clients come by the mapped port: two listeners. */
export async function containerKafka(settings: Settings): Promise<Service> {
  const port = await freePort()
  const address = `${await host()}:${port}`
  const properties = {
    'process.roles': 'broker,controller',
    'node.id': '1',
    'controller.quorum.voters': '1@127.0.0.1:9093',
    'controller.listener.names': 'CONTROLLER',
    'inter.broker.listener.name': 'INTERNAL',
    'listener.security.protocol.map': 'INTERNAL:PLAINTEXT,EXTERNAL:PLAINTEXT,CONTROLLER:PLAINTEXT',
    listeners: 'INTERNAL://127.0.0.1:19092,EXTERNAL://:9092,CONTROLLER://127.0.0.1:9093',
    'advertised.listeners': `INTERNAL://127.0.0.1:19092,EXTERNAL://${address}`,
    // At its default a broker of this image can end without a word.
    'log.dirs': '/tmp/weir-kafka',
    ...smallKafka,
    ...settings,
  }
  const variable = ([name, value]: [string, string]) => [
    `KAFKA_${name.replaceAll('.', '_').toUpperCase()}`,
    value,
  ]
  const container = new GenericContainer(images.kafka)
    .withEnvironment(Object.fromEntries(Object.entries(properties).map(variable)))
    .withEnvironment({ KAFKA_HEAP_OPTS: '-Xmx512m' })
    .withExposedPorts({ container: 9092, host: port })
  return startContainer(container, 'Kafka', address, kafkaAnswers)
}

export async function containerRedis(settings: Settings): Promise<Service> {
  const port = await freePort()
  const options = Object.entries({ ...durableRedis, ...settings })
  const container = new GenericContainer(images.redis)
    .withCommand([
      'redis-server',
      ...options.flatMap(([name, value]) => [`--${name}`, value.replace('""', '')]),
    ])
    .withExposedPorts({ container: 6379, host: port })
  return startContainer(container, 'Redis', `${await host()}:${port}`, redisAnswers)
}

async function host(): Promise<string> {
  const name = (await getContainerRuntimeClient()).info.containerRuntime.host
  return name === 'localhost' ? '127.0.0.1' : name
}

async function startContainer(
  plan: GenericContainer,
  what: string,
  address: string,
  answers: (address: string) => Promise<boolean>,
): Promise<Service> {
  // Guarded by a name of our own before it exists, so that an end while it starts leaves nothing behind.
  const name = `weir-test-${randomUUID()}`
  const unguard = guard('docker rm -f -v "$1"', name)
  const { dockerode } = (await getContainerRuntimeClient()).container
  const container = dockerode.getContainer(name)
  const state = async () => (await container.inspect()).State
  let stopped = false
  const ready = () => untilReady(what, () => answers(address))
  const stop = async () => {
    if (stopped) return
    stopped = true
    await container.remove({ force: true, v: true })
    await unguard()
  }
  try {
    await plan.withName(name).start()
    await ready()
  } catch (error) {
    const log = await container.logs({ stdout: true, stderr: true, tail: 20 }).catch(() => '')
    await stop().catch(() => {})
    throw new Error(`${what} in a container: ${error}\n${log}`, { cause: error })
  }
  return {
    address,
    pid: async () => (await state()).Pid,
    kill: async () => {
      await container.kill()
      while ((await state()).Running) await pause(20)
    },
    restart: async () => {
      await container.start()
      await ready()
    },
    stop,
  }
}

function within<T>(limitMs: number, work: Promise<T>): Promise<T> {
  const late = pause(limitMs, undefined, { ref: false }).then(() => Promise.reject(new Error('too slow')))
  return Promise.race([work, late])
}
