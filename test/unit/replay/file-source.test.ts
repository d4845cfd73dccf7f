import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { fileWriter, ParquetWriter, parquetWrite } from 'hyparquet-writer'
import { afterAll, describe, expect, it } from 'vitest'
import { partitionOf } from '../../../src/core/partition.ts'
import type { Label, Transaction } from '../../../src/core/types.ts'
import { createRecordFile } from '../../../src/files/write.ts'
import { generate } from '../../../src/generator/generate.ts'
import { type FileSourceOptions, fileSource } from '../../../src/replay/file-source.ts'
import { generatedSource, type HistoryItem, type Source } from '../../../src/replay/source.ts'

const folder = mkdtempSync(join(tmpdir(), 'weir-source-'))
afterAll(() => rmSync(folder, { recursive: true }))

const partitions = 3
const generated = [...generate({ seed: 5, events: 3_000 })]
const payments = generated.flatMap((item) => (item.kind === 'transaction' ? [item.transaction] : []))
const labels = generated.flatMap((item) => (item.kind === 'label' ? [item.label] : []))

async function written(
  name: string,
  records: readonly object[],
  schema = 'transaction.avsc',
): Promise<string> {
  const path = join(folder, name)
  const out = await createRecordFile(path, schema)
  for (const record of records) await out.write(record)
  await out.close()
  return path
}

function file(name: string, content: string | Buffer): string {
  const path = join(folder, name)
  writeFileSync(path, content)
  return path
}

async function itemsOf(source: Source): Promise<HistoryItem[]> {
  const items: HistoryItem[] = []
  for await (const batch of source.items()) items.push(...batch)
  return items
}

const read = (paths: string | string[], options: Partial<FileSourceOptions> = {}) =>
  itemsOf(fileSource([paths].flat(), { partitions, ...options }))

const paymentsOf = (items: readonly HistoryItem[]): Transaction[] =>
  items.flatMap((item) => (item.kind === 'transaction' ? [item.transaction] : []))
const labelsOf = (items: readonly HistoryItem[]): Label[] =>
  items.flatMap((item) => (item.kind === 'label' ? [item.label] : []))
const rejectedOf = (items: readonly HistoryItem[]) =>
  items.flatMap((item) => (item.kind === 'rejected' ? [`${item.at}: ${item.reason}`] : []))

const head = 'transaction_id,event_time,customer_id,amount_minor,currency,merchant_id'
const dayMs = 86_400_000
/** Lines of payments at these times, a customer each. */
const lines = (name: string, times: readonly number[]) =>
  [head, ...times.map((time, i) => `${name}${i},${time},c${i},100,EUR,m`), ''].join('\n')

function parquet(name: string, rows: readonly Transaction[]): string {
  const path = join(folder, name)
  const { length } = rows
  const column = (field: keyof Transaction) => ({
    name: field,
    data: rows.map((row) => row[field] ?? undefined),
  })
  const texts = [
    'transaction_id',
    'customer_id',
    'currency',
    'merchant_id',
    'mcc',
    'type',
    'channel',
  ] as const
  const text = (field: string) =>
    ({ name: field, type: 'BYTE_ARRAY', converted_type: 'UTF8', repetition_type: 'OPTIONAL' }) as const
  const writer = new ParquetWriter({
    writer: fileWriter(path),
    schema: [
      { name: 'root', num_children: texts.length + 2 },
      ...texts.map(text),
      { name: 'event_time', type: 'INT64', converted_type: 'TIMESTAMP_MILLIS', repetition_type: 'REQUIRED' },
      { name: 'amount_minor', type: 'INT64', repetition_type: 'REQUIRED' },
    ],
  })
  const columnData = [
    ...texts.map(column),
    { name: 'event_time', data: rows.map((row) => new Date(row.event_time)) },
    { name: 'amount_minor', data: rows.map((row) => BigInt(row.amount_minor)) },
  ]
  if (length > 0) void writer.write({ columnData, rowGroupSize: 1_200 })
  void writer.finish()
  return path
}

