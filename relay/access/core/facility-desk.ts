import { randomUUID } from 'node:crypto'
import { z } from 'zod'
import { ConsentId } from '../../wire/access.ts'
import { RelayFault } from '../../wire/fault.ts'
import { holderOf } from '../consent/consent-signature.ts'
import { ConsentStatement } from '../consent/consent-statement.ts'
import { canonicalConsent, writeConsent } from '../consent/fhir-consent.ts'
import { Pseudonym } from '../consent/pseudonym.ts'
import { ConsultationEntry } from '../consultations/consultation-entry.ts'
import { askCore } from './core-request.ts'
import type { FacilityId } from '../../wire/access.ts'
import type { ConsultationId } from '../../wire/ids.ts'
import type { ConsentTerms } from '../consent/fhir-consent.ts'
import type { TestCard } from '../consent/test-card.ts'
import type { CoreCredentials } from './core-client.ts'
import type { CoreQuestion } from './core-request.ts'

const Consultations = z.object({ consultations: z.array(ConsultationEntry) })
const Consents = z.object({ consents: z.array(ConsentStatement) })
const Patient = z.object({ patient: Pseudonym })

/** What a patient signs, besides who they are, where and when. */
export type DeskTerms = Omit<ConsentTerms, 'consentId' | 'patient' | 'hostFacilityId' | 'signedAtMillis'>

/** The desk of a facility: opens its cases with the core, and brings what patients sign. Asks as one of its machines. */
export class FacilityDesk {
  readonly facilityId: FacilityId
  readonly #url: string
  readonly #credentials: CoreCredentials

  /** @param url - The core, `https://` host and port. */
  constructor(url: string, credentials: CoreCredentials, facilityId: FacilityId) {
    this.#url = url
    this.#credentials = credentials
    this.facilityId = facilityId
  }

  /** Opens a case, or changes it. @throws {RelayFault} `policy_refused` for one of another facility; `registry_refused` for one that is none. */
  async putConsultation(entry: Omit<ConsultationEntry, 'hostFacilityId'>): Promise<void> {
    await this.#ask({ method: 'PUT', path: `/core/consultations/${encodeURIComponent(entry.consultationId)}`, body: { ...entry, hostFacilityId: this.facilityId } })
  }

  /** Ends a case of this facility: nobody takes part any more. @throws {RelayFault} `not_found`. */
  async closeConsultation(consultationId: ConsultationId, nowMillis: number): Promise<void> {
    const { validUntilMillis, ...entry } = await this.consultation(consultationId)
    await this.putConsultation({ ...entry, validUntilMillis: Math.min(validUntilMillis, nowMillis) })
  }

  /** A case of this facility. @throws {RelayFault} `not_found`. */
  async consultation(consultationId: ConsultationId): Promise<ConsultationEntry> {
    const found = (await this.consultations()).find(each => each.consultationId === consultationId && each.hostFacilityId === this.facilityId)
    if (found === undefined) throw new RelayFault('not_found', 'this facility has no such consultation')
    return found
  }

  /** The cases that this facility takes part in, its own and others'. */
  async consultations(): Promise<ConsultationEntry[]> {
    return Consultations.parse(await this.#ask({ method: 'GET', path: '/core/consultations' })).consultations
  }

  /** The consents to cases of this facility. */
  async consents(): Promise<ConsentStatement[]> {
    return Consents.parse(await this.#ask({ method: 'GET', path: '/core/consents' })).consents
  }

  /** A patient signs with a card. @throws {RelayFault} `consent_refused`, `not_recorded`. */
  async give(card: TestCard, terms: DeskTerms, nowMillis: number): Promise<ConsentStatement> {
    const body = await this.#signed(card, { ...terms, consentId: ConsentId.parse(randomUUID()) }, 'active', nowMillis)
    return ConsentStatement.parse(await this.#ask({ method: 'POST', path: '/core/consents', body }))
  }

  /**
   * Takes a consent back.
   *
   * @param card - The patient's, when the patient signs that; without it the desk does it.
   * @throws {RelayFault} `not_found`; `consent_refused` for another patient's card.
   */
  async withdraw(consentId: ConsentId, card: TestCard | undefined, nowMillis: number): Promise<ConsentStatement> {
    if (card === undefined) return ConsentStatement.parse(await this.#ask({ method: 'POST', path: `/core/consents/${consentId}/withdrawal` }))
    const known = (await this.consents()).find(each => each.consentId === consentId)
    if (known === undefined) throw new RelayFault('not_found', 'this facility has no such consent')
    return ConsentStatement.parse(await this.#ask({ method: 'POST', path: '/core/withdrawals', body: await this.#signed(card, known, 'inactive', nowMillis) }))
  }

  async #signed(card: TestCard, terms: DeskTerms & { readonly consentId: ConsentId }, status: 'active' | 'inactive', nowMillis: number): Promise<{ consent: string; signature: string }> {
    const { patient } = Patient.parse(await this.#ask({ method: 'POST', path: '/core/patients', body: { holder: holderOf(card.certificate) } }))
    const json = writeConsent({ ...terms, patient, hostFacilityId: this.facilityId, signedAtMillis: nowMillis }, status)
    return { consent: JSON.stringify(json), signature: Buffer.from(await card.sign(canonicalConsent(json), nowMillis)).toString('base64') }
  }

  #ask(question: CoreQuestion): Promise<unknown> {
    return askCore(this.#url, this.#credentials, question)
  }
}
