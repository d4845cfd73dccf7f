/**
 * Real Kafka and Redis for tests, benches and fault harnesses: from the environment, in containers, or as local
 * processes that are fetched without root. Also usable outside vitest: `await startKafka()` in any script.
 */
import { containerKafka, containerRedis, whyNoContainers } from './services-containers.ts'
import { localKafka, localRedis } from './services-local.ts'

/** A server of our own. It dies with the process that started it, however that ends. */
export interface Service {
  /** `host:port`; stays the same over `restart`. */
  readonly address: string
  /** Process id on this machine; of a container, its main process as the Docker host counts. */
  pid(): Promise<number>
  /** SIGKILL: no goodbye to clients, nothing flushed that was not written. */
  kill(): Promise<void>
  /** Starts it again after `kill`, on the same port with the same data; resolves when it answers. */
  restart(): Promise<void>
  /** Ends it and deletes its data. Idempotent. */
  stop(): Promise<void>
}

/** Server settings by their own names, over ours: `{ 'num.partitions': '3' }`, `{ appendonly: 'no' }`. */
export type Settings = Readonly<Record<string, string>>

type Way = 'containers' | 'processes'
let chosen: Promise<Way> | undefined

/** A Kafka broker (KRaft, one node) of your own. */
export async function startKafka(settings: Settings = {}): Promise<Service> {
  return (await chooseWay()) === 'containers' ? containerKafka(settings) : localKafka(settings)
}

/** A Redis of your own. Keeps what it acknowledged over `kill` and `restart`, unless `appendonly` is `no`. */
export async function startRedis(settings: Settings = {}): Promise<Service> {
  return (await chooseWay()) === 'containers' ? containerRedis(settings) : localRedis(settings)
}

export interface SharedServices {
  /** Bootstrap server, `host:port` (a list when given from outside). */
  readonly kafka: string
  /** `redis://host:port`. */
  readonly redis: string
  stop(): Promise<void>
}

/** One broker and one store for a whole run: the given ones, else our own. */
export async function startShared(): Promise<SharedServices> {
  const brokers = process.env['WEIR_TEST_KAFKA_BROKERS']
  const url = process.env['WEIR_TEST_REDIS_URL']
  if (brokers) say(`Kafka at ${brokers} (WEIR_TEST_KAFKA_BROKERS)`)
  if (url) say(`Redis at ${url} (WEIR_TEST_REDIS_URL)`)
  const own: Service[] = []
  const begin = async (start: () => Promise<Service>) => {
    const service = await start()
    own.push(service)
    return service.address
  }
  const stop = async () => {
    await Promise.all(own.map((service) => service.stop()))
  }
  const both = await Promise.allSettled([
    brokers ?? begin(startKafka),
    url ?? begin(startRedis).then((address) => `redis://${address}`),
  ])
  const [kafka, redis] = both
  if (kafka.status === 'fulfilled' && redis.status === 'fulfilled') {
    return { kafka: kafka.value, redis: redis.value, stop }
  }
  await stop()
  throw both.find((result) => result.status === 'rejected')?.reason
}

/** Decides once a process, says so, and tells the processes that this one starts. */
function chooseWay(): Promise<Way> {
  chosen ??= (async () => {
    const wanted = process.env['WEIR_TEST_SERVICES']
    if (wanted === 'containers' || wanted === 'processes') return wanted
    const noContainers = await whyNoContainers()
    const way = noContainers === null ? 'containers' : 'processes'
    const because = noContainers === null ? '' : `, not containers: ${noContainers}`
    say(`Kafka and Redis as ${way} (no address in WEIR_TEST_KAFKA_BROKERS, WEIR_TEST_REDIS_URL${because})`)
    process.env['WEIR_TEST_SERVICES'] = way
    return way
  })()
  return chosen
}

function say(line: string): void {
  process.stderr.write(`services: ${line}\n`)
}
