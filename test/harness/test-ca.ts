/** A CA for tests: the platform's own, and certificates of every bad kind made of the same parts. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { generateKeys, signCertificate, signRevocationList } from '../../relay/access/pki/certificate-issuing.ts'
import { createRequest, pemOfKey } from '../../relay/access/pki/certificate-request.ts'
import { KEY_PURPOSES } from '../../relay/access/pki/certificate.ts'
import { memberUri } from '../../relay/access/pki/member-name.ts'
import { pemOfCrl, PlatformCa } from '../../relay/access/pki/platform-ca.ts'
import { FacilityId, NodeId } from '../../relay/wire/access.ts'
import type { Authority, CertificateContents } from '../../relay/access/pki/certificate-issuing.ts'
import type { IssueTerms } from '../../relay/access/pki/platform-ca.ts'

/** A certificate chain and its private key, PEM. */
export interface TestCredentials {
  readonly cert: string
  readonly key: string
}

/** The platform CA in a folder of its own, removed at the end. */
export interface TestCa extends AsyncDisposable {
  readonly folder: string
  readonly ca: PlatformCa
  issue(nodeId: string, terms?: Partial<IssueTerms>): Promise<TestCredentials>
}

/** @param facilityId - Whose machines it issues to, unless told otherwise. */
export async function openTestCa(facilityId = 'hospital'): Promise<TestCa> {
  const folder = await mkdtemp(join(tmpdir(), 'kenkyo-ca-'))
  const ca = await PlatformCa.open(folder, 'Kenkyo Test', Date.now())
  return {
    folder,
    ca,
    issue: async (nodeId, terms = {}) => {
      const { keyPem, requestPem } = await createRequest(nodeId)
      const { chainPem } = await ca.issue(requestPem, { facilityId: FacilityId.parse(facilityId), nodeId: NodeId.parse(nodeId), kind: 'agent', dnsNames: [], ...terms }, Date.now())
      return { cert: chainPem, key: keyPem }
    },
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }),
  }
}

/** An authority that nobody runs: whatever it is asked to sign, it signs. */
export class LooseCa {
  readonly authority: Authority
  /** Certificates from this one up to the root, PEM, without the root. */
  readonly #above: string
  readonly rootPem: string

  private constructor(authority: Authority, above: string, rootPem: string) {
    this.authority = authority
    this.#above = above
    this.rootPem = rootPem
  }

  static async create(name = 'Loose Root', pathLength?: number): Promise<LooseCa> {
    const keys = await generateKeys()
    const contents = { subject: [{ CN: [name] }], publicKey: keys.publicKey, notBeforeMillis: Date.now() - 3_600_000, notAfterMillis: Date.now() + 3_600_000, authority: { pathLength } }
    const certificate = await signCertificate(contents, { selfKey: keys.privateKey })
    return new LooseCa({ certificate, key: keys.privateKey }, '', `${certificate.toString('pem')}\n`)
  }

  /** A CA below this one. */
  async below(name: string, pathLength?: number): Promise<LooseCa> {
    const keys = await generateKeys()
    const contents = { subject: [{ CN: [name] }], publicKey: keys.publicKey, notBeforeMillis: Date.now() - 3_600_000, notAfterMillis: Date.now() + 3_600_000, authority: { pathLength } }
    const certificate = await signCertificate(contents, this.authority)
    return new LooseCa({ certificate, key: keys.privateKey }, `${certificate.toString('pem')}\n${this.#above}`, this.rootPem)
  }

  /** A member's certificate, good in every respect that is not overridden. */
  async member(overrides: Partial<CertificateContents> = {}): Promise<TestCredentials> {
    const keys = await generateKeys()
    const name = { facilityId: FacilityId.parse('hospital'), nodeId: NodeId.parse('scanner') }
    const contents: CertificateContents = {
      subject: [{ CN: [name.nodeId] }], names: [{ type: 'url', value: memberUri(name) }], publicKey: keys.publicKey,
      notBeforeMillis: Date.now() - 3_600_000, notAfterMillis: Date.now() + 3_600_000, purposes: [KEY_PURPOSES.clientAuth], ...overrides,
    }
    const certificate = await signCertificate(contents, this.authority)
    return { cert: `${certificate.toString('pem')}\n${this.#above}`, key: pemOfKey(keys.privateKey) }
  }

  /** A certificate that signs itself. */
  async selfSigned(): Promise<TestCredentials> {
    const keys = await generateKeys()
    const name = { facilityId: FacilityId.parse('hospital'), nodeId: NodeId.parse('scanner') }
    const contents = { subject: [{ CN: [name.nodeId] }], names: [{ type: 'url' as const, value: memberUri(name) }], publicKey: keys.publicKey, notBeforeMillis: Date.now() - 3_600_000, notAfterMillis: Date.now() + 3_600_000, purposes: [KEY_PURPOSES.clientAuth] }
    const certificate = await signCertificate(contents, { selfKey: keys.privateKey })
    return { cert: `${certificate.toString('pem')}\n`, key: pemOfKey(keys.privateKey) }
  }

  /** An empty revocation list, PEM, or one of some serial numbers. */
  async crl(revoked: readonly string[] = []): Promise<string> {
    const entries = revoked.map(serial => ({ serial, atMillis: Date.now() - 1000 }))
    return pemOfCrl(await signRevocationList(this.authority, entries, 1, Date.now() - 3_600_000, Date.now() + 3_600_000))
  }
}

/** The certificates in a PEM text, DER. */
export const dersIn = (pem: string): Buffer[] => [...pem.matchAll(/-----BEGIN CERTIFICATE-----([^-]+)-----END/g)].map(([, body = '']) => Buffer.from(body, 'base64'))
