import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createRequest, readRequest } from '../../relay/access/pki/certificate-request.ts'
import { readCertificate } from '../../relay/access/pki/certificate.ts'
import { readOcspRequest } from '../../relay/access/pki/ocsp-responder.ts'
import { RelayFault } from '../../relay/wire/fault.ts'
import { mutatedDer } from './mutated-der.ts'
import { dersIn, openTestCa } from './test-ca.ts'

/** A parser of what strangers send, and something that it takes. */
export interface FuzzedParser {
  readonly name: string
  readonly seed: Uint8Array
  /** @returns Whether it was taken. @throws {RelayFault} `certificate_refused` where it refuses by a fault. */
  readonly read: (der: Uint8Array) => boolean | Promise<boolean>
}

/** What became of the inputs of one parser. */
export interface FuzzCounts {
  readonly parser: string
  readonly inputs: number
  /** Mutations that still are what the parser reads, such as another name in a certificate that nobody has verified yet. */
  readonly taken: number
  readonly refused: number
  readonly slowestMillis: number
}

/** Certificates, certification requests (PKCS #10) and OCSP requests. */
export async function certificateParsers(): Promise<FuzzedParser[]> {
  await using test = await openTestCa()
  const { cert } = await test.issue('fuzzed', { kind: 'node', dnsNames: ['node.hospital.example'] })
  const [leaf = Buffer.of()] = dersIn(cert)
  const { requestPem } = await createRequest('fuzzed')
  writeFileSync(join(test.folder, 'leaf.pem'), cert)
  execFileSync('openssl', ['ocsp', '-issuer', 'issuing.pem', '-cert', 'leaf.pem', '-reqout', 'request.der'], { cwd: test.folder, timeout: 10_000 })
  return [
    { name: 'certificate', seed: leaf, read: der => readCertificate(der).der === der },
    { name: 'certification request', seed: Buffer.from(requestPem.replaceAll(/-----[^-]+-----|\s/g, ''), 'base64'), read: async der => (await readRequest(der)).keyThumbprint.length === 64 },
    { name: 'OCSP request', seed: readFileSync(join(test.folder, 'request.der')), read: der => readOcspRequest(der) !== undefined },
  ]
}

/**
 * Brings mutations of what it takes to a parser.
 *
 * @param next - From 0 to 1.
 * @throws Whatever the parser throws that is not `certificate_refused`.
 */
export async function fuzzParser({ name, seed, read }: FuzzedParser, inputs: number, next: () => number): Promise<FuzzCounts> {
  if (!(await read(seed))) throw new Error(`the ${name} is not taken even unharmed`)
  let [taken, refused, slowestMillis] = [0, 0, 0]
  for (let round = 0; round < inputs; round++) {
    const input = mutatedDer(seed, next)
    const startedAt = performance.now()
    try {
      if (await read(input)) taken++
      else refused++
    } catch (error) {
      if (!(error instanceof RelayFault) || error.code !== 'certificate_refused') throw new Error(`round ${round} of the ${name}: ${Buffer.from(input).toString('hex')}`, { cause: error })
      refused++
    }
    slowestMillis = Math.max(slowestMillis, performance.now() - startedAt)
  }
  return { parser: name, inputs, taken, refused, slowestMillis: Math.round(slowestMillis) }
}
