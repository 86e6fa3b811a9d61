import { createHash } from 'node:crypto'
import { isIP } from 'node:net'
import { generateAuthenticationOptions, generateRegistrationOptions, verifyAuthenticationResponse, verifyRegistrationResponse } from '@simplewebauthn/server'
import { RelayFault } from '../../wire/fault.ts'
import { CHALLENGE_LIFETIME_MILLIS, SignedChallenges } from './signed-challenges.ts'
import type { PublicKeyCredentialCreationOptionsJSON, PublicKeyCredentialRequestOptionsJSON } from '@simplewebauthn/server'
import type { PractitionerId } from '../../wire/access.ts'
import type { AssertionBody, EnrolmentBody } from '../../wire/sign-in.ts'
import type { RegistryView } from '../registry/registry.ts'
import type { Passkey, PasskeyStore } from './passkey-store.ts'
import type { SignInEvidence } from './sign-in-tokens.ts'
import type { SignInTicket } from './sign-in-tickets.ts'

/** EdDSA, ES256 and RS256, which every authenticator has one of. @see IANA COSE Algorithms */
const ALGORITHMS = [-8, -7, -257]
const ASSERTION = 'sign-in'
const enrolmentOf = (practitionerId: PractitionerId): string => `enrolment ${practitionerId}`

/** What {@link Passkeys} stand on. */
export interface PasskeysOptions {
  readonly store: PasskeyStore
  readonly registry: Pick<RegistryView, 'practitioner'>
  /** Where browsers reach the node; its host name is the relying party's id. */
  readonly origin: () => string
  /** Milliseconds since the epoch. */
  readonly now?: () => number
}

/**
 * Signs people in by keys that are of use only to whoever unlocks them, by a code or a finger: two factors. What kind of
 * authenticator holds a key is not asked.
 *
 * @see W3C WebAuthn Level 3, sections 7.1 and 7.2
 */
export class Passkeys {
  readonly #options: PasskeysOptions
  readonly #now: () => number
  readonly #challenges = new SignedChallenges()

  constructor(options: PasskeysOptions) {
    this.#options = options
    this.#now = options.now ?? Date.now
  }

  /** Whether browsers allow any here: not on an address. */
  get isPossible(): boolean {
    const host = this.#host
    return isIP(host.replace(/^\[|\]$/g, '')) === 0
  }

  /** What a browser makes a key of. @throws {RelayFault} `replayed` for a ticket that was used; `access_revoked` for whom the registry does not know. */
  async enrolmentOptions(ticket: SignInTicket): Promise<PublicKeyCredentialCreationOptionsJSON> {
    const { store, registry } = this.#options
    const { practitionerId } = ticket
    if (store.isUsed(ticket)) throw new RelayFault('replayed', 'this ticket was used')
    const practitioner = registry.practitioner(practitionerId)
    if (practitioner === undefined) throw new RelayFault('access_revoked', 'the registry knows no such practitioner')
    return generateRegistrationOptions({
      rpName: 'kenkyo',
      rpID: this.#host,
      userID: new Uint8Array(createHash('sha256').update(practitionerId).digest()),
      userName: practitionerId,
      userDisplayName: practitioner.displayName,
      challenge: this.#challenges.issue(enrolmentOf(practitionerId), this.#now()),
      timeout: CHALLENGE_LIFETIME_MILLIS,
      attestationType: 'none',
      supportedAlgorithmIDs: ALGORITHMS,
      excludeCredentials: store.list(practitionerId).map(({ credentialId, transports }) => ({ id: credentialId, transports: [...transports] })),
      authenticatorSelection: { residentKey: 'required', userVerification: 'required' },
    })
  }

  /** Keeps a key for whom the ticket names. @throws {RelayFault} `token_refused`, `replayed`, `conflict`. */
  async enrol(ticket: SignInTicket, { id, rawId, type, response: { transports = [], ...response } }: EnrolmentBody['credential']): Promise<SignInEvidence> {
    const { practitionerId } = ticket
    const { registrationInfo } = await checked(challenges => verifyRegistrationResponse({
      response: { id, rawId, type, response, clientExtensionResults: {} },
      expectedChallenge: challenge => challenges.push(challenge) > 0 && this.#challenges.holds(challenge, enrolmentOf(practitionerId), this.#now()),
      ...this.#expected,
      supportedAlgorithmIDs: ALGORITHMS,
    }), challenge => this.#challenges.end(challenge, this.#now()))
    const { id: credentialId, publicKey, counter } = registrationInfo.credential
    this.#options.store.add({ credentialId, practitionerId, publicKey: new Uint8Array(publicKey), counter, transports, madeAtMillis: this.#now() }, ticket)
    return evidenceOf(practitionerId)
  }

  /** What a browser looks for a key by: any that it has of this node. */
  options(): Promise<PublicKeyCredentialRequestOptionsJSON> {
    return generateAuthenticationOptions({ rpID: this.#host, challenge: this.#challenges.issue(ASSERTION, this.#now()), timeout: CHALLENGE_LIFETIME_MILLIS, userVerification: 'required' })
  }

  /** Whose key answered. @throws {RelayFault} `token_refused` for a key that is unknown or an answer that is wrong; `replayed`. */
  async assert({ id, rawId, type, response: { userHandle, ...response } }: AssertionBody['credential']): Promise<SignInEvidence> {
    const passkey = this.#options.store.find(id)
    if (passkey === undefined) throw new RelayFault('token_refused', 'this key is not known here')
    const { authenticationInfo } = await checked(challenges => verifyAuthenticationResponse({
      response: { id, rawId, type, response: { ...response, ...(userHandle === undefined ? {} : { userHandle }) }, clientExtensionResults: {} },
      expectedChallenge: challenge => challenges.push(challenge) > 0 && this.#challenges.holds(challenge, ASSERTION, this.#now()),
      ...this.#expected,
      credential: credentialOf(passkey),
    }), challenge => this.#challenges.end(challenge, this.#now()))
    this.#options.store.used(passkey, authenticationInfo.newCounter, this.#now())
    return evidenceOf(passkey.practitionerId)
  }

  get #host(): string {
    return new URL(this.#options.origin()).hostname
  }

  get #expected(): { readonly expectedOrigin: string; readonly expectedRPID: string; readonly requireUserVerification: true } {
    return { expectedOrigin: this.#options.origin(), expectedRPID: this.#host, requireUserVerification: true }
  }
}

const credentialOf = ({ credentialId: id, publicKey, counter, transports }: Passkey): { id: string; publicKey: Uint8Array<ArrayBuffer>; counter: number; transports: string[] } => ({ id, publicKey, counter, transports: [...transports] })

/** A key that was kept does not run out; the registry that its owner stands in does. */
const evidenceOf = (practitionerId: PractitionerId): SignInEvidence => ({ practitionerId, methods: ['pop', 'mfa'], holdsUntilMillis: Number.MAX_SAFE_INTEGER })

/** Runs the library, which throws plain errors with texts of the browser's in them, and ends the challenge that was answered. */
async function checked<Verdict extends { verified: boolean }>(verify: (challenges: string[]) => Promise<Verdict>, end: (challenge: string) => void): Promise<Verdict & { verified: true }> {
  const challenges: string[] = []
  let verdict: Verdict
  try {
    verdict = await verify(challenges)
  } catch (cause) {
    throw new RelayFault('token_refused', 'the answer of the key is not valid', { cause })
  }
  const [challenge] = challenges
  if (!verdict.verified || challenge === undefined) throw new RelayFault('token_refused', 'the answer of the key is not valid')
  end(challenge)
  return verdict as Verdict & { verified: true }
}
