import { X509Certificate, createPrivateKey } from 'node:crypto'
import { mkdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { replaceDurably } from '../../runtime/durable-file.ts'
import { RelayFault } from '../../wire/fault.ts'
import { CertificateChecker } from './certificate-checker.ts'
import { createRequest, readRequest } from './certificate-request.ts'
import { readCertificate, thumbprintOf } from './certificate.ts'
import { EnrolmentAnswer, EnrolmentRequest } from './enrolment.ts'
import type { Sha256 } from '../../wire/ids.ts'
import type { CertificateReading } from './certificate.ts'
import type { MemberName } from './member-name.ts'

/** Files of a machine that joins. The first never leaves it. */
export const MEMBER_FILES = { key: 'node-key.pem', request: 'request.json', certificate: 'node.pem', trust: 'platform-ca.pem', crl: 'platform-crl.pem' } as const

/** Makes a key and the request that goes to the operator, in a folder. @returns What to read out on the telephone. @throws {RelayFault} `conflict` where there is a key; `bad_message` for names that are none. */
export async function requestInto(folder: string, wanted: Record<keyof Omit<EnrolmentRequest, 'requestPem'>, unknown>): Promise<Sha256> {
  const keyPath = join(folder, MEMBER_FILES.key)
  await mkdir(folder, { recursive: true, mode: 0o700 })
  if (await stat(keyPath).then(() => true, () => false)) throw new RelayFault('conflict', `${keyPath} is there already`)
  const { keyPem, requestPem } = await createRequest('request')
  const request = EnrolmentRequest.safeParse({ ...wanted, requestPem })
  if (!request.success) throw new RelayFault('bad_message', request.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`).join('; '), { cause: request.error })
  if ((request.data.kind === 'node') !== (request.data.hostNames.length > 0)) throw new RelayFault('bad_message', 'a node needs host names, and an agent has none')
  await replaceDurably(keyPath, keyPem)
  await replaceDurably(join(folder, MEMBER_FILES.request), JSON.stringify(request.data))
  return (await readRequest(requestPem)).keyThumbprint
}

/** The certificates in a PEM text, DER. */
export const dersIn = (pem: string): Buffer[] => [...pem.matchAll(/-----BEGIN CERTIFICATE-----([^-]+)-----END/g)].map(([, body = '']) => Buffer.from(body, 'base64'))

/**
 * Takes the operator's answer, if it is for the key in the folder and from the platform whose root was read out.
 *
 * @param rootThumbprint - SHA-256 of the root's certificate, as the operator read it out.
 * @throws {RelayFault} `bad_message` for what is no answer; `certificate_refused` for one from another platform, for another key or machine.
 */
export async function acceptAnswer(folder: string, answerPath: string, rootThumbprint: string, nowMillis: number): Promise<EnrolmentAnswer> {
  const answer = EnrolmentAnswer.safeParse(await readJson(answerPath))
  const asked = EnrolmentRequest.safeParse(await readJson(join(folder, MEMBER_FILES.request)))
  if (!answer.success || !asked.success) throw new RelayFault('bad_message', answer.success ? 'the folder holds no request' : 'the file is no answer of an operator')
  const { chainPem, rootPem, crlPem } = answer.data
  const roots = dersIn(rootPem)
  const chain = dersIn(chainPem)
  if (roots.length !== 1 || !roots.every(root => thumbprintOf(root) === rootThumbprint.toLowerCase())) throw new RelayFault('certificate_refused', 'this is not the platform whose root was read out')
  await new CertificateChecker().check(chain, { anchorsPem: rootPem, crlsPem: crlPem }, { purpose: 'clientAuth', member: asked.data, nowMillis })
  const key = createPrivateKey(await readFile(join(folder, MEMBER_FILES.key)))
  if (chain[0] === undefined || !new X509Certificate(chain[0]).checkPrivateKey(key)) throw new RelayFault('certificate_refused', 'the certificate is for another key')
  await replaceDurably(join(folder, MEMBER_FILES.trust), rootPem + chainPem.slice(chainPem.lastIndexOf('-----BEGIN')))
  await replaceDurably(join(folder, MEMBER_FILES.crl), crlPem)
  await replaceDurably(join(folder, MEMBER_FILES.certificate), chainPem)
  return answer.data
}

/** What a machine of the folder shows the core, PEM, and who it is by its certificate. @throws {RelayFault} `bad_config` for a folder of no machine that has joined. */
export async function readMember(folder: string): Promise<{ readonly cert: string; readonly key: string; readonly ca: string; readonly reading: CertificateReading & { readonly member: MemberName } }> {
  try {
    const [cert, key, ca] = await Promise.all((['certificate', 'key', 'trust'] as const).map(name => readFile(join(folder, MEMBER_FILES[name]), 'utf8')))
    const reading = readCertificate(dersIn(cert ?? '')[0] ?? Buffer.of())
    if (cert === undefined || key === undefined || ca === undefined || reading.member === undefined) throw new TypeError('no member')
    return { cert, key, ca, reading: { ...reading, member: reading.member } }
  } catch (cause) {
    throw new RelayFault('bad_config', 'the folder holds no machine that has joined', { cause })
  }
}

async function readJson(path: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(path, 'utf8')) as unknown
  } catch (cause) {
    throw new RelayFault('bad_message', `${path} cannot be read as JSON`, { cause })
  }
}
