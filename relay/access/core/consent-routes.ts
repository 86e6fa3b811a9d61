import { z } from 'zod'
import { ConsentId } from '../../wire/access.ts'
import { RelayFault } from '../../wire/fault.ts'
import { Sha256 } from '../../wire/ids.ts'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { FacilityId } from '../../wire/access.ts'
import type { ConsentDesk } from '../consent/consent-desk.ts'
import type { ConsentStatement } from '../consent/consent-statement.ts'
import type { CorePeer } from './core-routes.ts'

/** A consent or a withdrawal as a facility brings it: the resource as text, and the card's signature over its canonical form, CMS in base64. */
export const BroughtConsentBody = z.strictObject({ consent: z.string().max(64 * 1024), signature: z.base64().max(96 * 1024) })
/** Whose name at the asking facility is wanted: SHA-256 of the card's public key. */
export const HolderBody = z.strictObject({ holder: Sha256 })

/** What becomes of a consent, for the record. */
export type ConsentTidings =
  | { readonly kind: 'consent'; readonly facilityId: FacilityId; readonly statement: ConsentStatement }
  | { readonly kind: 'withdrawal'; readonly facilityId: FacilityId; readonly by: 'patient' | 'desk'; readonly consentId: ConsentId }

/** What the routes of consents stand on. */
export interface ConsentRoutesOptions {
  readonly desk: ConsentDesk
  /** @throws {RelayFault} when it is no member that asks. */
  readonly authenticate: (request: FastifyRequest) => CorePeer
  /** Returns once it is recorded. @throws {RelayFault} `not_recorded`. */
  readonly record: (tidings: ConsentTidings) => Promise<void>
}

function parse<Schema extends z.ZodType>(schema: Schema, body: unknown): z.infer<Schema> {
  const result = schema.safeParse(body)
  // What is wrong with a body may quote it, and it may name a patient.
  if (!result.success) throw new RelayFault('bad_message', 'that is not what is expected here')
  return result.data
}

/** Where facilities bring consents, and take them back. */
export class ConsentRoutes {
  readonly #options: ConsentRoutesOptions

  constructor(options: ConsentRoutesOptions) {
    this.#options = options
  }

  addTo(app: FastifyInstance): void {
    const { desk, authenticate, record } = this.#options
    app.post('/core/patients', request => {
      const { facilityId } = authenticate(request)
      return { patient: desk.patientAt(parse(HolderBody, request.body).holder, facilityId) }
    })
    app.post('/core/consents', { bodyLimit: 256 * 1024 }, async request => {
      const { facilityId } = authenticate(request)
      const { consent, signature } = parse(BroughtConsentBody, request.body)
      return desk.take({ consent, signature: Buffer.from(signature, 'base64') }, facilityId, statement => record({ kind: 'consent', facilityId, statement }))
    })
    app.post<{ Params: { consentId: string } }>('/core/consents/:consentId/withdrawal', async request => {
      const { facilityId } = authenticate(request)
      const consentId = parse(ConsentId, request.params.consentId)
      return await desk.withdrawAtDesk(consentId, facilityId, () => record({ kind: 'withdrawal', facilityId, by: 'desk', consentId }))
    })
    app.post('/core/withdrawals', { bodyLimit: 256 * 1024 }, async request => {
      const { facilityId } = authenticate(request)
      const { consent, signature } = parse(BroughtConsentBody, request.body)
      return desk.takeWithdrawal({ consent, signature: Buffer.from(signature, 'base64') }, consentId => record({ kind: 'withdrawal', facilityId, by: 'patient', consentId }))
    })
  }
}
