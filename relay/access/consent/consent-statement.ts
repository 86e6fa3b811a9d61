import { z } from 'zod'
import { ConsentId, FacilityId, Purpose } from '../../wire/access.ts'
import { ConsultationId } from '../../wire/ids.ts'
import type { AccessAction, ConsentState } from '../../wire/access.ts'

/** What a patient may consent to, one by one. `exchange`: that it leaves the platform. */
export const CONSENT_SCOPES = ['live', 'slide', 'recording', 'exchange'] as const
export const ConsentScope = z.enum(CONSENT_SCOPES)
export type ConsentScope = z.infer<typeof ConsentScope>

/** Which consent an action needs; null: it is nothing of a patient's. */
export const SCOPE_OF_ACTION = {
  publish_live: 'live',
  view_live: 'live',
  speak: 'live',
  point: 'live',
  steer_stage: 'live',
  keep_still: 'live',
  record: 'recording',
  view_recording: 'recording',
  send_slide: 'slide',
  view_slide: 'slide',
  annotate: 'slide',
  export_slide: 'exchange',
  use_service: 'exchange',
  administer: null,
} as const satisfies Record<AccessAction, ConsentScope | null>

/** What one signed consent says, once its signature was checked: what nodes need of it, and nothing that names the patient. */
export const ConsentStatement = z.strictObject({
  consentId: ConsentId,
  consultationId: ConsultationId,
  purposes: z.array(Purpose).min(1).max(8),
  scopes: z.array(ConsentScope).min(1).max(CONSENT_SCOPES.length),
  /** Whom the patient allows to see it. */
  recipients: z.array(FacilityId).min(1).max(64),
  /** Milliseconds since the epoch. */
  validFromMillis: z.int().min(0),
  validUntilMillis: z.int().min(0),
  withdrawnAtMillis: z.int().min(0).nullable(),
})
export type ConsentStatement = z.infer<typeof ConsentStatement>

/** What is asked about consent. */
export interface ConsentQuery {
  readonly consultationId: ConsultationId
  readonly purpose: Purpose
  readonly action: AccessAction
  /** Whose member asks. */
  readonly facilityId: FacilityId
  /** Milliseconds since the epoch. */
  readonly nowMillis: number
}

/** How consent stands. */
export interface ConsentAnswer {
  readonly state: ConsentState
  /** The consent that the answer comes from. */
  readonly consentId: ConsentId | null
  /** Until when a `valid` one holds, in milliseconds since the epoch. */
  readonly validUntilMillis: number | null
}

/** Where it is asked how consent stands. */
export interface ConsentBook {
  stateOf(query: ConsentQuery): ConsentAnswer
  /** Hears which consultation's consent changed. @returns Stops listening. */
  changed(listener: (consultationId: ConsultationId) => void): () => void
}

/** The better a state, the later it stands. */
const WORST_FIRST = ['none', 'other_purpose', 'expired', 'withdrawn', 'valid'] as const satisfies readonly ConsentState[]

function standingOf({ purposes, scopes, recipients, validFromMillis, validUntilMillis, withdrawnAtMillis }: ConsentStatement, { purpose, action, facilityId, nowMillis }: ConsentQuery): ConsentState {
  const scope = SCOPE_OF_ACTION[action]
  // Whoever withdrew is not asked whether it was for this, or for them: an emergency stands in for what was never said, not for a no.
  if (withdrawnAtMillis !== null) return 'withdrawn'
  if (!recipients.includes(facilityId) || validFromMillis > nowMillis) return 'none'
  if (!purposes.includes(purpose) || (scope !== null && !scopes.includes(scope))) return 'other_purpose'
  return validUntilMillis <= nowMillis ? 'expired' : 'valid'
}

/**
 * How consent stands by these statements, which are all of one consultation. One valid statement suffices; a withdrawn
 * one does not take back another that was given after it. Decides without I/O.
 */
export function consentState(statements: Iterable<ConsentStatement>, query: ConsentQuery): ConsentAnswer {
  let best: ConsentAnswer = { state: 'none', consentId: null, validUntilMillis: null }
  for (const statement of statements) {
    if (statement.consultationId !== query.consultationId) continue
    const state = standingOf(statement, query)
    const isBetter = WORST_FIRST.indexOf(state) > WORST_FIRST.indexOf(best.state)
    const isLonger = state === 'valid' && best.state === 'valid' && statement.validUntilMillis > (best.validUntilMillis ?? 0)
    if (isBetter || isLonger) best = { state, consentId: statement.consentId, validUntilMillis: state === 'valid' ? statement.validUntilMillis : null }
  }
  return best
}
