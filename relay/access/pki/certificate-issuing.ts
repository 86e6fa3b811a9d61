import 'reflect-metadata'
import { randomBytes } from 'node:crypto'
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  ExtendedKeyUsageExtension,
  Extension,
  KeyUsageFlags,
  KeyUsagesExtension,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509CertificateGenerator,
  X509CrlGenerator,
  X509CrlReason,
} from '@peculiar/x509'
import type { JsonGeneralNames, JsonName, PublicKeyType, X509Certificate } from '@peculiar/x509'

/** Everything here is signed so: ECDSA on P-256 with SHA-256, which every TLS 1.3 implementation knows. @see RFC 8446 section 9.1 */
const KEY_ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256' } as const
export const SIGNING_ALGORITHM = { name: 'ECDSA', hash: 'SHA-256' } as const
/** Bits that are set together. @see RFC 5280 section 4.2.1.3 */
const CA_USAGE: KeyUsageFlags = KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign | KeyUsageFlags.digitalSignature
/** @see RFC 5280 section 5.2.3 */
const CRL_NUMBER = '2.5.29.20'

/** A certificate and the private key to it. */
export interface Authority {
  readonly certificate: X509Certificate
  readonly key: CryptoKey
}

/** What to put in a certificate. */
export interface CertificateContents {
  readonly subject: JsonName
  readonly names?: JsonGeneralNames | undefined
  readonly publicKey: PublicKeyType
  readonly notBeforeMillis: number
  readonly notAfterMillis: number
  /** Object identifiers of the extended key usage; none: without the extension. */
  readonly purposes?: readonly string[] | undefined
  /** A CA, that lets so many CAs follow it in a path; undefined: no CA. */
  readonly authority?: { readonly pathLength: number | undefined } | undefined
  /** Hexadecimal; random without it. */
  readonly serial?: string | undefined
}

/** A serial number of 127 random bits that is positive. @see RFC 5280 section 4.1.2.2 */
export function randomSerial(): string {
  const bytes = randomBytes(16)
  bytes[0] = (bytes.readUInt8(0) & 0x3f) | 0x40
  return bytes.toString('hex')
}

/** A new key pair, extractable so that it can be kept in a file. */
export const generateKeys = (): Promise<CryptoKeyPair> => crypto.subtle.generateKey(KEY_ALGORITHM, true, ['sign', 'verify'])

/** @param issuer - Whose key signs; undefined with `selfKey`: the certificate signs itself. */
export async function signCertificate(contents: CertificateContents, issuer: Authority | { readonly selfKey: CryptoKey }): Promise<X509Certificate> {
  const { subject, names, publicKey, notBeforeMillis, notAfterMillis, purposes = [], authority, serial = randomSerial() } = contents
  const isSelf = 'selfKey' in issuer
  return X509CertificateGenerator.create({
    serialNumber: serial,
    subject,
    issuer: isSelf ? subject : issuer.certificate.subjectName,
    notBefore: new Date(notBeforeMillis),
    notAfter: new Date(notAfterMillis),
    publicKey,
    signingKey: isSelf ? issuer.selfKey : issuer.key,
    signingAlgorithm: SIGNING_ALGORITHM,
    extensions: [
      new BasicConstraintsExtension(authority !== undefined, authority?.pathLength, true),
      new KeyUsagesExtension(authority === undefined ? KeyUsageFlags.digitalSignature : (CA_USAGE), true),
      ...(purposes.length > 0 ? [new ExtendedKeyUsageExtension([...purposes])] : []),
      ...(names === undefined ? [] : [new SubjectAlternativeNameExtension(names)]),
      await SubjectKeyIdentifierExtension.create(publicKey),
      await AuthorityKeyIdentifierExtension.create(isSelf ? publicKey : issuer.certificate.publicKey),
    ],
  })
}

/** One certificate that is revoked. */
export interface Revocation {
  /** Hexadecimal. */
  readonly serial: string
  readonly atMillis: number
}

function derInteger(value: number): Buffer<ArrayBuffer> {
  const hex = value.toString(16)
  const body = Buffer.from(hex.length % 2 === 1 ? `0${hex}` : hex, 'hex')
  const positive = body.readUInt8(0) > 0x7f ? Buffer.concat([Buffer.of(0), body]) : body
  return Buffer.concat([Buffer.of(2, positive.length), positive])
}

/**
 * A revocation list.
 *
 * @param number - Grows with each list of this issuer.
 * @returns DER. @see RFC 5280 section 5
 */
export async function signRevocationList(issuer: Authority, revoked: readonly Revocation[], number: number, thisUpdateMillis: number, nextUpdateMillis: number): Promise<Buffer> {
  const list = await X509CrlGenerator.create({
    issuer: issuer.certificate.subjectName,
    thisUpdate: new Date(thisUpdateMillis),
    nextUpdate: new Date(nextUpdateMillis),
    entries: revoked.map(({ serial, atMillis }) => ({ serialNumber: serial, revocationDate: new Date(atMillis), reason: X509CrlReason.cessationOfOperation })),
    extensions: [await AuthorityKeyIdentifierExtension.create(issuer.certificate.publicKey), new Extension(CRL_NUMBER, false, derInteger(number))],
    signingAlgorithm: SIGNING_ALGORITHM,
    signingKey: issuer.key,
  })
  return Buffer.from(list.rawData)
}
