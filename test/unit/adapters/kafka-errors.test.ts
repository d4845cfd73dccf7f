import { createRequire } from 'node:module'
import { expect, it } from 'vitest'
import { asLogError } from '../../../src/adapters/kafka-errors.ts'

const { createErrorFromCode } = createRequire(import.meta.url)('kafkajs/src/protocol/error')

it.each([
  [10, 'max.message.bytes'],
  [18, 'max.message.bytes'],
  [32, 'message.timestamp.after.max.ms'],
])('what a broker never takes (%i) is no outage, and the cure names the setting', (code, setting) => {
  expect(asLogError(createErrorFromCode(code), 'appending')).toMatchObject({
    code: 'WEIR_LOG_REFUSED',
    retriable: false,
    cure: expect.stringContaining(setting),
  })
})
