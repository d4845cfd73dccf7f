import type { Service } from '../test/helpers/services.ts'
import { localKafka } from '../test/helpers/services-local.ts'

/**
 * A broker that those find through a proxy who are told of its port, and all others directly.
 *
 * @param brokerPort where the broker listens for the proxy, on 127.0.0.1.
 */
export function startBehindProxy(
  { port }: { readonly port: number },
  brokerPort: number,
  settings: Readonly<Record<string, string>> = {},
): Promise<Service> {
  return localKafka(
    {
      ...settings,
      'listener.security.protocol.map': 'PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,PROXY:PLAINTEXT',
      'inter.broker.listener.name': 'PLAINTEXT',
    },
    { listeners: { PROXY: brokerPort }, advertised: { PROXY: port } },
  )
}
