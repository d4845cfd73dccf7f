import type { Authority, Certificate } from './certificates.ts'
import type { Service } from './services.ts'
import { localKafka } from './services-local.ts'
import { freePort } from './services-ready.ts'
import { TlsFront } from './tls-front.ts'

/** A broker that speaks to its clients in encrypted ways only, each on its port of 127.0.0.1. */
export interface SecureKafka {
  readonly service: Service
  /** TLS with SASL. */
  readonly secure: string
  /** Mutual TLS. */
  readonly mutual: string
  /** TLS with SASL by a front: see TlsFront. */
  readonly fronted: string
  readonly front: TlsFront
  stop(): Promise<void>
}

/** @param password of the user weir, who may do everything, by any mechanism. */
export async function secureKafka(
  authority: Authority,
  server: Certificate,
  password: string,
): Promise<SecureKafka> {
  const listeners = { SECURE: await freePort(), MUTUAL: await freePort(), FRONTED: await freePort() }
  const frontPort = await freePort()
  const service = await localKafka(settings(authority, server, password), {
    listeners,
    advertised: { FRONTED: frontPort },
    scram: ['SCRAM-SHA-256', 'SCRAM-SHA-512'].map(
      (mechanism) => `${mechanism}=[name=weir,password=${password}]`,
    ),
  })
  const front = await TlsFront.open(frontPort, `127.0.0.1:${listeners.FRONTED}`, server)
  return {
    service,
    secure: `127.0.0.1:${listeners.SECURE}`,
    mutual: `127.0.0.1:${listeners.MUTUAL}`,
    fronted: `127.0.0.1:${frontPort}`,
    front,
    async stop() {
      await front.close()
      await service.stop()
    },
  }
}

function settings(authority: Authority, { cert, key }: Certificate, password: string) {
  const line = (pem: string) => pem.trim().replaceAll('\n', '\\n')
  const login = 'org.apache.kafka.common.security'
  const mechanisms = ['plain', 'scram-sha-256', 'scram-sha-512']
  const sasl = ['secure', 'fronted'].flatMap((listener) => [
    [`listener.name.${listener}.sasl.enabled.mechanisms`, mechanisms.join().toUpperCase()],
    ...mechanisms.map((mechanism) => [
      `listener.name.${listener}.${mechanism}.sasl.jaas.config`,
      mechanism === 'plain'
        ? `${login}.plain.PlainLoginModule required user_weir="${password}";`
        : `${login}.scram.ScramLoginModule required;`,
    ]),
  ])
  return {
    'listener.security.protocol.map':
      'PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SECURE:SASL_SSL,MUTUAL:SSL,FRONTED:SASL_PLAINTEXT',
    'ssl.keystore.type': 'PEM',
    'ssl.keystore.certificate.chain': line(cert),
    'ssl.keystore.key': line(key),
    'ssl.truststore.type': 'PEM',
    'ssl.truststore.certificates': line(authority.ca.cert),
    'listener.name.mutual.ssl.client.auth': 'required',
    ...Object.fromEntries(sasl),
  }
}
