import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { grouped, note, print, printTable } from '../src/cli/output.ts'
import { loadConfig } from '../src/config/load.ts'
import { openCandidates } from '../src/replay/candidates.ts'
import { median, spread } from './median.ts'
import { onnxAlone, replayOnce, type Turn, timed } from './replay-contestants.ts'
import { type Memory, replayMemory } from './replay-memory.ts'
import type { ReplayBenchOptions } from './replay-options.ts'
import { openPandas, type PandasTurn } from './replay-pandas.ts'
import { historyOf } from './replay-payments.ts'

/** Replay beside ONNX Runtime alone and beside pandas, in turns; then what replays of several sizes hold in memory. */
export async function benchReplay(options: ReplayBenchOptions): Promise<void> {
  const { config } = loadConfig({ env: { WEIR_CONFIG: '/dev/null' } })
  const { partitions } = config.topics
  const { seed } = options
  const candidates = await openCandidates(config, [{ name: 'champion', thresholds: {} }])
  const [{ active }] = candidates.all as [(typeof candidates.all)[number]]
  try {
    note(`making ${grouped(options.events)} payments`)
    const items = historyOf({ seed, events: options.events }, partitions)
    const onnx = await onnxAlone(config, await featuresOf(items, candidates.all))
    note(`ONNX Runtime alone is fastest in batches of ${onnx.batch}`)
    const found: Found = { replay: [], onnx: [], pandas: [] }
    // The windows of pandas know the order of time only: for it nothing comes late, and nothing twice.
    const inOrder = { seed, events: options.pandasEvents, lateRate: 0, duplicateRate: 0 }
    const few = options.pandasEvents === 0 ? [] : historyOf(inOrder, partitions)
    const pandas =
      few.length === 0 ? null : await openPandas(few, await featuresOf(few, candidates.all), active.features)
    try {
      for (let round = 1; round <= options.rounds; round++) {
        found.replay.push(await timed(() => replayOnce(items, candidates.all)))
        found.onnx.push(await onnx.run())
        if (pandas !== null) found.pandas.push(await pandas.run())
        note(`round ${round} of ${options.rounds} is done`)
      }
    } finally {
      pandas?.close()
    }
    const memory: Memory[] = []
    for (const events of options.memory) {
      note(`weir replay --events ${events}`)
      memory.push(await replayMemory(events))
    }
    report(found, memory, onnx, options)
  } finally {
    await candidates.close()
  }
}

interface Found {
  readonly replay: Turn[]
  readonly onnx: Turn[]
  readonly pandas: PandasTurn[]
}

/** A first pass, which also warms up: the features of all payments, row-major. */
async function featuresOf(...[items, candidates]: Parameters<typeof replayOnce>): Promise<Float32Array> {
  const chunks: Float32Array[] = []
  await replayOnce(items, candidates, (rows) => chunks.push(rows))
  const all = new Float32Array(chunks.reduce((sum, { length }) => sum + length, 0))
  let at = 0
  for (const chunk of chunks) {
    all.set(chunk, at)
    at += chunk.length
  }
  return all
}

const rowsPerSecond = ({ rows, seconds }: Turn): number => rows / seconds
const cpuPer100k = ({ rows, cpu_s }: Turn): number => (cpu_s / rows) * 100_000

function report(
  found: Found,
  memory: readonly Memory[],
  { batch, width }: { readonly batch: number; readonly width: number },
  { json }: ReplayBenchOptions,
): void {
  const contestants = Object.entries(found).filter(([, turns]) => turns.length > 0)
  printTable(
    ['CONTESTANT', 'ROWS', 'ROWS/S', 'CPU S/100K'],
    contestants.map(([name, turns]: [string, readonly Turn[]]) => [
      name,
      grouped(turns[0]?.rows as number),
      spread(turns.map(rowsPerSecond), 0),
      spread(turns.map(cpuPer100k), 2),
    ]),
  )
  const ratios = ratiosOf(found)
  print(`\nreplay / onnx    ${ratios.replay_to_onnx.toFixed(2)}   rows a second, goal 0.60`)
  if (ratios.replay_to_pandas !== null && ratios.cpu_pandas_to_replay !== null) {
    print(`replay / pandas  ${ratios.replay_to_pandas.toFixed(1)}   rows a second, goal 20`)
    print(`pandas / replay  ${ratios.cpu_pandas_to_replay.toFixed(1)}   CPU a row`)
  }
  const [compared] = found.pandas
  if (compared !== undefined) {
    const { differing, cells, columns } = compared
    print(`pandas differs from weir in ${differing} of ${grouped(cells)} values ${JSON.stringify(columns)}`)
  }
  if (memory.length > 0) {
    print('')
    printTable(
      ['WEIR REPLAY --EVENTS', 'PEAK MIB', 'SECONDS', 'CPU S'],
      memory.map(({ events, peak_mib, seconds, cpu_s }) => [
        grouped(events),
        peak_mib.toFixed(0),
        seconds.toFixed(1),
        cpu_s.toFixed(1),
      ]),
    )
  }
  const results = JSON.stringify({ contestants: found, onnx_batch: batch, columns: width, ...ratios, memory })
  const folder = join(import.meta.dirname, 'results')
  mkdirSync(folder, { recursive: true })
  const path = join(folder, `replay-${Date.now()}.json`)
  writeFileSync(path, `${results}\n`)
  note(path)
  if (json) print(results)
}

/** Each round gives a ratio, so that what slows the machine slows both; medians of the rounds. */
function ratiosOf({ replay, onnx, pandas }: Found) {
  const over = (mine: readonly Turn[], theirs: readonly Turn[], of: (turn: Turn) => number) =>
    theirs.length === 0 ? null : median(mine.map((turn, i) => of(turn) / of(theirs[i] as Turn)))
  return {
    replay_to_onnx: over(replay, onnx, rowsPerSecond) as number,
    replay_to_pandas: over(replay, pandas, rowsPerSecond),
    cpu_pandas_to_replay: pandas.length === 0 ? null : over(pandas, replay, cpuPer100k),
  }
}