describe('history from a file', () => {
  it.each(['csv', 'jsonl', 'avro'])(
    'of .%s has every payment in order, numbered as on a topic',
    async (kind) => {
      const items = await read(await written(`all.${kind}`, payments))
      expect(paymentsOf(items)).toEqual(payments)
      const next = Array(partitions).fill(0)
      for (const item of items) {
        if (item.kind !== 'transaction') continue
        expect(item.partition).toBe(partitionOf(item.transaction.customer_id, partitions))
        expect(item.offset).toBe(next[item.partition]++)
      }
    },
  )

  it('of Parquet has times, whole numbers and absent values as they were, over several row groups', async () => {
    const items = await read(parquet('all.parquet', payments))
    const kept = ({ transaction_id, event_time, amount_minor, mcc, type, channel }: Transaction) => {
      return { transaction_id, event_time, amount_minor, mcc, type, channel }
    }
    expect(paymentsOf(items).map(kept)).toEqual(payments.map(kept))
    expect(items).toHaveLength(payments.length)
  })

  it('of Parquet has decimals exactly, however it is packed', async () => {
    const path = join(folder, 'decimals.parquet')
    const amounts = [57.16, 0.07, 1.15, 4.35, 81.51, 1_000_000.01]
    await parquetWrite({
      writer: fileWriter(path),
      columnData: [
        { name: 'id', data: amounts.map((_, i) => `t${i}`) },
        { name: 'amount', data: amounts },
      ],
      schema: [
        { name: 'root', num_children: 2 },
        { name: 'id', type: 'BYTE_ARRAY', converted_type: 'UTF8', repetition_type: 'REQUIRED' },
        {
          name: 'amount',
          type: 'INT64',
          converted_type: 'DECIMAL',
          scale: 2,
          precision: 12,
          repetition_type: 'REQUIRED',
        },
      ],
      codec: 'GZIP',
      compressors: { GZIP: (bytes: Uint8Array) => gzipSync(bytes) },
    })
    const map = file(
      'decimals.yaml',
      `transaction:
  transaction_id: id
  event_time: { constant: 5 }
  customer_id: { constant: c }
  amount_minor: { column: amount, as: decimal }
  currency: { constant: EUR }
  merchant_id: { constant: m }`,
    )
    const found = paymentsOf(await read(path, { map }))
    expect(found.map(({ amount_minor }) => amount_minor)).toEqual([5_716, 7, 115, 435, 8_151, 100_000_001])
  })

  it('has labels between the payments when they became known, and apart for the truth', async () => {
    const paths = [await written('p.jsonl', payments)]
    const source = fileSource(paths, {
      partitions,
      labels: await written('l.csv', labels.toReversed(), 'label.avsc'),
    })
    const apart: Label[] = []
    for await (const batch of source.labels()) apart.push(...batch)
    const items = await itemsOf(source)
    expect(labelsOf(items)).toEqual(apart)
    expect(apart.map(({ label_id }) => label_id).toSorted()).toEqual(
      labels.map(({ label_id }) => label_id).toSorted(),
    )
    const due = items.slice(
      0,
      items.findLastIndex(({ kind }) => kind === 'transaction'),
    )
    expect(labelsOf(due).length).toBeGreaterThan(5)
    let latest = 0
    due.forEach((item, i) => {
      if (item.kind === 'transaction') latest = Math.max(latest, item.transaction.event_time)
      if (item.kind !== 'label') return
      const next = paymentsOf(due.slice(i))[0]
      expect(item.label.observed_time).toBeGreaterThan(latest)
      expect(item.label.observed_time).toBeLessThanOrEqual(next?.event_time ?? Number.POSITIVE_INFINITY)
    })
    expect(source.notes()).toEqual([expect.stringContaining('2 of 3005 rows of')])
  })

  it('that a glob finds is read file by file, by name', async () => {
    const [a, b] = [payments.slice(0, 1_000), payments.slice(1_000)]
    mkdirSync(join(folder, 'parts'))
    await written('parts/1.csv', a)
    await written('parts/2.avro', b)
    expect(paymentsOf(await read(join(folder, 'parts/*')))).toEqual(payments)
    expect(() => fileSource([join(folder, 'none-*.csv')], { partitions })).toThrow('there is no file')
    expect(() => fileSource([join(folder, 'parts')], { partitions })).toThrow('is a folder')
  })
})

describe('times that go backwards', () => {
  const early = Array.from({ length: 500 }, (_, i) => i * 1_000)
  const late = early.map((time) => time + 30 * dayMs)
  const [one, two] = [file('one.csv', lines('a', early)), file('two.csv', lines('b', late))]

  it('from one file to the next are refused, with where', async () => {
    expect(await read([one, two])).toHaveLength(1_000)
    await expect(read([two, one])).rejects.toMatchObject({
      code: 'WEIR_CLI_INPUT',
      message: expect.stringMatching(
        /500 of 500 rows of .*one\.csv lie more than an hour before an earlier row; the first is .*one\.csv, line 2 \(1970-01-01T00:00:00\.000Z\), after .*two\.csv, line 501 /,
      ),
      cure: expect.stringContaining('--sort'),
    })
  })

  it('are sorted, or taken as they come, where that is asked for', async () => {
    const inOrder = paymentsOf(await read([one, two]))
    expect(paymentsOf(await read([two, one], { order: 'sort' }))).toEqual(inOrder)
    const source = fileSource([two, one], { partitions, order: 'allow' })
    const [first] = paymentsOf(await itemsOf(source))
    expect(first?.transaction_id).toBe('b0')
    expect(source.notes()).toEqual([expect.stringContaining('500 of 500 rows')])
  })

  it('are fine where they are few: events come late', async () => {
    const times = early.map((time, i) => (i === 250 ? time : time + dayMs))
    const source = fileSource([file('late.csv', lines('l', times))], { partitions })
    expect(await itemsOf(source)).toHaveLength(500)
    expect(source.notes()).toEqual([expect.stringContaining('1 of 500 rows')])
  })
})

