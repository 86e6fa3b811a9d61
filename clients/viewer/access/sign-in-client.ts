import { startAuthentication, startRegistration } from '@simplewebauthn/browser'
import { RelayFault } from '../../../relay/wire/fault.ts'
import { SignInAnswer } from '../../../relay/wire/sign-in.ts'
import { fetchFromNode } from './node-fetch.ts'
import type { PublicKeyCredentialCreationOptionsJSON, PublicKeyCredentialRequestOptionsJSON } from '@simplewebauthn/browser'
import type { ProofKey } from './grant-client.ts'
import type { NodeRequest } from './node-fetch.ts'

/** Shows a node who somebody is, in each of its ways. Every method: @throws {RelayFault} the node's code; `unavailable`; `sign_in_required` when the person gave up. */
export class SignInClient {
  readonly #origin: string

  /** @param origin - Of the node. */
  constructor(origin: string) {
    this.#origin = origin
  }

  /** For demonstrations: a ticket alone. */
  byTicket(key: ProofKey, ticket: string): Promise<SignInAnswer> {
    return this.#answer(key, this.#url('ticket'), json({ ticket }))
  }

  /** By a key that this machine, a telephone or a token has. */
  async byPasskey(key: ProofKey): Promise<SignInAnswer> {
    const optionsJSON = (await this.#options('passkeys/options', {})) as PublicKeyCredentialRequestOptionsJSON
    const { id, rawId, type, response } = await withPerson(() => startAuthentication({ optionsJSON }))
    return this.#answer(key, this.#url('passkeys'), json({ credential: { id, rawId, type, response } }))
  }

  /** Makes such a key, for whom the ticket names. */
  async byNewPasskey(key: ProofKey, ticket: string): Promise<SignInAnswer> {
    const optionsJSON = (await this.#options('passkeys/enrolment-options', { ticket })) as PublicKeyCredentialCreationOptionsJSON
    const { id, rawId, type, response } = await withPerson(() => startRegistration({ optionsJSON }))
    return this.#answer(key, this.#url('passkeys/enrolment'), json({ ticket, credential: { id, rawId, type, response } }))
  }

  /** By the card that the operating system shows as a client certificate; the browser asks which. */
  byCard(key: ProofKey, cardOrigin: string): Promise<SignInAnswer> {
    return this.#answer(key, `${cardOrigin}/sign-in`, { credentials: 'include' })
  }

  async #options(path: string, body: object): Promise<unknown> {
    return (await fetchFromNode(this.#url(path), { method: 'POST', ...json(body) })).json()
  }

  async #answer(key: ProofKey, url: string, init: NodeRequest): Promise<SignInAnswer> {
    const dpop = await key.proof('POST', url)
    const answer = await fetchFromNode(url, { ...init, method: 'POST', headers: { ...init.headers, dpop } })
    const read = SignInAnswer.safeParse(await answer.json().catch(() => undefined))
    if (!read.success) throw new RelayFault('bad_message', 'the node answered with something else', { cause: read.error })
    return read.data
  }

  #url(path: string): string {
    return `${this.#origin}/access/sign-in/${path}`
  }
}

const json = (body: object): NodeRequest => ({ body: JSON.stringify(body), headers: { 'content-type': 'application/json' } })

/** @see W3C WebAuthn Level 3, sections 5.1.3 and 5.1.4, which name the errors */
async function withPerson<Answer>(ask: () => Promise<Answer>): Promise<Answer> {
  try {
    return await ask()
  } catch (cause) {
    const name = cause instanceof Error ? cause.name : ''
    if (name === 'NotAllowedError' || name === 'AbortError') throw new RelayFault('sign_in_required', 'the person gave up, or there was no key', { cause })
    if (name === 'InvalidStateError') throw new RelayFault('conflict', 'there is a key of this person already', { cause })
    throw new RelayFault('unavailable', 'this browser has no passkeys here', { cause })
  }
}
