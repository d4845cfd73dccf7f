import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { access, mkdir } from 'node:fs/promises'
import { type AddressInfo, createServer } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const version = '3.0.9'
const folder = fileURLToPath(new URL(`../../.cache/apicurio-registry-${version}/`, import.meta.url))
const jar = `apicurio-registry-app-${version}-runner.jar`
const run = promisify(execFile)

export interface Registry {
  /** Base address of the Confluent API. */
  readonly url: string
  /** Stops answering and starts again, with nothing kept. Null for a registry that is not ours. */
  readonly restart: { stop(): Promise<void>; start(): Promise<void> } | null
  close(): Promise<void>
}

/** The registry of WEIR_TEST_SCHEMA_REGISTRY_URL, else an Apicurio of our own, fetched by Maven once. */
export async function startRegistry(): Promise<Registry> {
  const { WEIR_TEST_SCHEMA_REGISTRY_URL: given } = process.env
  if (given) return { url: given, restart: null, close: async () => {} }
  await fetchApicurio()
  const port = await freePort()
  const url = `http://127.0.0.1:${port}/apis/ccompat/v7`
  let stop = await startApicurio(port, url)
  return {
    url,
    restart: {
      stop: () => stop(),
      start: async () => {
        stop = await startApicurio(port, url)
      },
    },
    close: () => stop(),
  }
}

async function fetchApicurio(): Promise<void> {
  try {
    await access(folder + jar)
  } catch {
    await mkdir(folder, { recursive: true })
    const artifact = `io.apicurio:apicurio-registry-app:${version}:tar.gz:all`
    await run(
      'mvn',
      ['-q', '-B', 'dependency:copy', `-Dartifact=${artifact}`, `-DoutputDirectory=${folder}`],
      {
        cwd: folder,
      },
    )
    await run('tar', ['xzf', `apicurio-registry-app-${version}-all.tar.gz`], { cwd: folder })
  }
}

async function startApicurio(port: number, url: string): Promise<() => Promise<void>> {
  const child = spawn('java', ['-Xmx384m', '-jar', jar], {
    cwd: folder,
    env: {
      ...process.env,
      QUARKUS_HTTP_HOST: '127.0.0.1',
      QUARKUS_HTTP_PORT: String(port),
      REGISTRY_STORAGE_KIND: 'mem',
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (output += chunk))
  const exited = once(child, 'exit')
  while (!(await answers(url))) {
    if (child.exitCode !== null) throw new Error(`Apicurio ended with ${child.exitCode}:\n${output}`)
    await pause(200)
  }
  return async () => {
    child.kill()
    await exited
  }
}

async function answers(url: string): Promise<boolean> {
  try {
    return (await fetch(`${url}/subjects`)).ok
  } catch {
    return false
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}
