import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { admitModel } from '../../src/adapters/model-admission.ts'
import { loadFeatures } from '../../src/config/definitions.ts'
import { WeirError } from '../../src/core/errors.ts'
import { Random } from '../../src/core/random.ts'
import { Breaches, breachesOf, type Fault } from '../fault.ts'
import { MemberProcess } from '../member-process.ts'
import { judge, openScene, say, settle, startFeed } from '../scene.ts'

const root = join(import.meta.dirname, '../..')
const shipped = join(root, 'models/champion/1.0.0')
const graph = 'lightgbm.onnx'

/** One way in which a file goes bad: bits turned, bytes overwritten, its end or its middle gone. */
function spoilt(bytes: Buffer, random: Random): Buffer {
  const at = random.between(0, bytes.length - 1)
  const copy = Buffer.from(bytes)
  switch (random.between(0, 4)) {
    case 0:
      copy[at] = (copy[at] as number) ^ (1 << random.between(0, 7))
      return copy
    case 1:
      copy.fill(0, at, Math.min(copy.length, at + random.between(1, 4_096)))
      return copy.equals(bytes) ? copy.subarray(0, at) : copy
    case 2:
      return copy.subarray(0, at)
    case 3:
      return Buffer.concat([copy.subarray(0, at), copy.subarray(at + random.between(1, 64))])
    default:
      return Buffer.concat([copy, copy.subarray(at, at + random.between(1, 64))])
  }
}

/** What became of one spoilt package: refused with a code, or served. */
async function admit(dir: string): Promise<string> {
  try {
    await admitModel(dir, {
      features: loadFeatures(join(root, 'features.yaml')),
      providers: ['cpu'],
      threads: 1,
      log: () => {},
    })
    return 'served'
  } catch (error) {
    if (error instanceof WeirError && error.code.startsWith('WEIR_MODEL_')) return error.code
    throw error
  }
}

export const modelMutants: Fault = {
  name: 'model-mutants',
  promise: 'a model package with any file damaged is refused: none is served, none ends the process',
  times: { whole: 2_000, short: 60 },
  async run({ seed, times }) {
    const dir = await mkdtemp(join(tmpdir(), 'weir-mutants-'))
    try {
      await cp(shipped, dir, { recursive: true })
      const files = [graph, graph, graph, 'model.json', 'golden.json', 'baseline.json']
      const random = new Random(seed, 1)
      const outcomes = new Map<string, number>()
      for (let i = 0; i < times; i++) {
        const name = files[i % files.length] as string
        const sound = await readFile(join(shipped, name))
        await writeFile(join(dir, name), spoilt(sound, random))
        const outcome = await admit(dir)
        outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1)
        await writeFile(join(dir, name), sound)
      }
      for (const [outcome, count] of [...outcomes].sort()) say(`  ${count} x ${outcome}`)
      const served = outcomes.get('served') ?? 0
      const breaches = new Breaches()
      breaches.must(served === 0, `${served} damaged packages were served`)
      breaches.must((await admit(dir)) === 'served', 'the sound package was refused, so this proves nothing')
      return { injected: times, verdict: null, figures: { served }, breaches: breaches.all }
    } finally {
      await rm(dir, { recursive: true, force: true })
    }
  },
}

export const modelLive: Fault = {
  name: 'model-live',
  promise:
    'a model whose files are damaged or deleted under a running member keeps serving; no member starts on them',
  times: { whole: 10, short: 1 },
  async run({ seed, times }) {
    const models = await mkdtemp(join(tmpdir(), 'weir-models-'))
    const dir = join(models, 'champion/1.0.0')
    await cp(shipped, dir, { recursive: true })
    const scene = await openScene({ env: { WEIR_MODELS__DIRECTORY: models } })
    try {
      const member = new MemberProcess(scene.env)
      const feed = startFeed(scene.config, seed, 300)
      await member.step('written')
      const random = new Random(seed, 1)
      const breaches = new Breaches()
      for (let i = 0; i < times; i++) {
        const sound = await readFile(join(shipped, graph))
        if (i % 2 === 0) await writeFile(join(dir, graph), spoilt(sound, random))
        else await rm(join(dir, graph))
        const second = new MemberProcess(scene.env)
        await second.exit()
        breaches.must(
          /WEIR_MODEL_\w+/.test(second.log),
          `a member started on damage ${i}: ${second.log.slice(-300)}`,
        )
        for (let chunks = 0; chunks < 20; chunks++) await member.step('written')
        await writeFile(join(dir, graph), sound)
      }
      await sleep(1_000)
      await feed.stop()
      await settle(scene.config)
      await member.stop()
      const verdict = await judge(scene.config)
      return { injected: times, verdict, figures: {}, breaches: [...breachesOf(verdict), ...breaches.all] }
    } finally {
      await scene.stop()
      await rm(models, { recursive: true, force: true })
    }
  },
}
