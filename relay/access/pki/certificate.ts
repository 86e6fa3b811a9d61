import 'reflect-metadata'
import { createHash } from 'node:crypto'
import { BasicConstraintsExtension, ExtendedKeyUsageExtension, SubjectAlternativeNameExtension, X509Certificate } from '@peculiar/x509'
import { Sha256 } from '../../wire/ids.ts'
import { CertificateFault } from './certificate-fault.ts'
import { parseMemberUri } from './member-name.ts'
import type { MemberName } from './member-name.ts'

/** Larger ones are not read. */
export const MAX_CERTIFICATE_BYTES = 16 * 1024
/** More names than this no member has. */
const MAX_NAMES = 64

/** @see RFC 5280 section 4.2.1.12 */
export const KEY_PURPOSES = { serverAuth: '1.3.6.1.5.5.7.3.1', clientAuth: '1.3.6.1.5.5.7.3.2', ocspSigning: '1.3.6.1.5.5.7.3.9' } as const

/** Letters, digits and hyphens, without the prefix of internationalised names: what looks alike cannot be told apart. @see RFC 5890 section 2.3.1 */
const HOST_NAME = /^(?=.{1,253}$)(?!xn--)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.(?!xn--)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*$/i

/** What a certificate says. Nothing of it is verified yet, except that it can be read in one way only. */
export interface CertificateReading {
  readonly der: Uint8Array
  /** SHA-256 of the DER, hexadecimal. */
  readonly thumbprint: Sha256
  /** Serial number, lower-case hexadecimal. */
  readonly serial: string
  readonly notBeforeMillis: number
  readonly notAfterMillis: number
  /** The platform's name of the machine; undefined in a certificate of an outside CA. */
  readonly member: MemberName | undefined
  /** Host names, lower case. */
  readonly dnsNames: readonly string[]
  /** The subject's common name. */
  readonly commonName: string | undefined
  readonly isAuthority: boolean
  /** Object identifiers of the extended key usage. */
  readonly purposes: readonly string[]
}

/** Whether a text is a host name that can be read in one way only. */
export const isPlainHostName = (name: string): boolean => HOST_NAME.test(name)

/** SHA-256 of some bytes, as registries and {@link CertificateReading} write it. */
export const thumbprintOf = (der: Uint8Array): Sha256 => Sha256.parse(createHash('sha256').update(der).digest('hex'))

function commonNameOf(names: readonly string[]): string | undefined {
  // A name with a NUL, or one of several, is read differently by different programs.
  if (names.length > 1 || names.some(name => !/^[\u0020-\u007e]{1,128}$/.test(name))) throw new CertificateFault('ambiguous_name')
  return names[0]
}

function read(der: Uint8Array): CertificateReading {
  const certificate = new X509Certificate(Buffer.from(der))
  const names = certificate.getExtension(SubjectAlternativeNameExtension)?.names.items ?? []
  if (names.length > MAX_NAMES || certificate.getExtensions(SubjectAlternativeNameExtension).length > 1) throw new CertificateFault('ambiguous_name')
  const dnsNames = names.filter(({ type }) => type === 'dns').map(({ value }) => value)
  const uris = names.filter(({ type }) => type === 'url').map(({ value }) => value)
  const isAuthority = certificate.getExtension(BasicConstraintsExtension)?.ca ?? false
  if (!dnsNames.every(isPlainHostName)) throw new CertificateFault('ambiguous_name')
  const [member, ...others] = uris.filter(uri => uri.toLowerCase().startsWith('spiffe:'))
  const name = member === undefined ? undefined : parseMemberUri(member)
  if (others.length > 0 || (member !== undefined && name === undefined)) throw new CertificateFault('ambiguous_name')
  const commonName = commonNameOf(certificate.subjectName.getField('CN'))
  if (name !== undefined && commonName !== undefined && commonName !== name.nodeId) throw new CertificateFault('ambiguous_name')
  return {
    der,
    thumbprint: thumbprintOf(der),
    serial: certificate.serialNumber.toLowerCase(),
    notBeforeMillis: certificate.notBefore.getTime(),
    notAfterMillis: certificate.notAfter.getTime(),
    member: name,
    dnsNames: dnsNames.map(each => each.toLowerCase()),
    commonName,
    isAuthority,
    purposes: [...(certificate.getExtension(ExtendedKeyUsageExtension)?.usages ?? [])].map(String),
  }
}

/**
 * Reads one certificate, strictly.
 *
 * @throws {CertificateFault} `unreadable` for what is no certificate; `ambiguous_name` for names that two
 *   readers could read differently.
 */
export function readCertificate(der: Uint8Array): CertificateReading {
  if (der.length > MAX_CERTIFICATE_BYTES) throw new CertificateFault('unreadable')
  try {
    return read(der)
  } catch (cause) {
    throw cause instanceof CertificateFault ? cause : new CertificateFault('unreadable', { cause })
  }
}
