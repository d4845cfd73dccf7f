import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, existsSync } from 'node:fs'
import { mkdir, open, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

const cache = fileURLToPath(new URL('../../.cache/', import.meta.url))
const kafka = { groupId: 'org.apache.kafka', artifactId: 'kafka_2.13', version: '4.4.0' }
const tools = { ...kafka, artifactId: 'kafka-tools' }
// The version of slf4j-api that Kafka brings: without a provider a dying broker says nothing.
const logging = { groupId: 'org.slf4j', artifactId: 'slf4j-simple', version: '1.7.36' }
const redis = { groupId: 'com.github.codemonstur', artifactId: 'embedded-redis', version: '1.4.4' }
type Artifact = typeof kafka

/** The folder of a Kafka broker's jars, fetched once by Maven. */
export function kafkaLibraries(): Promise<string> {
  need('java', 'install Java 17 or later, or a Docker engine, or set WEIR_TEST_KAFKA_BROKERS')
  return fetched(`kafka-${kafka.version}`, 'Kafka', [kafka, logging], 'copy-dependencies')
}

/** The folder of the jars of Kafka's command line tools. */
export function kafkaTools(): Promise<string> {
  return fetched(`kafka-tools-${kafka.version}`, "Kafka's tools", [tools, logging], 'copy-dependencies')
}

/** A Redis server: the installed one, else the one inside a Maven package. */
export async function redisProgram(): Promise<string> {
  if (spawnSync('redis-server', ['--version']).status === 0) return 'redis-server'
  const folder = await fetched(`redis-${redis.version}`, 'Redis', [redis], 'unpack-dependencies')
  const platform = `${process.platform}-${process.arch === 'x64' ? 'amd64' : process.arch}`
  const name = redisBinaries[platform]
  if (name === undefined) {
    throw new Error(`no Redis for ${platform}: install redis-server, or set WEIR_TEST_REDIS_URL`)
  }
  const program = join(folder, name)
  chmodSync(program, 0o755)
  return program
}

const redisBinaries: Readonly<Record<string, string>> = {
  'linux-amd64': 'redis-server-6.2.6-v5-linux-amd64',
  'linux-arm64': 'redis-server-6.2.7-linux-arm64',
  'darwin-amd64': 'redis-server-6.2.6-v5-darwin-amd64',
  'darwin-arm64': 'redis-server-6.2.6-v5-darwin-arm64',
}

function need(program: string, cure: string): void {
  if (spawnSync(program, ['-version']).error !== undefined) throw new Error(`no ${program} here: ${cure}`)
}

/** `name` in the cache, complete or absent: filled beside its place, then renamed. */
async function fetched(name: string, what: string, artifacts: Artifact[], goal: string): Promise<string> {
  const folder = join(cache, name)
  if (existsSync(folder)) return folder
  need('mvn', `install Maven to fetch ${what}, or a Docker engine`)
  await mkdir(cache, { recursive: true })
  const unlock = await lock(join(cache, 'fetch.lock'))
  try {
    if (existsSync(folder)) return folder
    process.stderr.write(`services: fetching ${what} by Maven (once, up to a minute)\n`)
    const partial = `${folder}.partial`
    await rm(partial, { recursive: true, force: true })
    await mkdir(partial)
    await writeFile(join(partial, 'pom.xml'), pom(artifacts))
    await maven(partial, [`dependency:${goal}`, `-DoutputDirectory=${partial}`])
    await rename(partial, folder)
    return folder
  } finally {
    await unlock()
  }
}

function pom(artifacts: Artifact[]): string {
  const dependency = ({ groupId, artifactId, version }: Artifact) =>
    `<dependency><groupId>${groupId}</groupId><artifactId>${artifactId}</artifactId>` +
    `<version>${version}</version></dependency>`
  return (
    '<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>' +
    '<groupId>weir</groupId><artifactId>test-services</artifactId><version>1</version>' +
    `<dependencies>${artifacts.map(dependency).join('')}</dependencies></project>`
  )
}

async function maven(cwd: string, args: string[]): Promise<void> {
  const child = spawn('mvn', ['-q', '-B', ...args], { cwd, stdio: ['ignore', 'pipe', 'pipe'] })
  let output = ''
  child.stdout.on('data', (text) => (output += text))
  child.stderr.on('data', (text) => (output += text))
  const [code] = await once(child, 'exit')
  if (code !== 0) throw new Error(`Maven failed (${code}); can it reach its repository?\n${output}`)
}

/** Holds a file that names our process: Maven's own repository does not take two writers well. */
async function lock(path: string): Promise<() => Promise<void>> {
  for (;;) {
    try {
      const file = await open(path, 'wx')
      await file.writeFile(String(process.pid))
      await file.close()
      return () => rm(path, { force: true })
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    }
    if (await isAbandoned(path)) await rm(path, { force: true })
    else await pause(200)
  }
}

async function isAbandoned(path: string): Promise<boolean> {
  const owner = Number(await readFile(path, 'utf8').catch(() => ''))
  if (owner === 0) return false
  try {
    process.kill(owner, 0)
    return false
  } catch {
    return true
  }
}
