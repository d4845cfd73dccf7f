import { expect, it } from 'vitest'
import { skipLetter } from '../../../src/core/dead-letter.ts'
import { type DeadLetter, deadLetterOf } from '../../../src/core/redrive.ts'
import { createPrepare } from '../../../src/dlq/prepare.ts'
import { aRecord } from '../../helpers/contracts.ts'

const nobody = {
  partitions: () => Promise.reject(new Error('nothing is to be asked')),
  read: () => {
    throw new Error('nothing is to be read')
  },
}

it('a declared skip is not put back, whatever lies at its first offset', async () => {
  const { headers } = skipLetter('dead', { topic: 'in', partition: 1 }, 4, 9, 'a flood')
  const letter = deadLetterOf({ topic: 'dead', partition: 1 }, aRecord(null, { headers })) as DeadLetter
  const codec = { encode: () => Buffer.alloc(0), decode: async () => [] }
  const [prepared] = await createPrepare(nobody, [{ topic: 'in', codec }])([letter])
  expect(prepared).toMatchObject({ record: null, refusal: { code: 'WEIR_RECORD_SKIPPED' } })
})
