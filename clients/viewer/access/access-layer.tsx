import './access.css'
import type { JSX } from 'preact'
import { EMERGENCY_REASONS, EmergencyReason } from '../../../relay/wire/access.ts'
import type { Purpose } from '../../../relay/wire/access.ts'
import type { Viewer } from '../viewer.ts'
import { accessReason, accessText, formatUntil } from './access-words.ts'
import type { AccessTextKey } from './access-words.ts'
import { Modal } from './modal.tsx'
import { DemonstrationStrip, OwnPerson, SignInLayer } from './sign-in-layer.tsx'

interface AccessProperties {
  readonly viewer: Viewer
}

type Say = (key: AccessTextKey, n?: string) => string

/** What a viewer is opened for. */
const PURPOSES_OF_VIEWERS = ['intraoperative_diagnosis', 'consultation', 'teaching'] as const satisfies readonly Purpose[]

function PurposeDialog({ say, onPurpose }: { readonly say: Say; readonly onPurpose: (purpose: Purpose) => void }): JSX.Element {
  return (
    <Modal class="purpose" label={say('purposeQuestion')}>
      <>
        <h1>{say('purposeQuestion')}</h1>
        <div class="choices">
          {PURPOSES_OF_VIEWERS.map(purpose => (
            <button type="button" key={purpose} data-purpose={purpose} onClick={() => onPurpose(purpose)}>
              {say(purpose)}
            </button>
          ))}
        </div>
        <p class="quiet">{say('purposeNote')}</p>
      </>
    </Modal>
  )
}

function EmergencyDialog({ viewer, say }: AccessProperties & { readonly say: Say }): JSX.Element {
  const { access, language } = viewer
  const isAsking = access.glass.value === 'asking'
  const fault = access.glassFault.value
  return (
    <Modal class="emergency" label={say('emergencyTitle')} onCancel={() => (access.glass.value = 'closed')}>
      <form
        onSubmit={event => {
          event.preventDefault()
          const reason = EmergencyReason.safeParse(new FormData(event.currentTarget).get('reason'))
          if (reason.success) void viewer.breakGlass(reason.data)
        }}
      >
        <h1>{say('emergencyTitle')}</h1>
        <p>{say('emergencyWarning')}</p>
        <fieldset>
          <legend>{say('emergencyWhy')}</legend>
          {EMERGENCY_REASONS.map(reason => (
            <label key={reason}>
              <input type="radio" name="reason" value={reason} required />
              <span>{say(reason)}</span>
            </label>
          ))}
        </fieldset>
        {fault !== null && <p role="alert">{say('emergencyRefused', accessReason(language.value, fault.code))}</p>}
        <div class="choices">
          <button type="submit" class="loud" disabled={isAsking}>
            {say(isAsking ? 'emergencyAsking' : 'emergencyYes')}
          </button>
          <button type="button" onClick={() => (access.glass.value = 'closed')}>
            {say('cancel')}
          </button>
        </div>
      </form>
    </Modal>
  )
}

/** What is asked and said of access: above everything else, whatever is open, and nothing hides it. */
export function AccessLayer({ viewer }: AccessProperties): JSX.Element {
  const { access } = viewer
  const language = viewer.language.value
  const say: Say = (key, n = '') => accessText(language, key, n)
  const [core, loss, onPurpose] = [access.coreLoss.value, access.loss.value, access.purposeAsked.value]
  const emergencyUntil = access.grant.value?.emergencyUntilMillis ?? null
  const isDemonstration = access.signIn.person.value?.methods.includes('demonstration') === true
  return (
    <>
      {(core !== null || loss !== null || emergencyUntil !== null || isDemonstration) && (
        <div class="access-strips">
          <DemonstrationStrip viewer={viewer} />
          {emergencyUntil !== null && (
            <div class="access-strip emergency" role="alert" data-access="emergency">
              {say('emergencyOn', formatUntil(language, emergencyUntil))}
            </div>
          )}
          {core !== null && (
            <div class="access-strip" role="status" data-access="core">
              {core.untilMillis === null ? say('coreLostNone') : say('coreLost', formatUntil(language, core.untilMillis))}
            </div>
          )}
          {loss !== null && (
            <div class="access-strip" role="status" data-access="loss">
              <span>{say('lessThanBefore', accessReason(language, loss.code))}</span>
              <button type="button" onClick={() => (access.loss.value = null)}>
                {say('dismiss')}
              </button>
            </div>
          )}
        </div>
      )}
      <SignInLayer viewer={viewer} />
      {onPurpose !== null && <PurposeDialog say={say} onPurpose={onPurpose} />}
      {access.glass.value !== 'closed' && <EmergencyDialog viewer={viewer} say={say} />}
    </>
  )
}

/** What this viewer may do, what for and until when, and the way to more in an emergency; nothing on a node that stands alone. */
export function OwnAccess({ viewer }: AccessProperties): JSX.Element | null {
  const { access, language } = viewer
  const grant = access.grant.value
  if (grant === null) return null
  const say: Say = (key, n = '') => accessText(language.value, key, n)
  return (
    <section class="own-access" aria-label={say('own')}>
      <h3>{say('own')}</h3>
      <OwnPerson viewer={viewer} />
      <p>
        {say(grant.purpose)} · {say('validUntil', formatUntil(language.value, grant.validUntilMillis))}
      </p>
      <p class="quiet">{[...access.allowance.actions.value].map(action => say(action)).join(' · ')}</p>
      {grant.emergencyUntilMillis === null && <EmergencyButton viewer={viewer} />}
    </section>
  )
}

/** Opens the dialog in which the glass is broken. */
export function EmergencyButton({ viewer }: AccessProperties): JSX.Element {
  return (
    <button type="button" class="break-glass" onClick={() => (viewer.access.glass.value = 'open')}>
      {accessText(viewer.language.value, 'emergency')}
    </button>
  )
}
