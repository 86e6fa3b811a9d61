/**
 * Every failure that a caller may expect, by code. `docs/PROTOCOL.md` says what each one means and
 * what to do about it.
 */
export const FAULT_CODES = [
  // The message itself.
  'bad_message',
  'replayed',
  'rate_limited',
  'overloaded',
  // Who sent it, and when.
  'invitation_refused',
  'invitation_expired',
  'wrong_role',
  'wrong_state',
  'conflict',
  'not_found',
  'out_of_range',
  // What it is allowed to.
  'sign_in_required',
  'token_refused',
  'certificate_refused',
  'registry_refused',
  'consent_refused',
  'consent_required',
  'consent_withdrawn',
  'policy_refused',
  'access_revoked',
  'admission_refused',
  'core_unreachable',
  'service_quarantined',
  'not_recorded',
  // What it asked for.
  'unsupported_media',
  'timeout',
  'unavailable',
  // The machine around us.
  'bad_config',
  'bad_source',
  'bad_recording',
  'bad_audit_log',
  // Slides.
  'bad_slide',
  'unsupported_slide',
  'identity_refused',
  'hash_mismatch',
  'signature_refused',
  'grant_refused',
  'quota_exceeded',
  'storage_full',
  'encoder_failed',
  'encoder_slow',
  'bad_rtp',
  'address_in_use',
  'worker_died',
  'internal',
] as const

/** One of {@link FAULT_CODES}. */
export type FaultCode = (typeof FAULT_CODES)[number]

/** Refusals of access that asking again with the same token does not cure. */
export const FINAL_ACCESS_FAULTS = ['invitation_refused', 'invitation_expired', 'wrong_role', 'sign_in_required', 'token_refused', 'consent_required', 'consent_withdrawn', 'policy_refused', 'access_revoked'] as const satisfies readonly FaultCode[]

/** A failure with a code. Anything else that is thrown is a bug. */
export class RelayFault extends Error {
  override readonly name = 'RelayFault'
  readonly code: FaultCode

  constructor(code: FaultCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}

/** Reduces any thrown value to a fault: a {@link RelayFault} as it is, all else to `internal` with the original as cause. */
export function toFault(thrown: unknown): RelayFault {
  return thrown instanceof RelayFault ? thrown : new RelayFault('internal', 'internal error', { cause: thrown })
}
