import 'reflect-metadata'
import { CertificatePolicyExtension, X509Certificate } from '@peculiar/x509'
import { Constructed, fromBER, NumericString, ObjectIdentifier, PrintableString, Sequence, Set as Asn1Set, Utf8String } from 'asn1js'
import { RelayFault } from '../../wire/fault.ts'
import type { BaseBlock } from 'asn1js'

/** A longer certificate is not read. */
const MAX_CERTIFICATE_BYTES = 16 * 1024
/** A longer extension is not read. */
const MAX_ATTRIBUTES_BYTES = 4096
/** More attributes, actors or parts of one no card has. */
const MAX_ENTRIES = 16
/** Deeper than certificates are nested, their extensions in octet strings included. */
const MAX_DEPTH = 32

/** Object identifiers of the Japanese healthcare PKI. @see ISO 17090-3, MHLW HPKI certificate policy */
export const HPKI = {
  subjectDirectoryAttributes: '2.5.29.9',
  hcRole: '1.0.17090.0.1',
  codingScheme: '1.2.392.100495.1.6.1.1',
  /** Certificates that people sign in with, and not those that they sign documents with. */
  authenticationPolicy: '1.2.392.100495.1.5.1.2.3.1',
} as const

/** What the coding scheme calls a profession, and what it is called here. Others are not read. */
const NAMES = {
  'Medical Doctor': 'medical_doctor',
  'Dentist': 'dentist',
  'Pharmacist': 'pharmacist',
  'Medical Technologist': 'medical_technologist',
  'Radiological Technologist': 'radiological_technologist',
  'General Nurse': 'general_nurse',
} as const

/** A licensed profession: what somebody is by law. What they are to the platform, the registry says. */
export type Profession = (typeof NAMES)[keyof typeof NAMES]

const isKnown = (name: string): name is keyof typeof NAMES => Object.hasOwn(NAMES, name)

/**
 * The professions that a certificate of the Japanese healthcare PKI states. Whether it is genuine and holds is for
 * path validation to say.
 *
 * @param der - The certificate.
 * @throws {RelayFault} `certificate_refused` for whatever is not a certificate for signing in that states a profession.
 */
export function readProfessions(der: Uint8Array): ReadonlySet<Profession> {
  try {
    if (der.length > MAX_CERTIFICATE_BYTES) throw new TypeError('too long')
    requireShallow(der)
    const certificate = new X509Certificate(new Uint8Array(der))
    const policies = certificate.getExtensions(CertificatePolicyExtension)
    if (policies.length !== 1 || policies[0]?.policies.includes(HPKI.authenticationPolicy) !== true) throw new TypeError('another policy')
    const attributes = certificate.extensions.filter(({ type }) => type === HPKI.subjectDirectoryAttributes)
    if (attributes.length !== 1 || attributes[0] === undefined) throw new TypeError('not one list of attributes')
    return professionsIn(new Uint8Array(attributes[0].value))
  } catch (cause) {
    // What a library says of a certificate may quote it.
    throw new RelayFault('certificate_refused', 'the certificate is not accepted here', { cause: cause instanceof Error ? new TypeError(cause.name) : undefined })
  }
}

/** SubjectDirectoryAttributes ::= SEQUENCE OF Attribute { type, values SET OF HCActorData }. @see RFC 5280 section 4.2.1.8 */
function professionsIn(der: Uint8Array<ArrayBuffer>): ReadonlySet<Profession> {
  if (der.length > MAX_ATTRIBUTES_BYTES) throw new TypeError('too long')
  const { offset, result } = fromBER(der)
  if (offset !== der.length) throw new TypeError('not one value')
  const roles = partsOf(result, Sequence).map(each => partsOf(each, Sequence)).filter(([type]) => oidOf(type) === HPKI.hcRole)
  // Two of one kind could be read as either.
  if (roles.length !== 1 || roles[0]?.length !== 2) throw new TypeError('not one role')
  const actors = partsOf(roles[0][1], Asn1Set).flatMap(data => partsOf(data, Asn1Set))
  const professions = actors.slice(0, MAX_ENTRIES).map(professionOf).filter(each => each !== undefined)
  if (professions.length === 0) throw new TypeError('no profession that is known')
  return new Set(professions)
}

/** HCActor ::= SEQUENCE { codedData [0] CodedData, … }; CodedData ::= SET { [0] scheme, [1] number, [2] text }, tagged explicitly. */
function professionOf(actor: BaseBlock): Profession | undefined {
  const coded = tagged(partsOf(actor, Sequence), 0)
  const parts = partsOf(coded, Asn1Set)
  const value = tagged(parts, 1)
  if (value !== undefined && !(value instanceof NumericString)) throw new TypeError('no number')
  if (oidOf(tagged(parts, 0)) !== HPKI.codingScheme) return undefined
  const name = tagged(parts, 2)
  if (!(name instanceof Utf8String) && !(name instanceof PrintableString)) throw new TypeError('no name')
  const text = name.valueBlock.value
  return isKnown(text) ? NAMES[text] : undefined
}

function partsOf(block: BaseBlock | undefined, kind: typeof Sequence | typeof Asn1Set): readonly BaseBlock[] {
  const found: unknown = block?.constructor
  if (!(block instanceof Constructed) || found !== kind) throw new TypeError('another structure')
  const { value } = block.valueBlock
  if (value.length === 0 || value.length > MAX_ENTRIES) throw new TypeError('another number of parts')
  return value
}

/** What is inside the one part with this context-specific tag. */
function tagged(parts: readonly BaseBlock[], number: number): BaseBlock | undefined {
  const found = parts.filter(({ idBlock }) => idBlock.tagClass === 3 && idBlock.tagNumber === number)
  if (found.length > 1) throw new TypeError('twice the same')
  const [one] = found
  if (one === undefined) return undefined
  const inside = one instanceof Constructed ? one.valueBlock.value : []
  if (inside.length !== 1) throw new TypeError('not tagged explicitly')
  return inside[0]
}

function oidOf(block: BaseBlock | undefined): string {
  if (!(block instanceof ObjectIdentifier)) throw new TypeError('no object identifier')
  return block.valueBlock.toString()
}

/**
 * Refuses DER that is nested more deeply than any certificate, before a recursive reader sees it, and lengths that
 * DER does not know.
 */
function requireShallow(der: Uint8Array): void {
  const ends: number[] = []
  let at = 0
  while (at < der.length) {
    while (at >= (ends[ends.length - 1] ?? der.length)) ends.pop()
    const isConstructed = ((der[at] ?? 0) & 0x20) !== 0
    if (((der[at] ?? 0) & 0x1f) === 0x1f) throw new TypeError('a long tag')
    const { length, size } = readLength(der, at + 1)
    const start = at + 1 + size
    if (start + length > (ends[ends.length - 1] ?? der.length)) throw new TypeError('a length that is too long')
    if (isConstructed) ends.push(start + length)
    if (ends.length > MAX_DEPTH) throw new TypeError('nested too deeply')
    at = isConstructed ? start : start + length
  }
}

function readLength(der: Uint8Array, at: number): { length: number; size: number } {
  const first = der[at] ?? 0x80
  if (first < 0x80) return { length: first, size: 1 }
  const count = first & 0x7f
  if (count === 0 || count > 2) throw new TypeError('a length that DER does not know')
  const length = count === 1 ? (der[at + 1] ?? 0) : (der[at + 1] ?? 0) * 256 + (der[at + 2] ?? 0)
  return { length, size: 1 + count }
}
