/** Certificates as cards of the Japanese healthcare PKI carry them, of a CA of our own. No real card was ever seen. */
import 'reflect-metadata'
import { randomBytes } from 'node:crypto'
import {
  BasicConstraintsExtension, CertificatePolicyExtension, ExtendedKeyUsageExtension, Extension, KeyUsageFlags, KeyUsagesExtension,
  AuthorityKeyIdentifierExtension, SubjectAlternativeNameExtension, SubjectKeyIdentifierExtension, X509CertificateGenerator,
} from '@peculiar/x509'
import { Constructed, ObjectIdentifier, Sequence, Set as Asn1Set, Utf8String } from 'asn1js'
import { signRevocationList } from '../../relay/access/pki/certificate-issuing.ts'
import { pemOfCrl } from '../../relay/access/pki/platform-ca.ts'
import { HPKI } from '../../relay/access/practitioners/hc-role.ts'
import type { JsonGeneralNames, JsonName, X509Certificate } from '@peculiar/x509'
import type { BaseBlock } from 'asn1js'

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const
const CLIENT_AUTH = '1.3.6.1.5.5.7.3.2'

const tag = (tagNumber: number, inside: BaseBlock): Constructed => new Constructed({ idBlock: { tagClass: 3, tagNumber }, value: [inside] })

/** An HCActor. @param scheme - The coding scheme that its name is of. */
export const actor = (name: string, scheme: string = HPKI.codingScheme): Sequence =>
  new Sequence({ value: [tag(0, new Asn1Set({ value: [tag(0, new ObjectIdentifier({ value: scheme })), tag(2, new Utf8String({ value: name }))] }))] })

/** One attribute of a subject. @param type - Its object identifier. */
export const attribute = (actors: readonly BaseBlock[], type: string = HPKI.hcRole): Sequence =>
  new Sequence({ value: [new ObjectIdentifier({ value: type }), new Asn1Set({ value: [new Asn1Set({ value: [...actors] })] })] })

/** SubjectDirectoryAttributes of one attribute, DER. */
export const attributes = (...of: Parameters<typeof attribute>): ArrayBuffer => new Sequence({ value: [attribute(...of)] }).toBER()

/** What to put on a card; good in every respect that is not overridden. */
export interface CardContents {
  readonly subject?: JsonName
  readonly names?: JsonGeneralNames
  /** SubjectDirectoryAttributes, DER; null: none. */
  readonly attributes?: ArrayBuffer | null
  readonly policies?: readonly string[]
  readonly purposes?: readonly string[]
  readonly notBefore?: Date
  readonly notAfter?: Date
  /** Signed by its own key, not by the authority's. */
  readonly signsItself?: boolean
}

/** A certificate and its key. */
export interface Card {
  readonly certificate: X509Certificate
  readonly der: Uint8Array
  readonly certPem: string
  readonly keyPem: string
}

const serial = (): string => `4${randomBytes(16).toString('hex').slice(1)}`
const hours = (count: number): Date => new Date(Date.now() + count * 3_600_000)

/** An authority that issues cards. */
export class CardIssuer {
  readonly certificate: X509Certificate
  readonly #key: CryptoKey

  private constructor(certificate: X509Certificate, key: CryptoKey) {
    this.certificate = certificate
    this.#key = key
  }

  static async create(name = 'Test HPKI'): Promise<CardIssuer> {
    const keys = await crypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify'])
    const certificate = await X509CertificateGenerator.createSelfSigned({
      serialNumber: serial(), name: [{ CN: [name] }], notBefore: hours(-1), notAfter: hours(24), keys, signingAlgorithm: ALGORITHM,
      extensions: [new BasicConstraintsExtension(true, undefined, true), new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true), await SubjectKeyIdentifierExtension.create(keys.publicKey)],
    })
    return new CardIssuer(certificate, keys.privateKey)
  }

  /** The authority's certificate, PEM. */
  get pem(): string {
    return `${this.certificate.toString('pem')}\n`
  }

  /** A revocation list of some cards, PEM. */
  async crl(revoked: readonly Card[]): Promise<string> {
    const entries = revoked.map(({ certificate }) => ({ serial: certificate.serialNumber, atMillis: Date.now() - 1000 }))
    return pemOfCrl(await signRevocationList({ certificate: this.certificate, key: this.#key }, entries, 1, Date.now() - 3_600_000, Date.now() + 3_600_000))
  }

  async issue(contents: CardContents = {}): Promise<Card> {
    const keys = await crypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify'])
    const { subject = [{ CN: ['Test Doctor'] }], names, policies = [HPKI.authenticationPolicy], purposes = [CLIENT_AUTH], notBefore = hours(-1), notAfter = hours(12) } = contents
    const role = contents.attributes === undefined ? attributes([actor('Medical Doctor')]) : contents.attributes
    const certificate = await X509CertificateGenerator.create({
      serialNumber: serial(), subject, issuer: contents.signsItself === true ? subject : this.certificate.subjectName, notBefore, notAfter, publicKey: keys.publicKey, signingKey: contents.signsItself === true ? keys.privateKey : this.#key, signingAlgorithm: ALGORITHM,
      extensions: [
        new BasicConstraintsExtension(false, undefined, true),
        new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
        ...(purposes.length === 0 ? [] : [new ExtendedKeyUsageExtension([...purposes])]),
        ...(policies.length === 0 ? [] : [new CertificatePolicyExtension([...policies])]),
        ...(role === null ? [] : [new Extension(HPKI.subjectDirectoryAttributes, false, role)]),
        ...(names === undefined ? [] : [new SubjectAlternativeNameExtension(names)]),
        await SubjectKeyIdentifierExtension.create(keys.publicKey),
        await AuthorityKeyIdentifierExtension.create(contents.signsItself === true ? keys.publicKey : this.certificate.publicKey),
      ],
    })
    const key = Buffer.from(await crypto.subtle.exportKey('pkcs8', keys.privateKey)).toString('base64').match(/.{1,64}/g) ?? []
    return { certificate, der: new Uint8Array(certificate.rawData), certPem: `${certificate.toString('pem')}\n`, keyPem: `-----BEGIN PRIVATE KEY-----\n${key.join('\n')}\n-----END PRIVATE KEY-----\n` }
  }
}
