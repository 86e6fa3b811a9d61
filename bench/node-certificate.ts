import { createHash, X509Certificate } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { get } from 'node:https'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { RelayFault } from '../relay/wire/fault.ts'
import { runCommand } from './lines/command.ts'

const ANSWER_DEADLINE_MILLIS = 10_000

/** A certificate for the address of one node, signed by itself, and what makes others trust exactly it. */
export class NodeCertificate {
  readonly certFile: string
  readonly keyFile: string
  readonly #pem: string

  private constructor(certFile: string, keyFile: string, pem: string) {
    this.certFile = certFile
    this.keyFile = keyFile
    this.#pem = pem
  }

  /** Makes it in a directory, which goes when its owner removes it. @throws {RelayFault} `unavailable` without openssl. */
  static async make(address: string, directory: string): Promise<NodeCertificate> {
    const certFile = join(directory, 'certificate.pem')
    const keyFile = join(directory, 'key.pem')
    await runCommand('openssl', [
      'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2',
      '-subj', '/CN=kenkyo bench', '-addext', `subjectAltName=IP:${address}`, '-keyout', keyFile, '-out', certFile,
    ])
    return new NodeCertificate(certFile, keyFile, await readFile(certFile, 'utf8'))
  }

  /** Of a Node program that shall trust it. */
  get environment(): Readonly<Record<string, string>> {
    return { NODE_EXTRA_CA_CERTS: this.certFile }
  }

  /** Of a Chromium that shall trust it: names the public key, everything else is still checked. */
  get chromiumArguments(): readonly string[] {
    const key = new X509Certificate(this.#pem).publicKey.export({ type: 'spki', format: 'der' })
    return [`--ignore-certificate-errors-spki-list=${createHash('sha256').update(key).digest('base64')}`]
  }

  /** Fetches from a server that shows it. @throws {RelayFault} `unavailable` for any answer but 200, or none. */
  async fetchText(url: string): Promise<string> {
    const answer = Promise.withResolvers<string>()
    const request = get(url, { ca: this.#pem, timeout: ANSWER_DEADLINE_MILLIS }, response => {
      if (response.statusCode === 200) answer.resolve(text(response))
      else {
        response.resume()
        answer.reject(new RelayFault('unavailable', `${new URL(url).pathname} answered ${response.statusCode ?? 'nothing'}`))
      }
    })
    request.on('timeout', () => request.destroy(new RelayFault('timeout', `${url} did not answer`)))
    request.on('error', cause => answer.reject(new RelayFault('unavailable', `${url} cannot be reached`, { cause })))
    return answer.promise
  }
}
