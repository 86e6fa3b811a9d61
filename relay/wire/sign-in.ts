/** How people show a node of a platform who they are: `GET /access`, and what the sign-in answers. */
import { z } from 'zod'
import { FacilityId, PracticeRole, PractitionerId } from './access.ts'

/**
 * How somebody proved who they are: by a card's key (`sc`), or by a key (`pop`) that is of use only to whoever unlocks
 * it (`mfa`); by neither, for a demonstration. The last is no name of RFC 8176.
 *
 * @see RFC 8176 section 2
 */
export const AUTHENTICATION_METHODS = ['sc', 'pop', 'mfa', 'demonstration'] as const
export const AuthenticationMethod = z.enum(AUTHENTICATION_METHODS)
export type AuthenticationMethod = z.infer<typeof AuthenticationMethod>

/** By what people can sign in at a node. */
export const SignInWays = z.strictObject({
  /** Origin of the listener that asks for a card; null where there is none. */
  cardOrigin: z.url({ protocol: /^https$/ }).nullable(),
  /** Whether passkeys are taken; a node that is reached by an address instead of a name cannot. */
  hasPasskeys: z.boolean(),
  /** Whether a ticket alone suffices: for demonstrations and tests. */
  isDemonstration: z.boolean(),
})
export type SignInWays = z.infer<typeof SignInWays>

/** Who signed in, and the token that says so. */
export const SignInAnswer = z.strictObject({
  /** For `POST /access/grants`, bound to the key that it was asked with. */
  token: z.string(),
  practitionerId: PractitionerId,
  displayName: z.string(),
  facilityId: FacilityId,
  facilityName: z.string(),
  role: PracticeRole,
  methods: z.array(AuthenticationMethod).min(1),
  /** Milliseconds since the epoch. */
  validUntilMillis: z.int(),
})
export type SignInAnswer = z.infer<typeof SignInAnswer>

/** More than this neither a ticket nor a field of a passkey's answer takes, in characters. */
const MAX_CHARACTERS = 16_384
const base64url = z.string().max(MAX_CHARACTERS).regex(/^[\w-]+$/, 'expected base64url')
const ticket = z.string().min(1).max(2048)
const credentialId = base64url.max(1400)

/** `POST /access/sign-in/ticket` and `/access/sign-in/passkeys/enrolment-options`. */
export const TicketBody = z.strictObject({ ticket })

/** What `navigator.credentials.create()` made, as far as the node reads it. @see W3C WebAuthn Level 3, section 5.1 */
export const EnrolmentBody = z.strictObject({
  ticket,
  credential: z.object({
    id: credentialId,
    rawId: credentialId,
    type: z.literal('public-key'),
    response: z.object({ clientDataJSON: base64url, attestationObject: base64url, transports: z.array(z.string().regex(/^[a-z-]{1,32}$/)).max(8).optional() }),
  }),
})
export type EnrolmentBody = z.infer<typeof EnrolmentBody>

/** What `navigator.credentials.get()` made, as far as the node reads it. */
export const AssertionBody = z.strictObject({
  credential: z.object({
    id: credentialId,
    rawId: credentialId,
    type: z.literal('public-key'),
    response: z.object({ clientDataJSON: base64url, authenticatorData: base64url, signature: base64url, userHandle: base64url.optional() }),
  }),
})
export type AssertionBody = z.infer<typeof AssertionBody>
