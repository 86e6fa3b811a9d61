/** Asking a node of a platform for a grant: `POST /access/grants` and `/access/grants/renew`. */
import { z } from 'zod'
import { AccessAction, EmergencyReason, GrantId, Purpose } from './access.ts'
import { SignInWays } from './sign-in.ts'
import { AdmissionShortage, GrantedMedia, MediaLevels } from './admission.ts'
import { FAULT_CODES } from './fault.ts'
import { LinkName } from './link.ts'
import { ROLES } from './signaling/protocol.ts'

/** What is asked, with a client certificate, or with a sign-in token and its proof. */
export const GrantRequest = z.strictObject({
  /** Says which consultation, whose seat and which role. */
  invitation: z.string().min(1).max(4096),
  purpose: Purpose,
  /** The glass is broken: what the patient has not said is not waited for. */
  isEmergency: z.boolean().default(false),
  /** Of an emergency; recorded with the decision. */
  emergencyReason: EmergencyReason.optional(),
  /** What shall flow, where a link is crossed; the usual of the seat where it is left out. */
  levels: MediaLevels.optional(),
  /** The link that it shall be reserved on, of several between the facilities. */
  link: LinkName.optional(),
})
export type GrantRequest = z.infer<typeof GrantRequest>

/** What was granted. */
export const GrantAnswer = z.strictObject({
  /** Takes the place of the invitation wherever the node asks for one. */
  token: z.string(),
  grantId: GrantId,
  role: z.enum(ROLES),
  actions: z.array(AccessAction).max(AccessAction.options.length),
  /** Milliseconds since the epoch. */
  validUntilMillis: z.int(),
  /** When the emergency is over, however often it is renewed, in milliseconds since the epoch; null without one. */
  emergencyUntilMillis: z.int().nullable().default(null),
  /** What was reserved, and may flow; null where no link is crossed, or nothing flows. */
  media: GrantedMedia.nullable().default(null),
})
export type GrantAnswer = z.infer<typeof GrantAnswer>

/** What a refusal answers. */
export const GrantRefusal = z.strictObject({
  code: z.enum(FAULT_CODES),
  /** With `admission_refused`: a sentence for a person, and the same for a program. */
  message: z.string().max(1024).optional(),
  shortage: AdmissionShortage.optional(),
})
export type GrantRefusal = z.infer<typeof GrantRefusal>

/** How a node lets members in: `GET /access`. */
export const AccessStanding = z.strictObject({
  /** `alone`: invitations suffice. */
  mode: z.enum(['alone', 'platform']),
  /** How members show who they are; none on a node that stands alone. */
  signIns: z.array(z.enum(['certificate', 'token'])),
  /** How people sign in; null where they do not. */
  people: SignInWays.nullable(),
  /** Whether anything new can be granted. */
  isCoreReachable: z.boolean(),
  /** The node's clock, in milliseconds since the epoch: proofs of possession have to be of its time. */
  nowMillis: z.number(),
})
export type AccessStanding = z.infer<typeof AccessStanding>
