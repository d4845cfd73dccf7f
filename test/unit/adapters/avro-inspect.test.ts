import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { inspectValue } from '../../../src/adapters/avro-inspect.ts'
import { createFileSchemaSource } from '../../../src/adapters/avro-schema-files.ts'
import { openContracts } from '../../../src/apps/connect.ts'
import { loadConfig } from '../../../src/config/load.ts'
import { anEntityUpdate, aTransaction } from '../../helpers/contracts.ts'

const schemas = createFileSchemaSource()
const contracts = await openContracts(loadConfig({ env: { WEIR_CONFIG: '/dev/null' } }).config)
const transaction = aTransaction()
const whole = contracts.transactions.encode(transaction)

describe('inspectValue', () => {
  it('reads all of a whole value, whatever is wrong with its fields', async () => {
    const wrong = contracts.transactions.encode(aTransaction({ currency: 'nothing', amount_minor: -3 }))
    expect(await inspectValue(wrong, schemas)).toMatchObject({
      fields: { ...transaction, currency: 'nothing', amount_minor: -3 },
      brokenAt: null,
      bytesLeft: 0,
    })
    const longer = Buffer.concat([whole, Buffer.from('abc')])
    expect(await inspectValue(longer, schemas)).toMatchObject({ brokenAt: null, bytesLeft: 3 })
  })

  it('reads a cut value up to the field that is cut', async () => {
    const names = Object.keys(transaction)
    for (let length = 5; length < whole.length; length++) {
      const found = await inspectValue(Buffer.from(whole.subarray(0, length)), schemas)
      const read = Object.keys(found?.fields ?? {})
      expect(read).toEqual(names.slice(0, read.length))
      expect(found?.brokenAt).toBe(names[read.length])
      expect(transaction).toMatchObject(found?.fields ?? {})
    }
  })

  it('is no victim of counts that the bytes do not hold', async () => {
    const update = contracts.entityUpdates.encode(anEntityUpdate())
    const bomb = Buffer.concat([update.subarray(0, 9), Buffer.from([0xfe, 0xff, 0xff, 0xff, 0x0f])])
    const begun = performance.now()
    expect((await inspectValue(bomb, schemas))?.brokenAt).not.toBeNull()
    expect(performance.now() - begun).toBeLessThan(1_000)
  })

  it('knows nothing of values without a known schema', async () => {
    expect(await inspectValue(Buffer.from('text'), schemas)).toBeNull()
    expect(await inspectValue(Buffer.from([0, 0, 1, 0, 0, 9]), schemas)).toBeNull()
  })

  it('never fails, whatever the bytes', async () => {
    const heads = fc.constantFrom(whole, contracts.entityUpdates.encode(anEntityUpdate()))
    await fc.assert(
      fc.asyncProperty(heads, fc.nat(200), fc.uint8Array({ maxLength: 40 }), async (head, cut, tail) => {
        await inspectValue(Buffer.concat([head.subarray(0, 5 + cut), tail]), schemas)
      }),
      { numRuns: 2_000, seed: 7 },
    )
  })
})
