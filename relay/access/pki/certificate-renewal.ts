import { X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { request as httpsRequest } from 'node:https'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { z } from 'zod'
import { replaceDurably } from '../../runtime/durable-file.ts'
import { RelayFault } from '../../wire/fault.ts'
import { CertificateChecker } from './certificate-checker.ts'
import { readRequest } from './certificate-request.ts'
import { readCertificate, thumbprintOf } from './certificate.ts'
import { dersIn, MEMBER_FILES, readMember } from './enrolment-folder.ts'
import { EnrolmentRequest } from './enrolment.ts'
import type { IncomingMessage } from 'node:http'
import type { IssuedChain, PlatformCa } from './platform-ca.ts'

/** A certificate is renewed when less than this is left of it. */
export const RENEW_BEFORE_MILLIS = 30 * 86_400_000
const PATIENCE_MILLIS = 10_000
const Answer = z.strictObject({ chainPem: z.string().min(1).max(32 * 1024) })
/** What a machine sends to have its certificate renewed: its old request, with the same key. */
export const RenewalBody = z.strictObject({ requestPem: z.string().min(1).max(16 * 1024) })

/**
 * Issues a certificate with the names and the key of one that is soon to run out.
 *
 * @param presented - The certificate of the connection, which the door has checked, DER.
 * @throws {RelayFault} `conflict` long before it runs out; `certificate_refused` for another key.
 */
export async function renewCertificate(ca: PlatformCa, presented: Uint8Array, requestPem: string, kind: 'node' | 'agent', nowMillis: number): Promise<IssuedChain> {
  const { member, dnsNames, notAfterMillis } = readCertificate(presented)
  if (member === undefined) throw new RelayFault('certificate_refused', 'the certificate names no machine of a facility')
  if (notAfterMillis - nowMillis > RENEW_BEFORE_MILLIS) throw new RelayFault('conflict', 'the certificate is good for long enough')
  const key = new X509Certificate(presented).publicKey.export({ type: 'spki', format: 'der' })
  if ((await readRequest(requestPem)).keyThumbprint !== thumbprintOf(key)) throw new RelayFault('certificate_refused', 'the request is for another key')
  return ca.issue(requestPem, { ...member, kind, dnsNames }, nowMillis)
}

/**
 * Renews the certificate in a machine's folder when it is due, by the core's door for members.
 *
 * @param coreUrl - `https://` host and port.
 * @returns Until when the certificate in the folder is good, and whether it is a new one.
 * @throws {RelayFault} `unavailable` when the core does not answer or refuses; `certificate_refused` for an answer that is not good. The old one then stays.
 */
export async function renewInFolder(folder: string, coreUrl: string, nowMillis: number): Promise<{ isNew: boolean; notAfterMillis: number }> {
  const { cert, key, ca, reading: { notAfterMillis, dnsNames, member } } = await readMember(folder)
  const request = await readFile(join(folder, MEMBER_FILES.request), 'utf8').catch((cause: unknown) => {
    throw new RelayFault('bad_config', 'the folder holds no request', { cause })
  })
  if (notAfterMillis - nowMillis > RENEW_BEFORE_MILLIS) return { isNew: false, notAfterMillis }
  const { requestPem } = EnrolmentRequest.parse(JSON.parse(request))
  const chainPem = await ask(new URL('/core/renewal', coreUrl), { cert, key, ca }, JSON.stringify({ requestPem }))
  const chain = dersIn(chainPem)
  const reading = await new CertificateChecker().check(chain, { anchorsPem: ca }, { purpose: 'clientAuth', member, hostName: dnsNames[0], nowMillis })
  await replaceDurably(join(folder, MEMBER_FILES.certificate), chainPem)
  return { isNew: true, notAfterMillis: reading.notAfterMillis }
}

async function ask(url: URL, credentials: { cert: string; key: string; ca: string }, body: string): Promise<string> {
  try {
    const asking = httpsRequest(url, { ...credentials, method: 'POST', minVersion: 'TLSv1.3', agent: false, headers: { 'content-type': 'application/json' }, signal: AbortSignal.timeout(PATIENCE_MILLIS) })
    asking.end(body)
    const [response] = (await once(asking, 'response')) as [IncomingMessage]
    const answer: unknown = JSON.parse(await text(response))
    if (response.statusCode !== 200) throw new RelayFault('unavailable', `the core answers ${response.statusCode}`)
    return Answer.parse(answer).chainPem
  } catch (cause) {
    throw cause instanceof RelayFault ? cause : new RelayFault('unavailable', 'the core does not renew the certificate', { cause })
  }
}
