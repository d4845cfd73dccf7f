import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { globSync, statSync } from 'node:fs'
import { join } from 'node:path'

const folder = join(import.meta.dirname, 'peers/kafka-streams')
const jar = join(folder, 'target/kafka-streams-peer.jar')

/**
 * Builds the Kafka Streams contestant by Maven, unless it is newer than its sources.
 *
 * @throws Error that says what is missing, or what Maven said.
 */
export async function buildKafkaStreams(): Promise<void> {
  if (isFresh()) return
  for (const [program, what] of [
    ['java', 'Java 17 or later'],
    ['mvn', 'Maven 3.9 or later (apt-get install maven, or https://maven.apache.org/download.cgi)'],
  ] as const) {
    if (spawnSync(program, ['-version']).error !== undefined) {
      throw new Error(`the Kafka Streams contestant needs ${what}: there is no ${program} in PATH`)
    }
  }
  process.stderr.write('bench: building the Kafka Streams contestant by Maven\n')
  // What was fetched once is enough for the next time.
  const offline = await maven(['--offline', 'package'])
  if (offline === null) return
  const failure = await maven(['package'])
  if (failure !== null) throw new Error(`Maven could not build the Kafka Streams contestant:\n${failure}`)
}

/** The command line of the contestant, which gets its options behind it. */
export const kafkaStreams = (): readonly string[] => ['java', ...jvm, '-jar', jar]

/** A heap that is large enough for little garbage collection, and the collector that costs least on few cores. */
const jvm = ['-Xms512m', '-Xmx512m', '-XX:+UseParallelGC']

function isFresh(): boolean {
  const built = statSync(jar, { throwIfNoEntry: false })?.mtimeMs ?? 0
  const sources = ['pom.xml', ...globSync('src/**/*.*', { cwd: folder })]
  return sources.every((source) => statSync(join(folder, source)).mtimeMs < built)
}

/** @returns what Maven said when it failed, else null. */
async function maven(args: readonly string[]): Promise<string | null> {
  const child = spawn('mvn', ['-q', '-B', ...args], { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] })
  let output = ''
  child.stdout.on('data', (text) => {
    output += text
  })
  child.stderr.on('data', (text) => {
    output += text
  })
  const [code] = await once(child, 'close')
  return code === 0 ? null : output
}
