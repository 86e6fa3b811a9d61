import type { JSX } from 'preact'
import { RelayFault } from '../../../relay/wire/fault.ts'
import type { FaultCode } from '../../../relay/wire/fault.ts'
import type { Failure } from '../interface/notice.tsx'
import { Notice } from '../interface/notice.tsx'
import type { Viewer } from '../viewer.ts'
import { EmergencyButton } from './access-layer.tsx'
import { accessText } from './access-words.ts'
import { OwnPerson } from './sign-in-layer.tsx'

/** What may be otherwise when it is asked for again: by then, as somebody else, or for another purpose. */
const WORTH_ASKING: ReadonlySet<FaultCode> = new Set(['sign_in_required', 'token_refused', 'certificate_refused', 'consent_required', 'policy_refused', 'admission_refused'])

/** Why there is nothing to see, and what can be done about it. */
export function AccessNotice({ viewer, failure }: { readonly viewer: Viewer; readonly failure: Failure }): JSX.Element {
  const language = viewer.language.value
  const code = failure instanceof RelayFault ? failure.code : undefined
  return (
    <Notice failure={failure} language={language}>
      {viewer.access.session.isPlatform && <OwnPerson viewer={viewer} />}
      {viewer.access.session.isPlatform && code !== undefined && WORTH_ASKING.has(code) && (
        <div class="choices">
          <button type="button" onClick={() => location.reload()}>
            {accessText(language, 'again')}
          </button>
          {code === 'consent_required' && <EmergencyButton viewer={viewer} />}
        </div>
      )}
    </Notice>
  )
}
