import { execFile } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { isAlike } from '../../bench/comparison.ts'
import { payments } from '../../bench/payments.ts'
import { peerOptions } from '../../bench/peer-options.ts'
import { hasPeerPython, peerPython } from '../../bench/peer-python.ts'
import { referenceFor } from '../../bench/reference.ts'
import { openContracts } from '../../src/apps/connect.ts'
import { loadConfig } from '../../src/config/load.ts'
import type { Transaction } from '../../src/core/types.ts'

const events = 20_000
/** Few customers and all devices: events that outlast a day, full memories, shared devices. */
const stream = { file: undefined, map: undefined, seed: 7, customers: 60 }

if (!hasPeerPython()) console.warn('bench/peers/python has no .venv: its features are not compared')

test.skipIf(!hasPeerPython())('features of the Python contestants are those of weir', async () => {
  const { config } = loadConfig({ env: { WEIR_CONFIG: '/dev/null' } })
  const { transactions } = await openContracts(config)
  const all: Transaction[] = []
  for await (const one of payments(stream, events)) all.push(one)
  const reference = await referenceFor(config, payments(stream, events))
  const folder = mkdtempSync(join(tmpdir(), 'weir-peer-'))
  try {
    const [input, output] = [join(folder, 'payments'), join(folder, 'rows')]
    const framed = all.map((one) => {
      const value = transactions.encode(one)
      const length = Buffer.alloc(4)
      length.writeUInt32LE(value.length)
      return Buffer.concat([length, value])
    })
    writeFileSync(input, Buffer.concat(framed))
    const options = JSON.stringify(
      await peerOptions(
        { name: 'peer', env: {}, config, reached: { kafka: 'none:9092', redis: 'none:6379' } },
        { commitMs: 100, waitMs: 20 },
      ),
    )
    const [python, ...args] = peerPython('replay.py') as [string, ...string[]]
    await promisify(execFile)(python, [...args, options, input, output])
    const rows = readFileSync(output)
    const { names } = reference.features
    expect(rows.length).toBe(events * names.length * 4)
    const differing: string[] = []
    for (const [i, { transaction_id }] of all.entries()) {
      const weirs = reference.seen.get(transaction_id)?.features as Buffer
      for (const [column, name] of names.entries()) {
        const [theirs, ours] = [
          rows.readFloatLE((i * names.length + column) * 4),
          weirs.readFloatLE(column * 4),
        ]
        if (!isAlike(theirs, ours)) differing.push(`payment ${i}, ${name}: ${theirs}, of weir ${ours}`)
      }
    }
    expect(differing.slice(0, 10)).toEqual([])
  } finally {
    rmSync(folder, { recursive: true })
  }
})
