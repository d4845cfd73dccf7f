import { setTimeout as sleep } from 'node:timers/promises'
import { type ErrorCode, WeirError } from '../core/errors.ts'
import type { Outcome } from '../core/types.ts'
import type { Answer, Client, ClientDecision, DecideOptions, NewTransaction } from './answer.ts'
import { closed } from './closed.ts'

export interface HttpOptions {
  /** Of a member, or of what stands before several: `https://weir.internal`. */
  readonly url: string
  /** Of the role `score`; absent where none is needed. */
  readonly key?: string
}

/** What the payer is told, as an outcome again. */
const outcomes: Readonly<Record<string, Outcome>> = {
  approved: 'approve',
  confirm: 'challenge',
  pending: 'review',
  declined: 'decline',
}

/** Asks POST /v1/score; once more where the first try failed by what passes, since asking changes nothing. */
export function openHttp({ url, key }: HttpOptions): Client {
  const closing = new AbortController()
  const headers = key === undefined ? {} : { authorization: `Bearer ${key}` }

  async function ask(path: string, signal: AbortSignal, body?: string): Promise<Response> {
    if (body === undefined) return fetch(url + path, { headers, signal })
    const typed = { ...headers, 'content-type': 'application/json' }
    return fetch(url + path, { method: 'POST', headers: typed, body, signal })
  }

  /** Of a payment that was decided before, the first decision stands. */
  async function outcomeOf({ outcome, duplicate_of }: ClientDecision, signal: AbortSignal): Promise<Outcome> {
    if (outcome !== null || duplicate_of === null) return outcome as Outcome
    const response = await ask(`/v1/decisions/${encodeURIComponent(duplicate_of)}/public`, signal)
    const known = response.ok ? ((await response.json()) as { outcome: string }) : null
    if (known === null) throw new Error('the first decision cannot be had')
    return outcomes[known.outcome] as Outcome
  }

  /** The answer, or null for what may be asked again after so many milliseconds. */
  async function tryOnce(body: string, signal: AbortSignal): Promise<Answer | { readonly waitMs: number }> {
    const response = await ask('/v1/score', signal, body)
    if (response.ok) {
      const { decision: whole } = (await response.json()) as {
        decision: ClientDecision & { features: unknown }
      }
      const { features: _, ...decision } = whole
      return { source: 'weir', outcome: await outcomeOf(decision, signal), decision }
    }
    const problem = (await response.json().catch(() => ({}))) as { code?: ErrorCode; detail?: string }
    if (response.status < 500 && response.status !== 429) {
      const { code = 'WEIR_HTTP_FAILED', detail = `${url} answered with ${response.status}` } = problem
      throw new WeirError(code, detail)
    }
    return { waitMs: 1_000 * Number(response.headers.get('retry-after') ?? 0) }
  }

  async function decide(
    transaction: NewTransaction,
    { deadlineMs, fallback }: DecideOptions,
  ): Promise<Answer> {
    if (closing.signal.aborted) throw closed()
    const deadline = AbortSignal.timeout(deadlineMs)
    const signal = AbortSignal.any([deadline, closing.signal])
    const giveUpAt = performance.now() + deadlineMs
    const body = JSON.stringify(transaction)
    let why: 'unavailable' | 'busy' = 'unavailable'
    for (const isLast of [false, true]) {
      try {
        const answer = await tryOnce(body, signal)
        if ('source' in answer) return answer
        why = 'busy'
        if (isLast || performance.now() + answer.waitMs >= giveUpAt) break
        await sleep(answer.waitMs, undefined, { signal })
      } catch (error) {
        if (error instanceof WeirError) throw error
        why = 'unavailable'
        if (signal.aborted) break
      }
    }
    return { source: 'default', outcome: fallback, why: deadline.aborted ? 'deadline' : why }
  }

  return {
    decide,
    async close() {
      closing.abort()
    },
  }
}
