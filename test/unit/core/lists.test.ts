import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ListBook, type ListChange, listedValue } from '../../../src/core/lists.ts'
import { listNames, listTypes, nameOfHit } from '../../../src/core/verdict.ts'
import { aTransaction, eventTime } from '../../helpers/contracts.ts'

const add = (changes: Partial<ListChange>): ListChange =>
  ({
    op: 'add',
    list: 'deny',
    type: 'device',
    value: 'd-1',
    strength: 'overridable',
    expires: null,
    reason: '',
    who: 'ana',
    ...changes,
  }) as ListChange
const hitsOf = (changes: readonly ListChange[], transaction = aTransaction()) =>
  ListBook.empty.with(changes).hits(transaction)

describe('an entry', () => {
  it('meets payments that have its value, by every type', () => {
    const transaction = aTransaction({ email_hash: 'a'.repeat(64) })
    for (const type of listTypes) {
      const value = listedValue[type](transaction) as string
      expect(hitsOf([add({ type, value })], transaction)).toEqual([{ list: 'deny', type, isFinal: false }])
      expect(hitsOf([add({ type, value: `${value}0` })], transaction)).toEqual([])
    }
  })

  it('of a range meets the addresses in it, however they are written', () => {
    const ip = '192.0.2.17'
    const met = (value: string, of = ip) =>
      hitsOf([add({ type: 'ip', value })], aTransaction({ ip: of })).length
    expect(['192.0.2.0/24', '192.0.2.16/28', '0.0.0.0/0', ip, `${ip}/32`].map((value) => met(value))).toEqual(
      [1, 1, 1, 1, 1],
    )
    expect(['192.0.3.0/24', '192.0.2.0/28', '::/0'].map((value) => met(value))).toEqual([0, 0, 0])
    expect(met('2001:db8::/32', '2001:DB8:0:1::7')).toBe(1)
  })

  it('ends at its time, by the time of the payment', () => {
    expect(hitsOf([add({ expires: eventTime + 1 })])).toHaveLength(1)
    expect(hitsOf([add({ expires: eventTime })])).toEqual([])
  })

  it('is final only on the deny list', () => {
    const strength = 'final'
    expect(hitsOf([add({ strength })])[0]?.isFinal).toBe(true)
    expect(hitsOf([add({ list: 'watch', strength })])[0]?.isFinal).toBe(false)
    const ranges = [
      add({ type: 'ip', value: '192.0.2.0/24', strength }),
      add({ type: 'ip', value: '192.0.2.17' }),
    ]
    expect(hitsOf(ranges).map(({ isFinal }) => isFinal)).toEqual([true])
  })
})

describe('a book', () => {
  it('never changes: what was made of it does', () => {
    const before = ListBook.empty.with([add({})])
    const after = before.with([{ op: 'remove', list: 'deny', type: 'device', value: 'd-1' }])
    expect([before.size, after.size]).toEqual([1, 0])
    expect(before.hits(aTransaction())).toHaveLength(1)
    expect(after.hits(aTransaction())).toEqual([])
  })

  it('holds what a plain account of the changes holds, in whatever batches they come', () => {
    const change = fc.record({
      op: fc.constantFrom('add' as const, 'remove' as const),
      list: fc.constantFrom(...listNames),
      type: fc.constantFrom('device' as const, 'merchant' as const),
      value: fc.constantFrom('d-1', 'm-1', 'other'),
      strength: fc.constantFrom('final' as const, 'overridable' as const),
    })
    fc.assert(
      fc.property(fc.array(fc.array(change, { maxLength: 6 }), { maxLength: 6 }), (batches) => {
        const plain = new Map<string, ListChange>()
        for (const one of batches.flat()) {
          const name = `${one.list}:${one.type}:${one.value}`
          if (one.op === 'add') plain.set(name, add(one))
          else plain.delete(name)
        }
        const book = batches.reduce((all, batch) => all.with(batch.map((one) => add(one))), ListBook.empty)
        const wanted = ['device:d-1', 'merchant:m-1'].flatMap((met) =>
          listNames.flatMap((list) => (plain.has(`${list}:${met}`) ? `${list}:${met.split(':')[0]}` : [])),
        )
        expect(book.size).toBe(plain.size)
        expect(book.hits(aTransaction()).map(nameOfHit).toSorted()).toEqual(wanted.toSorted())
        for (const list of listNames)
          expect([...book.entries(list)]).toHaveLength(
            [...plain.values()].filter((one) => one.list === list).length,
          )
      }),
    )
  })
})
