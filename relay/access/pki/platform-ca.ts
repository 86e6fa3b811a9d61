import 'reflect-metadata'
import { mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { X509Certificate } from '@peculiar/x509'
import { replaceDurably } from '../../runtime/durable-file.ts'
import { RelayFault } from '../../wire/fault.ts'
import { CaLedger } from './ca-ledger.ts'
import { generateKeys, randomSerial, signCertificate, signRevocationList } from './certificate-issuing.ts'
import { pemOfKey, readRequest } from './certificate-request.ts'
import { isPlainHostName, KEY_PURPOSES, thumbprintOf } from './certificate.ts'
import { memberUri } from './member-name.ts'
import { answerOcsp } from './ocsp-responder.ts'
import type { IssuedCertificate } from './ca-ledger.ts'
import type { Authority } from './certificate-issuing.ts'
import type { MemberName } from './member-name.ts'

const DAY_MILLIS = 86_400_000
const ROOT_LIFETIME_MILLIS = 3650 * DAY_MILLIS
const ISSUING_LIFETIME_MILLIS = 1825 * DAY_MILLIS
/** How long a member's certificate is good for; it is renewed long before. */
export const MEMBER_LIFETIME_MILLIS = 90 * DAY_MILLIS
/** Clocks of two machines may differ by this much. */
const BACKDATE_MILLIS = 5 * 60_000
/** How long a revocation list may be relied on. A node that hears of no newer one for so long lets nobody in. */
const CRL_LIFETIME_MILLIS = DAY_MILLIS
/** Revocation lists are made anew when they are older than this. */
export const CRL_RENEWAL_MILLIS = 3_600_000

/** What an approval decides of a certificate. */
export interface IssueTerms extends MemberName {
  /** `node` may be a server and a client, `agent` a client only. */
  readonly kind: 'node' | 'agent'
  /** Host names by which a node is reached. */
  readonly dnsNames: readonly string[]
  readonly lifetimeMillis?: number | undefined
}

/** A certificate as it is handed over. */
export interface IssuedChain {
  readonly entry: IssuedCertificate
  /** The certificate and the issuing CA's, PEM; without the root. */
  readonly chainPem: string
}

async function readAuthority(folder: string, name: string): Promise<Authority | undefined> {
  try {
    const [certificate, key] = await Promise.all([readFile(join(folder, `${name}.pem`), 'utf8'), readFile(join(folder, `${name}-key.pem`), 'utf8')])
    const der = Buffer.from(key.replaceAll(/-----[^-]+-----|\s/g, ''), 'base64')
    const algorithm = { name: 'ECDSA', namedCurve: 'P-256' }
    return { certificate: new X509Certificate(certificate), key: await crypto.subtle.importKey('pkcs8', der, algorithm, true, ['sign']) }
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw new RelayFault('bad_config', `the CA's ${name} certificate or key cannot be read`, { cause })
  }
}

async function keep(folder: string, name: string, { certificate, key }: Authority): Promise<void> {
  // The key first: a certificate without its key could not be used and would not be made again.
  await replaceDurably(join(folder, `${name}-key.pem`), pemOfKey(key))
  await replaceDurably(join(folder, `${name}.pem`), `${certificate.toString('pem')}\n`)
}

async function createAuthorities(folder: string, platformName: string, nowMillis: number): Promise<{ root: Authority; issuing: Authority }> {
  const [rootKeys, issuingKeys] = await Promise.all([generateKeys(), generateKeys()])
  const notBeforeMillis = nowMillis - BACKDATE_MILLIS
  const subject = (role: string): Record<string, string[]>[] => [{ O: [platformName] }, { CN: [`${platformName} ${role} CA`] }]
  const root = {
    certificate: await signCertificate({ subject: subject('Root'), publicKey: rootKeys.publicKey, notBeforeMillis, notAfterMillis: nowMillis + ROOT_LIFETIME_MILLIS, authority: { pathLength: 1 } }, { selfKey: rootKeys.privateKey }),
    key: rootKeys.privateKey,
  }
  const issuing = {
    certificate: await signCertificate({ subject: subject('Issuing'), publicKey: issuingKeys.publicKey, notBeforeMillis, notAfterMillis: nowMillis + ISSUING_LIFETIME_MILLIS, authority: { pathLength: 0 } }, root),
    key: issuingKeys.privateKey,
  }
  await keep(folder, 'root', root)
  await keep(folder, 'issuing', issuing)
  return { root, issuing }
}

/** The platform's own certification authority: a root, an issuing CA below it, and what they issued and revoked, in one folder. */
export class PlatformCa {
  readonly #root: Authority
  readonly #issuing: Authority
  readonly #ledger: CaLedger
  readonly #crlPath: string
  readonly #listeners = new Set<(crlsPem: string) => void>()
  #crlsPem = ''
  /** Changes are made one after the other. */
  #work: Promise<unknown> = Promise.resolve()

  private constructor(folder: string, authorities: { root: Authority; issuing: Authority }, ledger: CaLedger) {
    this.#root = authorities.root
    this.#issuing = authorities.issuing
    this.#ledger = ledger
    this.#crlPath = join(folder, 'crl.pem')
  }

  /**
   * Opens the CA in a folder, and makes one where there is none.
   *
   * @throws {RelayFault} `bad_config` for a folder that holds half a CA or a damaged ledger.
   */
  static async open(folder: string, platformName: string, nowMillis: number): Promise<PlatformCa> {
    await mkdir(folder, { recursive: true, mode: 0o700 })
    const [root, issuing] = await Promise.all([readAuthority(folder, 'root'), readAuthority(folder, 'issuing')])
    if ((root === undefined) !== (issuing === undefined)) throw new RelayFault('bad_config', 'the folder holds half a CA')
    const authorities = root === undefined || issuing === undefined ? await createAuthorities(folder, platformName, nowMillis) : { root, issuing }
    const ca = new PlatformCa(folder, authorities, await CaLedger.open(join(folder, 'ledger.json')))
    await ca.publishCrls(nowMillis)
    return ca
  }

  /** What members trust, PEM. */
  get rootPem(): string {
    return `${this.#root.certificate.toString('pem')}\n`
  }

  /** The issuing CA's certificate, PEM. */
  get issuingPem(): string {
    return `${this.#issuing.certificate.toString('pem')}\n`
  }

  /** Both: what a door needs, which builds paths of the CAs that it was told of. */
  get trustPem(): string {
    return this.rootPem + this.issuingPem
  }

  /** The newest revocation lists, PEM. */
  get crlsPem(): string {
    return this.#crlsPem
  }

  /** @param listener - Hears new revocation lists, PEM. @returns Stops listening. */
  changed(listener: (crlsPem: string) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  get issued(): readonly IssuedCertificate[] {
    return this.#ledger.issued
  }

  /**
   * Issues a certificate for the key of a request. Nothing else of the request is looked at.
   *
   * @throws {CertificateFault} for a request that cannot be read or is not signed with its own key.
   * @throws {RelayFault} `bad_message` for a host name that is none.
   */
  async issue(request: string | Uint8Array, terms: IssueTerms, nowMillis: number): Promise<IssuedChain> {
    const { publicKey } = await readRequest(request)
    const { facilityId, nodeId, kind, dnsNames, lifetimeMillis = MEMBER_LIFETIME_MILLIS } = terms
    if (!dnsNames.every(isPlainHostName)) throw new RelayFault('bad_message', 'a host name is letters, digits and hyphens')
    const serial = randomSerial()
    const notAfterMillis = nowMillis + lifetimeMillis
    const certificate = await signCertificate({
      serial, publicKey, notAfterMillis,
      subject: [{ O: [facilityId] }, { CN: [nodeId] }],
      names: [{ type: 'url', value: memberUri({ facilityId, nodeId }) }, ...dnsNames.map(value => ({ type: 'dns' as const, value }))],
      notBeforeMillis: nowMillis - BACKDATE_MILLIS,
      purposes: kind === 'node' ? [KEY_PURPOSES.serverAuth, KEY_PURPOSES.clientAuth] : [KEY_PURPOSES.clientAuth],
    }, this.#issuing)
    const entry = { serial, thumbprint: thumbprintOf(new Uint8Array(certificate.rawData)), facilityId, nodeId, notAfterMillis, revokedAtMillis: null }
    // Recorded before it is handed over: what nobody knows of could never be revoked.
    await this.#inTurn(() => this.#ledger.add(entry))
    return { entry, chainPem: `${certificate.toString('pem')}\n${this.issuingPem}` }
  }

  /** Revokes what matches and has not run out, and publishes lists that say so. @returns What was revoked. */
  async revoke(matches: (entry: IssuedCertificate) => boolean, nowMillis: number): Promise<IssuedCertificate[]> {
    const revoked = await this.#inTurn(() => this.#ledger.revoke(matches, nowMillis))
    if (revoked.length > 0) await this.publishCrls(nowMillis)
    return revoked
  }

  /** Makes the revocation lists of root and issuing CA anew and writes them to `crl.pem`. @returns The same, PEM. */
  publishCrls(nowMillis: number): Promise<string> {
    return this.#inTurn(async () => {
      const number = await this.#ledger.nextCrlNumber()
      const revoked = this.#ledger.issued.flatMap(({ serial, revokedAtMillis, notAfterMillis }) => (revokedAtMillis === null || notAfterMillis < nowMillis ? [] : [{ serial, atMillis: revokedAtMillis }]))
      const [thisUpdate, nextUpdate] = [nowMillis - BACKDATE_MILLIS, nowMillis + CRL_LIFETIME_MILLIS]
      const lists = await Promise.all([signRevocationList(this.#root, [], number, thisUpdate, nextUpdate), signRevocationList(this.#issuing, revoked, number, thisUpdate, nextUpdate)])
      const pem = lists.map(pemOfCrl).join('')
      await replaceDurably(this.#crlPath, pem)
      this.#crlsPem = pem
      for (const listener of this.#listeners) listener(pem)
      return pem
    })
  }

  /** Answers an OCSP request about certificates of the issuing CA. @returns DER; a malformed request gets the answer that says so. @see RFC 6960 */
  ocsp(request: Uint8Array, nowMillis: number): Promise<Buffer> {
    return answerOcsp(request, this.#issuing, serial => this.#ledger.bySerial(serial), nowMillis)
  }

  #inTurn<Result>(work: () => Promise<Result>): Promise<Result> {
    const done = this.#work.then(work)
    this.#work = done.catch(() => undefined)
    return done
  }
}

/** A revocation list in PEM. */
export const pemOfCrl = (der: Buffer): string => `-----BEGIN X509 CRL-----\n${(der.toString('base64').match(/.{1,64}/g) ?? []).join('\n')}\n-----END X509 CRL-----\n`

