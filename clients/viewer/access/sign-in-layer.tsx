import { browserSupportsWebAuthn } from '@simplewebauthn/browser'
import type { JSX } from 'preact'
import { useState } from 'preact/hooks'
import type { Language } from '../i18n.ts'
import type { Viewer } from '../viewer.ts'
import { tabKeeper } from './kept-grant.ts'
import { Modal } from './modal.tsx'
import { signInReason, signInText } from './sign-in-words.ts'
import type { SignIn, SignInQuestion } from './sign-in.ts'

interface QuestionProperties {
  readonly signIn: SignIn
  readonly question: SignInQuestion
  readonly language: Language
}

/** Asks who uses this page, in each way that node and browser have together. */
function SignInDialog({ signIn, question, language }: QuestionProperties): JSX.Element {
  const [ticket, setTicket] = useState(question.ticket ?? '')
  const { isBusy, fault } = question
  const { cardOrigin, isDemonstration, hasPasskeys } = question.ways
  const canPasskey = hasPasskeys && browserSupportsWebAuthn()
  const say = (...of: [Parameters<typeof signInText>[1], string?]): string => signInText(language, ...of)
  const hasTicket = ticket.trim() !== ''
  return (
    <Modal class="sign-in" label={say('title')} onCancel={() => signIn.giveUp()}>
      <form
        onSubmit={event => {
          event.preventDefault()
          if (hasTicket) signIn.choose({ by: isDemonstration ? 'ticket' : 'new_passkey', ticket: ticket.trim() })
        }}
      >
        <h1>{say('title')}</h1>
        <p>{say('why')}</p>
        {isDemonstration && <p class="demonstration">{say('demonstration')}</p>}
        {cardOrigin === null && !canPasskey && !isDemonstration && <p role="alert">{say('nothing')}</p>}
        <div class="choices">
          {canPasskey && (
            <button type="button" data-by="passkey" disabled={isBusy} onClick={() => signIn.choose({ by: 'passkey' })}>
              {say('byPasskey')}
            </button>
          )}
          {cardOrigin !== null && (
            <button type="button" data-by="card" disabled={isBusy} onClick={() => signIn.choose({ by: 'card' })}>
              {say('byCard')}
            </button>
          )}
        </div>
        {(canPasskey || isDemonstration) && (
          <fieldset>
            <legend>{say('ticket')}</legend>
            <input class="ticket" type="text" aria-label={say('ticket')} autocomplete="off" spellcheck={false} value={ticket} onInput={event => setTicket(event.currentTarget.value)} />
            {canPasskey && <p class="quiet">{say('ticketNote')}</p>}
            <div class="choices">
              {isDemonstration && (
                <button type="submit" data-by="ticket" disabled={isBusy || !hasTicket}>
                  {say('byTicket')}
                </button>
              )}
              {canPasskey && (
                <button type="button" data-by="new_passkey" disabled={isBusy || !hasTicket} onClick={() => signIn.choose({ by: 'new_passkey', ticket: ticket.trim() })}>
                  {say('byNewPasskey')}
                </button>
              )}
            </div>
          </fieldset>
        )}
        {fault !== null && (
          <p role="alert" data-fault={fault.code}>
            {signInReason(language, fault.code)}
          </p>
        )}
        <div class="choices last">
          {isBusy && <span role="status">{say('busy')}</span>}
          <button type="button" data-by="cancel" onClick={() => signIn.giveUp()}>
            {say('cancel')}
          </button>
        </div>
      </form>
    </Modal>
  )
}

/** Asks who uses this page, while that has to be known. */
export function SignInLayer({ viewer }: { readonly viewer: Viewer }): JSX.Element | null {
  const { signIn } = viewer.access
  const question = signIn.question.value
  return question === null ? null : <SignInDialog signIn={signIn} question={question} language={viewer.language.value} />
}

/** That nobody's identity was proven: as long as that is so. */
export function DemonstrationStrip({ viewer }: { readonly viewer: Viewer }): JSX.Element | null {
  const person = viewer.access.signIn.person.value
  if (person?.methods.includes('demonstration') !== true) return null
  return (
    <div class="access-strip" role="status" data-access="demonstration">
      {signInText(viewer.language.value, 'signedInForDemonstration', person.displayName)}
    </div>
  )
}

/** Who signed in here, and the way out. */
export function OwnPerson({ viewer }: { readonly viewer: Viewer }): JSX.Element | null {
  const { signIn } = viewer.access
  const language = viewer.language.value
  const person = signIn.person.value
  if (person === null) return null
  return (
    <p class="own-person">
      <span>
        {person.displayName} · {person.facilityName} · {signInText(language, person.role)}
      </span>
      <button
        type="button"
        class="sign-out"
        onClick={() => {
          signIn.signOut()
          tabKeeper.forget()
          location.reload()
        }}
      >
        {signInText(language, 'signOut')}
      </button>
    </p>
  )
}
