/**
 * The FHIR R4 Consent that a patient signs: a small part of the resource, and nothing beside it, so that no name
 * travels along. Codes without a public code system have one of our own, `urn:kenkyo:…`.
 *
 * @see HL7 FHIR R4 (4.0.1) Consent
 */
import canonicalize from 'canonicalize'
import { z } from 'zod'
import { FacilityId, Purpose } from '../../wire/access.ts'
import { RelayFault } from '../../wire/fault.ts'
import { ConsultationId } from '../../wire/ids.ts'
import { ConsentScope, ConsentStatement } from './consent-statement.ts'
import { Pseudonym } from './pseudonym.ts'
import type { ConsentId } from '../../wire/access.ts'

/** A longer consent is not looked at. */
const MAX_CONSENT_CHARACTERS = 64 * 1024

const PURPOSE_SYSTEM = 'urn:kenkyo:purpose'
const SCOPE_SYSTEM = 'urn:kenkyo:scope'

const coding = <Code extends z.ZodType>(system: string, code: Code) => z.strictObject({ system: z.literal(system), code })
const concept = <Code extends z.ZodType>(system: string, code: Code) => z.strictObject({ coding: z.tuple([coding(system, code)]) })
const reference = <Id extends z.ZodType<string, string>>(type: string, id: Id) =>
  z.strictObject({ reference: z.string().startsWith(`${type}/`).transform(text => text.slice(type.length + 1)).pipe(id) })
/** @see FHIR R4 `dateTime` and `instant`, with a zone */
const instant = z.iso.datetime({ offset: true })

const provision = z.strictObject({
  type: z.literal('permit'),
  period: z.strictObject({ start: instant, end: instant }),
  actor: z.array(z.strictObject({ role: concept('http://terminology.hl7.org/CodeSystem/v3-ParticipationType', z.literal('IRCP')), reference: reference('Organization', FacilityId) })).min(1).max(64),
  purpose: z.array(coding(PURPOSE_SYSTEM, Purpose)).min(1).max(8),
  code: z.array(concept(SCOPE_SYSTEM, ConsentScope)).min(1).max(4),
  data: z.tuple([z.strictObject({ meaning: z.literal('instance'), reference: reference('Encounter', ConsultationId) })]),
})

/** A consent, or with `inactive` the withdrawal of the one with this id. */
export const FhirConsent = z.strictObject({
  resourceType: z.literal('Consent'),
  id: ConsentStatement.shape.consentId,
  status: z.enum(['active', 'inactive']),
  scope: concept('http://terminology.hl7.org/CodeSystem/consentscope', z.literal('patient-privacy')),
  category: z.tuple([concept('http://loinc.org', z.literal('59284-0'))]),
  patient: reference('Patient', Pseudonym),
  dateTime: instant,
  organization: z.tuple([reference('Organization', FacilityId)]),
  policyRule: concept('http://terminology.hl7.org/CodeSystem/v3-ActCode', z.literal('OPTIN')),
  provision,
})
export type FhirConsent = z.output<typeof FhirConsent>
/** As it is written and signed. */
export type FhirConsentJson = z.input<typeof FhirConsent>

/** What a consent is to say. Times in milliseconds since the epoch. */
export interface ConsentTerms {
  readonly consentId: ConsentId
  readonly consultationId: ConsultationId
  /** Of the patient, as the host facility knows it. */
  readonly patient: Pseudonym
  readonly hostFacilityId: FacilityId
  readonly recipients: readonly FacilityId[]
  readonly purposes: readonly Purpose[]
  readonly scopes: readonly ConsentScope[]
  readonly signedAtMillis: number
  readonly validFromMillis: number
  readonly validUntilMillis: number
}

const iso = (millis: number): string => new Date(millis).toISOString()

/** The resource that a patient signs. */
export function writeConsent(terms: ConsentTerms, status: 'active' | 'inactive' = 'active'): FhirConsentJson {
  return {
    resourceType: 'Consent',
    id: terms.consentId,
    status,
    scope: { coding: [{ system: 'http://terminology.hl7.org/CodeSystem/consentscope', code: 'patient-privacy' }] },
    category: [{ coding: [{ system: 'http://loinc.org', code: '59284-0' }] }],
    patient: { reference: `Patient/${terms.patient}` },
    dateTime: iso(terms.signedAtMillis),
    organization: [{ reference: `Organization/${terms.hostFacilityId}` }],
    policyRule: { coding: [{ system: 'http://terminology.hl7.org/CodeSystem/v3-ActCode', code: 'OPTIN' }] },
    provision: {
      type: 'permit',
      period: { start: iso(terms.validFromMillis), end: iso(terms.validUntilMillis) },
      actor: terms.recipients.map(id => ({
        role: { coding: [{ system: 'http://terminology.hl7.org/CodeSystem/v3-ParticipationType', code: 'IRCP' }] },
        reference: { reference: `Organization/${id}` },
      })),
      purpose: terms.purposes.map(code => ({ system: PURPOSE_SYSTEM, code })),
      code: terms.scopes.map(code => ({ coding: [{ system: SCOPE_SYSTEM, code }] })),
      data: [{ meaning: 'instance', reference: { reference: `Encounter/${terms.consultationId}` } }],
    },
  }
}

/** The bytes that a signature is over. @see RFC 8785 (JSON Canonicalization Scheme) */
export function canonicalConsent(json: unknown): Uint8Array {
  return new TextEncoder().encode(canonicalize(json) ?? '')
}

/** A consent as it came, read, and the bytes that its signature has to be over. */
export interface ReadConsent {
  readonly consent: FhirConsent
  readonly signedBytes: Uint8Array
}

/** @throws {RelayFault} `consent_refused` for anything but a consent as {@link writeConsent} writes it. The message quotes nothing of it. */
export function readConsent(text: string): ReadConsent {
  if (text.length > MAX_CONSENT_CHARACTERS) throw new RelayFault('consent_refused', 'the consent is too long')
  try {
    const json: unknown = JSON.parse(text)
    const consent = FhirConsent.parse(json)
    return { consent, signedBytes: canonicalConsent(json) }
  } catch (cause) {
    throw new RelayFault('consent_refused', 'that is no consent as this platform takes it', { cause: cause instanceof z.ZodError ? new TypeError(cause.issues.map(({ path, code }) => `${path.join('.')}: ${code}`).join(', ')) : undefined })
  }
}

/** What nodes need of a consent whose signature was checked. @throws {RelayFault} `consent_refused` when its period is none. */
export function statementOf({ id, provision: { period, actor, purpose, code, data } }: FhirConsent): ConsentStatement {
  const [validFromMillis, validUntilMillis] = [Date.parse(period.start), Date.parse(period.end)]
  if (!(validFromMillis < validUntilMillis)) throw new RelayFault('consent_refused', 'the consent ends before it begins')
  return {
    consentId: id,
    consultationId: data[0].reference.reference,
    purposes: purpose.map(each => each.code),
    scopes: code.map(each => each.coding[0].code),
    recipients: actor.map(each => each.reference.reference),
    validFromMillis,
    validUntilMillis,
    withdrawnAtMillis: null,
  }
}
