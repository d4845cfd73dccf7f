import { describe, expect, it } from 'vitest'
import { createMemoryLog } from '../../../src/adapters/memory-log.ts'
import { createMemoryStore } from '../../../src/adapters/memory-store.ts'
import { WeirError } from '../../../src/core/errors.ts'
import { laneKeys } from '../../../src/core/lane-keys.ts'
import type { LaneId, NewRecord, StateStore } from '../../../src/core/ports.ts'
import { Changelog } from '../../../src/stream/changelog.ts'
import { LaneStates, type StateChanges } from '../../../src/stream/lane-states.ts'
import { faultyStore } from './faulty.ts'
import { LaneWorld, works } from './lane-world.ts'

const id: LaneId = { kind: 't', partition: 0 }
const input = { topic: 'in', partition: 0 }
const place = { topic: 'states', partition: 0 }
const beat = async () => true

/** Many states, each of which tells how far it contains the log. */
const statesAt = (upTo: number, count = 1_300): StateChanges =>
  Array.from({ length: count }, (_, i) => [`c-${i}`, Buffer.from(`${i} up to ${upTo}`)] as const)

async function* inPieces(states: StateChanges): AsyncGenerator<StateChanges> {
  for (let at = 0; at < states.length; at += 500) yield states.slice(at, at + 500)
}

/** A lane's changelog on the embedded log, opened again and again by whoever owns the lane. */
class ChangelogWorld {
  readonly log = createMemoryLog({ topics: { in: 1, states: 1 }, maxRunRecords: 100 })
  #tokens = 0
  /** Commits that succeed from now on. */
  commits = Number.POSITIVE_INFINITY

