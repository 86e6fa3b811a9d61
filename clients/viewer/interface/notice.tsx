import type { ComponentChildren, JSX } from 'preact'
import { AdmissionRefusal } from '../../../relay/wire/admission.ts'
import { RelayFault } from '../../../relay/wire/fault.ts'
import type { FaultCode } from '../../../relay/wire/fault.ts'
import { admissionWords } from '../access/admission-words.ts'
import { text } from '../i18n.ts'
import type { Language, TextKey } from '../i18n.ts'
import type { PictureFailure } from '../picture/messages.ts'

/** Why there is nothing to see. */
export type Failure = PictureFailure | RelayFault

const TEXTS: Partial<Record<FaultCode, TextKey>> = {
  invitation_refused: 'failedRefused',
  invitation_expired: 'failedExpired',
  wrong_role: 'failedRole',
  consent_withdrawn: 'failedWithdrawn',
  consent_required: 'failedConsent',
  policy_refused: 'failedPolicy',
  access_revoked: 'failedRevoked',
  sign_in_required: 'failedSignIn',
  token_refused: 'failedSignIn',
  core_unreachable: 'failedCore',
  admission_refused: 'failedRoom',
  certificate_refused: 'failedCertificate',
  bad_config: 'failedInsecure',
  unsupported_media: 'failedMedia',
  bad_message: 'failedNoInvitation',
  unavailable: 'failedWebRtc',
}

function failureKey(failure: Failure): TextKey {
  if (failure instanceof RelayFault) return TEXTS[failure.code] ?? 'failedPicture'
  return failure === 'no_webgl2' ? 'failedWebGl' : 'failedPicture'
}

/** A clear word instead of a blank page. @param children - What can be done about it. */
export function Notice({ failure, language, children }: { readonly failure: Failure; readonly language: Language; readonly children?: ComponentChildren }): JSX.Element {
  return (
    <div class="sheet notice" role="alert">
      <h1>kenkyo</h1>
      <p>{text(language, failureKey(failure))}</p>
      {failure instanceof AdmissionRefusal && <p>{admissionWords(language, failure.shortage)}</p>}
      {failure instanceof RelayFault && <p class="detail">{failure.code}</p>}
      {children}
    </div>
  )
}
