import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

/** A certificate and its key: PEM texts, and the files that hold them. */
export interface Certificate {
  readonly cert: string
  readonly key: string
  readonly certFile: string
  readonly keyFile: string
}

/** A certificate authority of a test's own. */
export class Authority {
  readonly ca: Certificate
  readonly #folder: string
  readonly #name: string

  /** @param folder for the files; exists. */
  constructor(folder: string, name: string) {
    this.#folder = folder
    this.#name = name
    this.ca = this.#make(name, ['-x509', '-days', '2', '-subj', `/CN=${name}`])
  }

  /** For a server on 127.0.0.1, or for a client. */
  issue(name: string): Certificate {
    const { certFile, keyFile } = this.ca
    const address = 'subjectAltName=IP:127.0.0.1'
    const signed = ['-x509', '-days', '2', '-CA', certFile, '-CAkey', keyFile, '-addext', address]
    const leaf = ['-addext', 'basicConstraints=critical,CA:FALSE']
    return this.#make(`${this.#name}-${name}`, [...signed, ...leaf, '-subj', `/CN=${name}`])
  }

  #make(name: string, args: readonly string[]): Certificate {
    const [certFile, keyFile] = [join(this.#folder, `${name}.pem`), join(this.#folder, `${name}.key`)]
    const key = ['-newkey', 'rsa:2048', '-nodes', '-keyout', keyFile]
    execFileSync('openssl', ['req', ...key, '-out', certFile, ...args], { stdio: 'pipe' })
    return { cert: readFileSync(certFile, 'utf8'), key: readFileSync(keyFile, 'utf8'), certFile, keyFile }
  }
}
