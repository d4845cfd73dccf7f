import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
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
  readonly #path: string

  /** @param folder for the files; exists. */
  constructor(folder: string, name: string) {
    this.#path = join(folder, name)
    const files = filesOf(this.#path)
    openssl('req', '-x509', ...newKey(files.keyFile), '-out', files.certFile, '-subj', `/CN=${name}`)
    this.ca = read(files)
  }

  /**
   * For a server or a client.
   *
   * @param address what a server is called by, as subjectAltName has it.
   * @param days of validity from now; -1: it ended yesterday.
   */
  issue(name: string, { address = 'IP:127.0.0.1', days = 2 } = {}): Certificate {
    const path = `${this.#path}-${name}`
    const files = filesOf(path)
    const [request, extensions] = [`${path}.csr`, `${path}.ext`]
    writeFileSync(extensions, `subjectAltName=${address}\nbasicConstraints=critical,CA:FALSE\n`)
    openssl('req', ...newKey(files.keyFile), '-out', request, '-subj', `/CN=${name}`)
    const signer = ['-CA', this.ca.certFile, '-CAkey', this.ca.keyFile, '-CAcreateserial']
    const how = ['-days', `${days}`, '-extfile', extensions]
    openssl('x509', '-req', '-in', request, '-out', files.certFile, ...signer, ...how)
    return read(files)
  }
}

type Files = Pick<Certificate, 'certFile' | 'keyFile'>

const filesOf = (path: string): Files => ({ certFile: `${path}.pem`, keyFile: `${path}.key` })

const newKey = (file: string): string[] => ['-newkey', 'rsa:2048', '-nodes', '-keyout', file]

function openssl(...args: string[]): void {
  execFileSync('openssl', args, { stdio: 'pipe' })
}

function read({ certFile, keyFile }: Files): Certificate {
  return { cert: readFileSync(certFile, 'utf8'), key: readFileSync(keyFile, 'utf8'), certFile, keyFile }
}