describe('labels that do not fit', () => {
  it('are counted and named', async () => {
    const [payment] = payments as [Transaction]
    const [label] = labels as [Label]
    const of = (transaction_id: string, observed_time: number) => ({
      ...label,
      transaction_id,
      effective_time: 0,
      observed_time,
    })
    const path = await written(
      'odd.jsonl',
      [of('nobody', 1), of(payment.transaction_id, payment.event_time - 1)],
      'label.avsc',
    )
    const source = fileSource([await written('q.jsonl', payments)], { partitions, labels: path })
    await itemsOf(source)
    expect(source.notes().slice(1)).toEqual([
      `payments whose label was known before they were made: 1 (the first: ${payment.transaction_id})`,
      'labels of payments that are not there: 1 (the first: of nobody)',
    ])
  })
})

describe('labels and payments that are something else', () => {
  const failing = (path: string, labels?: string) => expect(read(path, { labels })).rejects

  it('labels without the columns of labels, without rows, or of which none can be read', async () => {
    const good = await written('good.csv', payments)
    await failing(good, good).toMatchObject({
      message: expect.stringContaining('good.csv has no column label_id; it has transaction_id'),
      cure: expect.stringContaining('schemas/label.avsc'),
    })
    await failing(good, await written('nobody.jsonl', [], 'label.avsc')).toMatchObject({
      message: 'nobody.jsonl has no rows',
      cure: expect.stringContaining('leave it out'),
    })
    const other = await written('other.jsonl', payments)
    await failing(good, other).toThrow(
      /^not one of 3\d{3} rows can be read; the first, .*other\.jsonl, line 1: there is no column label_id$/,
    )
  })

  it('payments of which none can be read', async () => {
    await failing(file('none.csv', lines('n', [1, 2]).replaceAll('EUR', 'XXY'))).toMatchObject({
      code: 'WEIR_CLI_INPUT',
      message: expect.stringMatching(
        /^not one of 2 rows can be read; the first, .*none\.csv, line 2: currency/,
      ),
      cure: expect.stringContaining('--map'),
    })
    await failing(file('head-only.csv', `${head}\n`)).toMatchObject({
      code: 'WEIR_CLI_INPUT',
      message: 'head-only.csv has no rows',
    })
    await failing(file('empty.jsonl', '')).toThrow('empty.jsonl has no rows')
  })
})

it('whoever breaks off early is told of what was read until then', async () => {
  const [payment] = payments as [Transaction]
  const label = { ...labels[0], transaction_id: payment.transaction_id, effective_time: 0, observed_time: 1 }
  const apart = await written('early.jsonl', [label, { ...label, transaction_id: 'later' }], 'label.avsc')
  const late = [{ ...payment, transaction_id: 'late', event_time: payment.event_time - dayMs }, ...payments]
  const path = await written('long.csv', [payment, ...late])
  const source = fileSource([path], { partitions, labels: apart })
  for await (const items of source.items()) if (items.length > 0) break
  expect(source.notes()).toEqual([
    expect.stringMatching(/^\d of \d+ rows of .*long\.csv lie more than an hour before/),
    expect.stringContaining('label was known before they were made: 1 '),
  ])
})

