import { RelayFault } from '../../wire/fault.ts'

/**
 * Why a certificate is refused. For logs and the audit trail; the peer is told no more than TLS tells it.
 *
 * `unreadable`: no DER of this form, or too large. `ambiguous_name`: a name that two readers could read
 * differently (embedded NUL, several common names, a wildcard, a name outside ASCII). `no_revocation_list`:
 * nothing current says that it is not revoked. `other`: refused by path validation for a rarer reason.
 */
export const CERTIFICATE_REFUSALS = [
  'absent',
  'unreadable',
  'wrong_ca',
  'self_signed',
  'bad_signature',
  'expired',
  'not_yet_valid',
  'revoked',
  'no_revocation_list',
  'wrong_usage',
  'wrong_policy',
  'name_mismatch',
  'ambiguous_name',
  'chain_too_long',
  'overloaded',
  'other',
] as const
export type CertificateRefusal = (typeof CERTIFICATE_REFUSALS)[number]

/** A `certificate_refused` fault that knows why. Its message is the same for every reason. */
export class CertificateFault extends RelayFault {
  readonly reason: CertificateRefusal

  constructor(reason: CertificateRefusal, options?: ErrorOptions) {
    super('certificate_refused', 'the certificate is not accepted here', options)
    this.reason = reason
  }
}
