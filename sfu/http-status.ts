import type { FaultCode } from '../relay/wire/fault.ts'

/** HTTP status of refusals that every door shares, by code. Doors add their own; any other is 500. @see RFC 9110 section 15 */
export const HTTP_STATUS = {
  bad_message: 400,
  out_of_range: 400,
  invitation_refused: 401,
  invitation_expired: 401,
  sign_in_required: 401,
  token_refused: 401,
  replayed: 401,
  wrong_role: 403,
  grant_refused: 403,
  certificate_refused: 403,
  consent_required: 403,
  consent_withdrawn: 403,
  policy_refused: 403,
  access_revoked: 403,
  not_found: 404,
  wrong_state: 409,
  conflict: 409,
  rate_limited: 429,
  admission_refused: 503,
  core_unreachable: 503,
  service_quarantined: 503,
  not_recorded: 503,
  overloaded: 503,
  unavailable: 503,
} as const satisfies Partial<Record<FaultCode, number>>