describe('files that are not whole, or not of one kind', () => {
  const good = lines('g', [1, 2, 3])
  const failing = (path: string | string[], options: Partial<FileSourceOptions> = {}) =>
    expect(read(path, options)).rejects

  it('zipped data that ends too early', async () => {
    const whole = gzipSync(
      lines(
        'z',
        Array.from({ length: 5_000 }, (_, i) => i),
      ),
    )
    await failing(file('cut.csv.gz', whole.subarray(0, whole.length / 2))).toMatchObject({
      message: expect.stringContaining('cut.csv.gz: its compressed data ends too early, it was cut off'),
      cure: 'copy the file again, whole',
    })
  })

  it('CSV and JSON Lines that end within a line: the row is rejected', async () => {
    expect(rejectedOf(await read(file('cut.csv', good.slice(0, -14))))).toEqual([
      expect.stringMatching(/cut\.csv, line 4: the file ends within this line, it was cut off$/),
    ])
    const [first, second] = payments.map((payment) => JSON.stringify(payment)) as [string, string]
    const cut = file('cut.jsonl', `${first}\n${second.slice(0, 40)}`)
    expect(rejectedOf(await read(cut))).toEqual([
      expect.stringMatching(/line 2: the file ends within this line/),
    ])
    await failing(file('quote.csv', `${head}\n"a,1,c,1,EUR,m\n`)).toThrow('is not closed')
    await failing(file('empty.csv', '')).toThrow('it is empty')
  })

  it('Avro that ends within a block', async () => {
    const whole = readFileSync(await written('whole.avro', payments))
    for (const keep of [whole.length - 1, whole.length / 2, 100, 0]) {
      await failing(file('cut.avro', whole.subarray(0, keep))).toThrow('it was cut off')
    }
  })

  it('Parquet without its footer', async () => {
    const whole = readFileSync(parquet('whole.parquet', payments.slice(0, 50)))
    await failing(file('cut.parquet', whole.subarray(0, whole.length - 20))).toThrow(
      'no Parquet footer at its end',
    )
    await failing(file('empty.parquet', '')).toThrow('no Parquet footer at its end')
  })

  it('a column that the mapping reads is missing: the nearest is named', async () => {
    await failing(file('odd.csv', good.replace('merchant_id', 'merchnt_id'))).toMatchObject({
      message: expect.stringContaining(
        'odd.csv has no column merchant_id; it has transaction_id, event_time',
      ),
      cure: expect.stringContaining('is merchnt_id meant?'),
    })
  })

  it('columns that look like card numbers are withheld', async () => {
    await failing(file('headless.csv', 'a,4111111111111111\nb,4111111111111111\n')).toThrow(
      /it has a, \(withheld: it looks like a card number\)$/,
    )
    const map = file(
      'pan.yaml',
      `transaction: { transaction_id: id, event_time: { column: at, as: epoch_ms }, customer_id: id,
        amount_minor: { constant: 5 }, currency: { constant: EUR }, merchant_id: id }`,
    )
    expect(rejectedOf(await read(file('pan.csv', 'id,at\nb,1\na,x4111111111111111\n'), { map }))).toEqual([
      expect.stringMatching(/column at: "\(withheld[^4]*$/),
    ])
  })

  it('a column that nothing reads is told', async () => {
    const source = fileSource([file('more.csv', good.replaceAll('\n', ',x\n').replace(',x', ',colour'))], {
      partitions,
    })
    expect(await itemsOf(source)).toHaveLength(3)
    expect(source.notes()).toEqual([expect.stringContaining('colour are no fields of a payment')])
  })

  it('a later file with other columns, of whatever kind', async () => {
    const first = file('first.csv', good)
    const more = file('second.csv', lines('h', [4]).replaceAll('\n', ',EU\n').replace(',EU', ',country'))
    await failing([first, more]).toThrow(/second\.csv has a column country, which .*first\.csv lacks/)
    await failing([first, await written('second.avro', payments)]).toThrow(
      /second\.avro has a column .*first\.csv lacks/,
    )
    await failing(await written('labels.avro', labels, 'label.avsc')).toThrow(
      'labels.avro has no column event_time',
    )
  })

  it('rows that cannot be read are items with their place and reason', async () => {
    const bad = good.replace(',c1,100,', ',c1,-5,').replace(',EUR,m\n', ',XXY,m\n')
    const items = await read(file('bad.csv', bad))
    expect(rejectedOf(items)).toEqual([
      expect.stringMatching(/bad\.csv, line 2: currency is not an active ISO 4217 alphabetic code$/),
      expect.stringMatching(/bad\.csv, line 3: amount_minor is not an integer from 0/),
    ])
    expect(paymentsOf(items)).toHaveLength(1)
  })
})

it('generated payments come as the generator makes them, with what will become known of them', async () => {
  const source = generatedSource({ events: 3_000, seed: 5, partitions })
  const items = await itemsOf(source)
  expect(paymentsOf(items)).toEqual(payments)
  expect(labelsOf(items)).toEqual(labels)
  const along = items.flatMap((item) => (item.kind === 'transaction' ? item.labels : []))
  const byId = (some: readonly Label[]) => new Map(some.map((label) => [label.label_id, label]))
  expect(byId(along)).toEqual(byId(labels))
  for await (const batch of source.labels()) expect(batch).toEqual([])
})
