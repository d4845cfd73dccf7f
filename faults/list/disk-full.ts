import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Random } from '../../src/core/random.ts'
import { Breaches, type Fault } from '../fault.ts'
import { say } from '../scene.ts'

const program = join(import.meta.dirname, '../../src/main.js')
const events = 20_000

/**
 * In a mount namespace of its own, which needs no root where the kernel allows it: a disk of so many KiB, a replay that
 * fills it, room made, and the same replay again. What was written is copied out at the end.
 */
const script = `
disk=$1; kib=$2; seed=$3; copy=$4
mount -t tmpfs -o size="$kib"k none "$disk" || exit 77
"$NODE" "$WEIR" replay --events ${events} --seed "$seed" --out "$disk/out" 2>"$copy/first.log" >/dev/null
echo $? > "$copy/first.code"
find "$disk" -type f > "$copy/first.files"
mount -o remount,size=1g "$disk"
"$NODE" "$WEIR" replay --events ${events} --seed "$seed" --out "$disk/out" 2>"$copy/second.log" >/dev/null
echo $? > "$copy/second.code"
cp -r "$disk/out" "$copy/out"
`

async function shell(command: string, args: readonly string[]): Promise<number> {
  const env = { ...process.env, NODE: process.execPath, WEIR: program }
  const child = spawn(command, args, { env, stdio: ['ignore', 'ignore', 'inherit'] })
  const [code] = await once(child, 'exit')
  return code ?? -1
}

/** Names and contents of what a replay wrote, in one hash; and its size, KiB. */
async function written(folder: string): Promise<{ hash: string; kib: number }> {
  const hash = createHash('sha256')
  let bytes = 0
  for (const name of (await readdir(folder, { recursive: true })).sort()) {
    const content = await readFile(join(folder, name)).catch(() => null)
    if (content === null) continue
    hash.update(name).update(content)
    bytes += content.length
  }
  return { hash: hash.digest('hex'), kib: Math.ceil(bytes / 1_024) }
}

export const diskFull: Fault = {
  name: 'disk-full',
  promise:
    'a full disk under a replay is a clear error; no half result is left, and once there is room the same command gives the whole',
  times: { whole: 20, short: 1 },
  async run({ seed, times }) {
    const home = await mkdtemp(join(tmpdir(), 'weir-disk-'))
    try {
      const clean = join(home, 'clean')
      await shell(process.execPath, [
        program,
        'replay',
        '--events',
        `${events}`,
        '--seed',
        `${seed}`,
        '--out',
        clean,
      ])
      const { hash, kib } = await written(clean)
      const random = new Random(seed, 1)
      const breaches = new Breaches()
      for (let i = 0; i < times; i++) {
        const [disk, copy] = [await mkdtemp(join(home, 'disk-')), await mkdtemp(join(home, 'copy-'))]
        const size = String(random.between(4, Math.floor(kib * 0.95)))
        const code = await shell('unshare', ['-rm', 'sh', '-c', script, 'sh', disk, size, String(seed), copy])
        if (code === 77) throw new Error('this kernel lets no user mount a disk of its own: run it as root')
        const text = (name: string) => readFile(join(copy, name), 'utf8')
        const first = await text('first.log')
        breaches.must(
          (await text('first.code')).trim() === '1',
          `${size} KiB: ended with ${await text('first.code')}`,
        )
        breaches.must(
          /ENOSPC|no space/i.test(first) && /cure/.test(first),
          `${size} KiB: ${first.slice(-500)}`,
        )
        const left = await text('first.files')
        breaches.must(left === '', `${size} KiB: left behind ${left}`)
        breaches.must(!/^\s+at /m.test(first), `${size} KiB: a stack trace: ${first.slice(-500)}`)
        const second = await text('second.log')
        breaches.must((await text('second.code')).trim() === '0', `${size} KiB, again: ${second.slice(-500)}`)
        breaches.must((await written(join(copy, 'out'))).hash === hash, `${size} KiB: other bytes with room`)
        say(`${size} of ${kib} KiB: full, run again, equal`)
        await rm(copy, { recursive: true })
      }
      return { injected: times, verdict: null, figures: { kib_written: kib }, breaches: breaches.all }
    } finally {
      await rm(home, { recursive: true, force: true })
    }
  },
}