  newToken = (): string => String(this.#tokens++)

  async open(position = 1_000, heartbeat = beat): Promise<Changelog> {
    const writer = await this.log.fence('weir', input)
    const commit = async (records: readonly NewRecord[]) => {
      if (this.commits-- <= 0) throw new WeirError('WEIR_LOG_UNAVAILABLE', 'by the test')
      await writer.commit(records, position)
    }
    const { log, newToken } = this
    return Changelog.open(
      { log, at: place, keys: laneKeys('app.layout', id), commit, newToken },
      position,
      heartbeat,
    )
  }

  async acquire(store: StateStore, changelog: Changelog | null, position: number): Promise<LaneStates> {
    const { log, newToken } = this
    return LaneStates.acquire(
      { id, topic: 'in', log, store, newToken, onHistoryCut() {} },
      position,
      changelog,
      beat,
    )
  }

  async commit(changelog: Changelog, to: number, states: StateChanges): Promise<void> {
    const { records, onCommitted } = changelog.records(to, states)
    await this.log.append(records)
    onCommitted()
  }
}

/** The states that the changelog gives, the newest of each. */
async function given(changelog: Changelog, heartbeat = beat): Promise<ReadonlyMap<string, string>> {
  const found = new Map<string, string>()
  for await (const states of changelog.states(heartbeat)) {
    for (const [key, state] of states) found.set(key, String(state))
  }
  return found
}

const asMap = (states: StateChanges) => new Map(states.map(([key, state]) => [key, String(state)]))

describe('a changelog', () => {
  it('is not whole before all states were copied to it, and takes nothing before that', async () => {
    const world = new ChangelogWorld()
    const changelog = await world.open()
    expect(changelog.upTo).toBeNull()
    expect(changelog.records(5, statesAt(5)).records).toEqual([])
    await changelog.copy(5, inPieces(statesAt(5)), beat)
    expect(changelog.upTo).toBe(5)
    expect(await given(await world.open())).toEqual(asMap(statesAt(5)))
  })

  it('gives the newest of each state to the next owner, and up to where they contain the log', async () => {
    const world = new ChangelogWorld()
    const first = await world.open()
    await first.copy(0, inPieces([]), beat)
    await world.commit(first, 7, statesAt(7))
    await world.commit(first, 9, statesAt(9, 600))
    const next = await world.open()
    expect(next.upTo).toBe(9)
    expect(await given(next)).toEqual(new Map([...asMap(statesAt(7)), ...asMap(statesAt(9, 600))]))
  })

  it('sends heartbeats while it is copied, searched and read', async () => {
    const world = new ChangelogWorld()
    let beats = 0
    const counted = async () => {
      beats++
      return true
    }
    const changelog = await world.open()
    await changelog.copy(5, inPieces(statesAt(5)), counted)
    expect(beats).toBeGreaterThan(2)
    // Its head lies far back, behind what others have written since.
    const others = Array.from({ length: 3_000 }, (_, i) => ({ ...place, key: `other-${i}`, value: null }))
    await world.log.append(others)
    beats = 0
    const next = await world.open(1_000, counted)
    expect(next.upTo).toBe(5)
    expect(beats).toBeGreaterThan(20)
    beats = 0
    expect((await given(next, counted)).size).toBe(1_300)
    expect(beats).toBeGreaterThan(10)
  })

  it('hidden by an open transaction is given up where the group is changing: whoever fences it may wait for us', async () => {
    const world = new ChangelogWorld()
    const { end } = await world.log.bounds(place)
    const hidden = { read: world.log.read, bounds: async () => ({ first: 0, end }) }
    const open = (heartbeat: () => Promise<boolean>) =>
      Changelog.open(
        {
          log: hidden,
          at: place,
          keys: laneKeys('app.layout', id),
          commit: async () => {},
          newToken: () => '1',
        },
        1_000,
        heartbeat,
      )
    const began = performance.now()
    await expect(open(async () => false)).rejects.toMatchObject({
      code: 'WEIR_LOG_UNAVAILABLE',
      retriable: true,
    })
    expect(performance.now() - began).toBeLessThan(10_000)
    // A member that none waits for is patient.
    let beats = 0
    const patient = async () => {
      if (++beats > 60) throw new Error('still waiting')
      return true
    }
    await expect(open(patient)).rejects.toThrow('still waiting')
  })

  it('whose copying broke off counts for nothing, though one was whole before', async () => {
    for (let commits = 1; commits < 6; commits++) {
      const world = new ChangelogWorld()
      const whole = await world.open()
      await whole.copy(5, inPieces(statesAt(5)), beat)
      const broken = await world.open()
      world.commits = commits
      await expect(broken.copy(20, inPieces(statesAt(20)), beat)).rejects.toThrow('by the test')
      world.commits = Number.POSITIVE_INFINITY
      expect(broken.upTo).toBeNull()
      expect((await world.open()).upTo).toBeNull()
    }
  })

  it('that was begun anew gives nothing of its life before', async () => {
    const world = new ChangelogWorld()
    await (await world.open()).copy(50, inPieces(statesAt(50)), beat)
    await (await world.open()).copy(60, inPieces(statesAt(60, 3)), beat)
    expect(await given(await world.open())).toEqual(asMap(statesAt(60, 3)))
  })

  it('ahead of the group counts for nothing: somebody reset the offsets', async () => {
    const world = new ChangelogWorld()
    await (await world.open(80)).copy(80, inPieces(statesAt(80)), beat)
    expect((await world.open(40)).upTo).toBeNull()
  })

  it('never goes back: what is folded in again lies there already', async () => {
    const world = new ChangelogWorld()
    const changelog = await world.open()
    await changelog.copy(0, inPieces([]), beat)
    await world.commit(changelog, 9, statesAt(9))
    expect(changelog.records(9, statesAt(9)).records).toEqual([])
    expect(changelog.records(4, statesAt(4)).records).toEqual([])
  })

  it('tells its lanes apart, and its installations', async () => {
    const world = new ChangelogWorld()
    await (await world.open()).copy(5, inPieces(statesAt(5)), beat)
    const writer = await world.log.fence('other', input)
    for (const keys of [laneKeys('app.layout', { kind: 'l', partition: 0 }), laneKeys('app2.layout', id)]) {
      const changelog = await Changelog.open(
        {
          log: world.log,
          at: place,
          keys,
          commit: (records) => writer.commit(records, 0),
          newToken: world.newToken,
        },
        1_000,
        beat,
      )
      expect(changelog.upTo).toBeNull()
    }
  })
})

describe('states that are restored', () => {
  it('are all there or not to be worked with, wherever it breaks off', async () => {
    const world = new ChangelogWorld()
    await (await world.open()).copy(900, inPieces(statesAt(900)), beat)
    // One call acquires, three write states, one the watermark.
    for (let calls = 1; calls < 5; calls++) {
      const store = createMemoryStore()
      let left = calls
      const failing = faultyStore(store, () => (left-- > 0 ? 'ok' : 'before'))
      await expect(world.acquire(failing, await world.open(), 900)).rejects.toThrow('by the test')
      if (calls > 1) {
        await expect(world.acquire(store, null, 900)).rejects.toMatchObject({ code: 'WEIR_STORE_LOADING' })
      }
      const states = await world.acquire(store, await world.open(), 900)
      expect(states.upTo).toBe(900)
      const wanted = statesAt(900)
      expect(await states.read(wanted.map(([key]) => key))).toEqual(new Map(wanted))
    }
  })

  it('vouch for the position, so that an heir need not look through the outputs; lost, they do not', async () => {
    const world = new LaneWorld(Array(9).fill(true))
    const join = () => world.member(works.patient, {}, world.log, world.store, { hasChangelog: true })
    await join().deliver(3)
    world.asked = 0
    const heir = join()
    await heir.deliver(1)
    await heir.deliver(2)
    expect(world.asked).toBe(0)
    world.losable.lose()
    await join().finish()
    expect(world.asked).toBe(1)
    expect(await world.stored()).toEqual(await world.expected())
  })

  it('are left alone where the store is only a little behind', async () => {
    const world = new ChangelogWorld()
    await (await world.open()).copy(900, inPieces(statesAt(900)), beat)
    const store = createMemoryStore()
    await store.acquire(id, 'before')
    await store.write(id, 'before', { from: null, to: 880 }, [])
    expect((await world.acquire(store, await world.open(), 900)).upTo).toBe(880)
  })

  it('come from the changelog where the store is far behind', async () => {
    const world = new ChangelogWorld()
    const end = 200_000
    await (await world.open(end)).copy(end, inPieces(statesAt(end)), beat)
    const store = createMemoryStore()
    await store.acquire(id, 'before')
    await store.write(id, 'before', { from: null, to: 10 }, [['c-1', Buffer.from('old')]])
    const states = await world.acquire(store, await world.open(end), end)
    expect(states.upTo).toBe(end)
    expect(await states.read(['c-1'])).toEqual(new Map([['c-1', Buffer.from(`1 up to ${end}`)]]))
  })

  it('are those of the commit, though its write was lost and somebody died while making up for it', async () => {
    const world = new LaneWorld(Array(9).fill(true))
    // Acquired and read; what is to be written after the commit is lost.
    const calls = ['ok', 'ok', 'before'] as const
    let next = 0
    const store = faultyStore(world.store, () => calls[next++] ?? 'ok')
    const member = world.member(works.patient, {}, world.log, store, { hasChangelog: true })
    expect(await member.deliver(6)).toMatchObject({ code: 'WEIR_STORE_UNAVAILABLE' })
    const heir = world.member(works.patient, {}, world.log, world.store, { hasChangelog: true })
    await heir.deliver(2)
    world.losable.lose()
    await world.member(works.patient, {}, world.log, world.store, { hasChangelog: true }).finish()
    expect(await world.stored()).toEqual(await world.expected())
  })
})
