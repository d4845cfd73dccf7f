import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text as bodyOf } from 'node:stream/consumers'
import { afterEach, expect, test } from 'vitest'
import { type NarratorSettings, narrateExternally } from '../../../src/adapters/llm-narrator.ts'
import { narrate } from '../../../src/core/narrative/narrate.ts'
import { anAlert } from '../../helpers/contracts.ts'

const alert = anAlert({
  alert_id: 'payments.transactions.v1-0-7',
  transaction_id: 'tx-secret',
  customer_id: 'c-secret',
  device_id: 'd-secret',
  terminal_id: 't-secret',
})
const good =
  'The purchase of EUR 12.99 at “Kiosk am Eck” was put up for review; its risk score is 812 of 999.'

let server: Server | undefined
afterEach(() => {
  server?.closeAllConnections()
  server?.close()
})

/** Settings for a server of its own that answers so. */
async function endpoint(
  listener: RequestListener,
  changes: Partial<NarratorSettings> = {},
): Promise<NarratorSettings> {
  const started = createServer(listener)
  server = started
  await new Promise<void>((resolve) => started.listen(0, '127.0.0.1', resolve))
  const { port } = started.address() as AddressInfo
  const at = `http://127.0.0.1:${port}/v1/chat/completions`
  return { language: 'en', endpoint: at, model: 'm-1', api_key: 'k-1', timeout_ms: 5_000, ...changes }
}

const answering =
  (body: string, status = 200): RequestListener =>
  (_, response) => {
    response.writeHead(status, { 'content-type': 'application/json' }).end(body)
  }

const completion = (content: unknown, more: object = {}, finish = 'stop'): string =>
  JSON.stringify({ choices: [{ message: { role: 'assistant', content, ...more }, finish_reason: finish }] })

test('without an endpoint it is the text of weir, and nobody is asked', async () => {
  const settings = { language: 'zh', endpoint: null, model: null, api_key: null, timeout_ms: 1 } as const
  expect(await narrateExternally(alert, settings)).toEqual({
    text: narrate(alert, 'zh'),
    by: 'weir',
    instead: null,
  })
})

test('a text of which every figure is in the alert is shown', async () => {
  const settings = await endpoint(answering(completion(` ${good}\n`)))
  expect(await narrateExternally(alert, settings)).toEqual({ text: good, by: 'model', instead: null })
})

test('the question holds the facts, the language, the model and the key, and nothing that names who pays', async () => {
  let asked: { request: IncomingMessage; body: string } | undefined
  const settings = await endpoint(
    async (request, response) => {
      asked = { request, body: await bodyOf(request) }
      response.end(completion('这笔12.99欧元的消费已转人工审核。'))
    },
    { language: 'zh' },
  )
  expect((await narrateExternally(alert, settings)).by).toBe('model')
  expect(asked?.request).toMatchObject({ method: 'POST', url: '/v1/chat/completions' })
  expect(asked?.request.headers.authorization).toBe('Bearer k-1')
  const body = JSON.parse(asked?.body ?? '')
  expect(body).toMatchObject({ model: 'm-1', temperature: 0 })
  expect(body.messages[0].content).toContain('simplified Chinese')
  expect(JSON.parse(body.messages[1].content)).toMatchObject({ merchant: 'Kiosk am Eck', amount: '12.99' })
  expect(asked?.body).not.toMatch(/secret|payments\.transactions/)
})

test.each([
  [
    'an invented number',
    completion(good.replace('812', '912')),
    'text has the number 912, which is not in the alert',
  ],
  [
    'another merchant',
    completion(good.replace('Eck', 'Ende')),
    "text has the name 'Kiosk am Ende', which is not in the alert",
  ],
  ['a card number', completion(`${good} 4111 1111 1111 1111`), 'text has what looks like a card number'],
  ['a link', completion(`${good} See https://example.com`), 'text has an address or markup'],
  ['several lines', completion(`${good}\n\n${good}`), 'text has a line break or a control character'],
  ['a terminal sequence', completion(`${good}\u001b[2J`), 'text has a line break or a control character'],
  ['another language', completion('该笔交易已转人工审核。'), 'text is not in English'],
  ['a long text', completion('word '.repeat(500)), 'text is 2499 characters long'],
])("%s is not shown, but weir's own text", async (_, body, instead) => {
  const settings = await endpoint(answering(body))
  expect(await narrateExternally(alert, settings)).toEqual({
    text: narrate(alert, 'en'),
    by: 'weir',
    instead: `the language model's ${instead}`,
  })
})

test.each([
  ['an error', answering('{"error":"no"}', 500), 'answered with status 500'],
  ['a refused key', answering('', 401), 'answered with status 401'],
  [
    'a redirect',
    ((_, response) => response.writeHead(302, { location: 'http://127.0.0.1:1/' }).end()) as RequestListener,
    'cannot be asked: unexpected redirect',
  ],
  ['garbage', answering('<html>'), 'answered with something that is not JSON'],
  ['other JSON', answering('{"choices":[]}'), 'answered with something that is no chat completion'],
  ['no content', answering(completion(null)), 'answered nothing'],
  ['a refusal', answering(completion(null, { refusal: 'I cannot.' })), 'refused'],
  ['a filter', answering(completion(good, {}, 'content_filter')), 'refused'],
  ['half a text', answering(completion(good, {}, 'length')), 'did not come to an end'],
  [
    'a huge answer',
    answering(completion('a'.repeat(1_000_000))),
    'cannot be asked: an answer of more than 65536 bytes',
  ],
  [
    'a cut connection',
    ((request) => request.socket.destroy()) as RequestListener,
    'cannot be asked: other side closed',
  ],
] as const)("after %s it is weir's own text, and why", async (_, listener, why) => {
  const settings = await endpoint(listener)
  expect(await narrateExternally(alert, settings)).toEqual({
    text: narrate(alert, 'en'),
    by: 'weir',
    instead: `the language model ${why}`,
  })
})

test.each([
  ['an answer that never begins', () => {}],
  ['an answer that never ends', (_, response) => response.writeHead(200).write('{')],
] as [string, RequestListener][])('%s is waited for as long as is set', async (_, listener) => {
  const settings = await endpoint(listener, { timeout_ms: 200 })
  const begun = performance.now()
  expect(await narrateExternally(alert, settings)).toMatchObject({
    by: 'weir',
    instead: 'the language model did not answer within 200 ms',
  })
  expect(performance.now() - begun).toBeLessThan(4_000)
})

test('nobody listens', async () => {
  const settings = await endpoint(() => {})
  await new Promise((resolve) => server?.close(resolve))
  expect((await narrateExternally(alert, settings)).instead).toMatch(
    /^the language model cannot be asked: .*ECONNREFUSED/,
  )
})
