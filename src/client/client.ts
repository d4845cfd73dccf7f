import type { Client, ClientEvent } from './answer.ts'
import { type HttpOptions, openHttp } from './http.ts'
import { type KafkaOptions, openKafkaClient } from './kafka.ts'

export type { Answer, Client, ClientDecision, ClientEvent, DecideOptions, NewTransaction } from './answer.ts'
export type { HttpOptions } from './http.ts'
export type { KafkaOptions } from './kafka.ts'

export type ClientOptions = ({ readonly kafka: KafkaOptions } | { readonly http: HttpOptions }) & {
  /** Told what no promise tells: late decisions, and what went wrong on the way. */
  readonly onEvent?: (event: ClientEvent) => void
}

/**
 * weir for a payment system. Over Kafka, `decide` sends the payment and awaits its one decision: that is how payments are
 * decided. Over HTTP it asks what would be decided, and changes nothing.
 *
 * @throws WeirError WEIR_LOG_* when Kafka or the topics cannot be had.
 */
export async function createClient(options: ClientOptions): Promise<Client> {
  const onEvent = options.onEvent ?? (() => {})
  return 'kafka' in options ? openKafkaClient(options.kafka, onEvent) : openHttp(options.http)
}
