import { globSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { print, printTable } from '../src/cli/output.ts'
import type { Measured } from './backlog.ts'
import { type Frame, flameOf } from './flame.ts'

/** What `node --cpu-prof` writes. Times are microseconds. */
interface CpuProfile {
  readonly nodes: readonly ProfileNode[]
  readonly startTime: number
  readonly samples: readonly number[]
  readonly timeDeltas: readonly number[]
}

interface ProfileNode {
  readonly id: number
  readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number }
  readonly children?: readonly number[]
}

/** Where the code of a layer lies; the first that fits counts. */
const layers: readonly (readonly [layer: string, where: RegExp])[] = [
  ['onnx', /onnxruntime|adapters\/onnx/],
  ['redis client', /ioredis|@ioredis|redis-|denque/],
  [
    'kafkajs produce',
    /kafkajs\/src\/(producer|protocol\/(encoder|requests\/(produce|addPart|addOff|endTxn|txn))|protocol\/message)|protocol\/recordBatch\/(record|header)\/v0\/index|protocol\/recordBatch\/v0\/index|utils\/(crc32C|groupMess)|recordBatch\/crc/,
  ],
  ['kafkajs fetch', /kafkajs\/src\/(consumer|protocol\/(decoder|requests\/fetch|recordBatch|messageSet))/],
  ['kafkajs other', /kafkajs/],
  ['our kafka adapters', /src\/adapters\/kafka-/],
  ['avro', /avsc|adapters\/avro/],
  ['features (src/core)', /src\/core\//],
  ['stream', /src\/stream\//],
  ['observability', /prom-client|pino|src\/observability/],
  ['sockets', /^node:(net|internal\/(stream|js_stream|net)|stream|internal\/streams)/],
  ['node', /^node:/],
]

const topFunctions = 30
/** Layers with a colour of their own in the picture. */
const mostColoured = 8

/** Prints where weir's main thread spent the measured part of a turn, and draws it beside the profile. */
export function printProfile(folder: string, { from, to }: Measured['window']): void {
  const [file] = globSync(join(folder, '*.cpuprofile'))
  if (file === undefined) throw new Error(`no profile in ${folder}`)
  const profile = JSON.parse(readFileSync(file, 'utf8')) as CpuProfile
  const self = selfTimes(profile, from, to)
  const total = [...self.values()].reduce((sum, time) => sum + time, 0)
  const share = (time: number) => `${((100 * time) / total).toFixed(1)} %`
  const parents = new Map(profile.nodes.flatMap(({ id, children = [] }) => children.map((c) => [c, id])))
  const nodes = new Map(profile.nodes.map((node) => [node.id, node]))

  const byFunction = new Map<string, number>()
  const byLayer = new Map<string, number>()
  for (const [id, time] of self) {
    const { callFrame } = nodes.get(id) as ProfileNode
    add(byFunction, nameOf(callFrame), time)
    add(byLayer, layerOf(id, nodes, parents), time)
  }
  const picture = file.replace(/\.cpuprofile$/, '.svg')
  const shown = descending(byLayer)
    .map(([layer]) => layer)
    .slice(0, mostColoured)
  writeFileSync(picture, flameOf("weir's main thread", framesOf(profile, self, nodes, parents), shown))
  print(`\n${file}, drawn in ${picture}`)
  printTable(
    ['SHARE', 'LAYER'],
    descending(byLayer).map(([layer, time]) => [share(time), layer]),
  )
  print('')
  const top = descending(byFunction).slice(0, topFunctions)
  printTable(
    ['SELF', 'FUNCTION'],
    top.map(([name, time]) => [share(time), name]),
  )
}

/** What was called from nowhere. */
function framesOf(
  { nodes: [root] }: CpuProfile,
  self: ReadonlyMap<number, number>,
  nodes: ReadonlyMap<number, ProfileNode>,
  parents: ReadonlyMap<number, number>,
): readonly Frame[] {
  const frameOf = (id: number): Frame => {
    const { callFrame, children = [] } = nodes.get(id) as ProfileNode
    const calls = children.map(frameOf)
    const time = calls.reduce((sum, call) => sum + call.time, self.get(id) ?? 0)
    return { name: callFrame.functionName || '(anonymous)', layer: layerOf(id, nodes, parents), time, calls }
  }
  return frameOf((root as ProfileNode).id).calls
}

/** Busy time by node, of the samples within the window. */
function selfTimes(
  { samples, timeDeltas, startTime, nodes }: CpuProfile,
  from: number,
  to: number,
): Map<number, number> {
  const idle = new Set(
    nodes.filter(({ callFrame }) => callFrame.functionName === '(idle)').map(({ id }) => id),
  )
  const self = new Map<number, number>()
  let at = startTime
  samples.forEach((id, i) => {
    at += timeDeltas[i] as number
    if (at >= from && at <= to && !idle.has(id)) add(self, id, timeDeltas[i + 1] ?? 0)
  })
  return self
}

/** What is built into V8 belongs to whoever called it. */
function layerOf(
  leaf: number,
  nodes: ReadonlyMap<number, ProfileNode>,
  parents: ReadonlyMap<number, number>,
): string {
  for (let id: number | undefined = leaf; id !== undefined; id = parents.get(id)) {
    const { functionName, url } = (nodes.get(id) as ProfileNode).callFrame
    if (functionName === '(garbage collector)') return 'garbage collection'
    if (url === '' || url.startsWith('node:buffer') || url.startsWith('node:internal/buffer')) continue
    return layers.find(([, where]) => where.test(url))?.[0] ?? 'other'
  }
  return 'outside JavaScript'
}

function nameOf({ functionName, url, lineNumber }: ProfileNode['callFrame']): string {
  const file = url.split('/').slice(-3).join('/')
  return url === '' ? functionName : `${functionName || '(anonymous)'}  ${file}:${lineNumber + 1}`
}

function add<K>(sums: Map<K, number>, key: K, more: number): void {
  sums.set(key, (sums.get(key) ?? 0) + more)
}

const descending = (sums: ReadonlyMap<string, number>) => [...sums].toSorted(([, a], [, b]) => b - a)
