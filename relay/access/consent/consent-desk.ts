import { z } from 'zod'
import { RelayFault } from '../../wire/fault.ts'
import { readConsent, statementOf } from './fhir-consent.ts'
import { pairPseudonym } from './pseudonym.ts'
import type { ConsentId, FacilityId } from '../../wire/access.ts'
import type { ConsultationEntry } from '../consultations/consultation-entry.ts'
import type { ConsentStatement } from './consent-statement.ts'
import type { ConsentSignatures } from './consent-signature.ts'
import type { FhirConsent } from './fhir-consent.ts'
import type { Pseudonym } from './pseudonym.ts'

/** The longest that a consent may hold: a case, not a life. */
const MAX_CONSENT_MILLIS = 366 * 86_400_000

/** Where consents go once they were checked. */
export interface ConsentShelf {
  readonly consent: (consentId: ConsentId) => ConsentStatement | undefined
  /** What {@link add} was given beside it. */
  readonly signed: (consentId: ConsentId) => Uint8Array | undefined
  readonly consultation: (consultationId: ConsultationEntry['consultationId']) => ConsultationEntry | undefined
  readonly add: (statement: ConsentStatement, signed: Uint8Array) => void
  readonly withdraw: (consentId: ConsentId) => ConsentStatement
}

/** What a facility brings: the resource, and the card's signature over its canonical form, DER. */
export interface BroughtConsent {
  readonly consent: string
  readonly signature: Uint8Array
}

/** What is kept of a consent: as it came. The card's certificate in it names the patient, and leaves the core for nobody. */
const SignedConsent = z.strictObject({ consent: z.string(), signature: z.base64() })
type SignedConsent = z.infer<typeof SignedConsent>

/** Takes consents and withdrawals, at the desk of the facility where the patient is or from the patient. */
export class ConsentDesk {
  readonly #signatures: ConsentSignatures
  readonly #shelf: ConsentShelf
  readonly #regionKey: Uint8Array

  constructor(signatures: ConsentSignatures, shelf: ConsentShelf, regionKey: Uint8Array) {
    this.#signatures = signatures
    this.#shelf = shelf
    this.#regionKey = regionKey
  }

  /** The patient's name at one facility, which a consent has to bear. */
  patientAt(holder: string, facilityId: FacilityId): Pseudonym {
    return pairPseudonym(this.#regionKey, holder, facilityId, facilityId)
  }

  /**
   * Takes a consent that a patient has signed.
   *
   * @param by - Whose desk brings it: the host of the consultation.
   * @param record - Waited for before anybody hears of the consent.
   * @throws {RelayFault} `consent_refused`: altered, by another card, for longer than a year, not for this facility's consultation; `conflict` for one that is known.
   */
  async take({ consent: text, signature }: BroughtConsent, by: FacilityId, record: (statement: ConsentStatement) => Promise<void> = async () => {}): Promise<ConsentStatement> {
    const consent = await this.#check({ consent: text, signature }, 'active')
    const statement = statementOf(consent)
    if (consent.organization[0].reference !== by) throw new RelayFault('consent_refused', 'the consent names another facility than the one that brings it')
    if (statement.validUntilMillis - statement.validFromMillis > MAX_CONSENT_MILLIS) throw new RelayFault('consent_refused', 'a consent holds for a year at most')
    if (this.#shelf.consultation(statement.consultationId)?.hostFacilityId !== by) throw new RelayFault('consent_refused', 'the consultation is not one of this facility')
    if (this.#shelf.consent(statement.consentId) !== undefined) throw new RelayFault('conflict', 'this consent is known')
    await record(statement)
    const signed: SignedConsent = { consent: text, signature: Buffer.from(signature).toString('base64') }
    this.#shelf.add(statement, Buffer.from(JSON.stringify(signed)))
    return statement
  }

  /** Withdrawn by the patient, with the card that signed it. @throws {RelayFault} `consent_refused`; `not_found`. */
  async takeWithdrawal(brought: BroughtConsent, record: (consentId: ConsentId) => Promise<void> = async () => {}): Promise<ConsentStatement> {
    const { id, patient, organization } = await this.#check(brought, 'inactive')
    const signed = this.#shelf.signed(id)
    if (signed === undefined) throw new RelayFault('not_found', 'there is no such consent')
    const { consent } = readConsent(SignedConsent.parse(JSON.parse(Buffer.from(signed).toString('utf8'))).consent)
    const isSamePatient = consent.patient.reference === patient.reference && consent.organization[0].reference === organization[0].reference
    if (!isSamePatient) throw new RelayFault('consent_refused', 'the consent is another patient\'s')
    return this.#withdraw(id, () => record(id))
  }

  /** Withdrawn at the desk of the facility where the patient is. @throws {RelayFault} `not_found`; `policy_refused` for another facility. */
  async withdrawAtDesk(consentId: ConsentId, by: FacilityId, record: () => Promise<void> = async () => {}): Promise<ConsentStatement> {
    const known = this.#shelf.consent(consentId)
    if (known === undefined) throw new RelayFault('not_found', 'there is no such consent')
    if (this.#shelf.consultation(known.consultationId)?.hostFacilityId !== by) throw new RelayFault('policy_refused', 'a consent is withdrawn where the patient is')
    return this.#withdraw(consentId, record)
  }

  /** A withdrawal counts at once, whether or not it can be recorded: nothing is shown any more because a disk is full. */
  async #withdraw(consentId: ConsentId, record: () => Promise<void>): Promise<ConsentStatement> {
    const withdrawn = this.#shelf.withdraw(consentId)
    await record()
    return withdrawn
  }

  async #check({ consent: text, signature }: BroughtConsent, status: FhirConsent['status']): Promise<FhirConsent> {
    const { consent, signedBytes } = readConsent(text)
    if (consent.status !== status) throw new RelayFault('consent_refused', `the consent is not ${status}`)
    const { holder } = await this.#signatures.verify(signedBytes, signature)
    if (consent.patient.reference !== this.patientAt(holder, consent.organization[0].reference)) throw new RelayFault('consent_refused', 'the card is not the one of this patient')
    return consent
  }
}
