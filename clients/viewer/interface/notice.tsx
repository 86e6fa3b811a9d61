import type { JSX } from 'preact'
import { RelayFault } from '../../../relay/wire/fault.ts'
import type { FaultCode } from '../../../relay/wire/fault.ts'
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
  unsupported_media: 'failedMedia',
  bad_message: 'failedNoInvitation',
  unavailable: 'failedWebRtc',
}

function failureKey(failure: Failure): TextKey {
  if (failure instanceof RelayFault) return TEXTS[failure.code] ?? 'failedPicture'
  return failure === 'no_webgl2' ? 'failedWebGl' : 'failedPicture'
}

/** A clear word instead of a blank page. */
export function Notice({ failure, language }: { readonly failure: Failure; readonly language: Language }): JSX.Element {
  return (
    <div class="sheet notice" role="alert">
      <h1>kenkyo</h1>
      <p>{text(language, failureKey(failure))}</p>
      {failure instanceof RelayFault && <p class="detail">{failure.code}</p>}
    </div>
  )
}
