import type { Logger } from 'pino'
import type { RedisStore } from '../adapters/redis-store.ts'
import type { Probe } from '../http/server.ts'
import type { Metrics } from '../observability/metrics.ts'
import { isSevere } from '../observability/observe.ts'

/** What is wrong with Redis; null when nothing is. */
type Trouble = { readonly message: string; readonly cure?: string } | null

/**
 * Knows whether Redis can be relied on: connected, answering in time, taking writes, dropping nothing. Lanes find out
 * by themselves what they need for a decision; this is for people: a line of the log whenever it changes, a metric, and
 * the probe of /readyz.
 */
export class StoreWatch {
  readonly #logger: Logger
  readonly #fit: Metrics['storeFit']
  #isConnected = false
  #told: string | undefined = ''
  #trouble: Trouble = null
  #looking: Promise<void> | null = null

  constructor(logger: Logger, { storeFit }: Pick<Metrics, 'storeFit'>) {
    this.#logger = logger
    this.#fit = storeFit
  }

  readonly onConnection = (error?: Error): void => {
    this.#isConnected = error === undefined
    // Tried again for ever: each reason is told once.
    if (this.#told === error?.message) return
    this.#told = error?.message
    if (error === undefined) this.#logger.info('connected to Redis')
    else this.#logger[isSevere(error) ? 'error' : 'warn']({ error }, 'Redis cannot be reached')
  }

  readonly probe: Probe = () => {
    if (!this.#isConnected) return { ok: false, detail: 'not connected' }
    return { ok: this.#trouble === null, detail: this.#trouble?.message ?? 'connected' }
  }

  /** Asks Redis, unless it is being asked. Never rejects. */
  look(store: RedisStore): Promise<void> {
    this.#looking ??= this.#ask(store).finally(() => {
      this.#looking = null
    })
    return this.#looking
  }

  async #ask(store: RedisStore): Promise<void> {
    if (!this.#isConnected) {
      this.#fit.set(0)
      return
    }
    const trouble: Trouble = await store.check().then(
      ([finding]) => finding ?? null,
      ({ message }: Error) => ({ message }),
    )
    this.#fit.set(trouble === null ? 1 : 0)
    if (trouble?.message !== this.#trouble?.message) this.#tell(trouble)
    this.#trouble = trouble
  }

  #tell(trouble: Trouble): void {
    if (trouble === null) this.#logger.info('Redis can be relied on again')
    else if (trouble.cure === undefined) this.#logger.warn(trouble.message)
    else this.#logger.error({ code: 'WEIR_STORE_UNFIT', cure: trouble.cure }, trouble.message)
  }
}
