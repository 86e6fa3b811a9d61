/** Joining, leaving, and the life of the connection. */
import { z } from 'zod'
import { AccessAction } from '../access.ts'
import { ConsultationId, MemberId, SessionId } from '../ids.ts'
import { MemberColour } from '../slide-sharing.ts'
import { epochMillis, Nothing, requestId, ROLES, WATCHING_ROLES, WireFault } from './protocol.ts'
import { Publication } from './publication.ts'
import type { RequestDeclaration } from './protocol.ts'

/** The first request on every socket. Grants the session that all others need. */
export const Join = z.strictObject({
  type: z.literal('join'),
  requestId,
  protocol: z.int().min(0).max(65_535),
  /** The invitation, or on a platform the grant: a signed token (JWS, compact serialisation). */
  invitation: z.string().min(1).max(4096),
  /** That the invitation is the client's own, where it is a grant: a DPoP proof for `GET` of the signaling URL, with `https` or `http`. @see RFC 9449 section 4.2 */
  proof: z.string().min(1).max(4096).optional(),
})

/** Viewer: what the node's clock says, to tell how far the viewer's own is from it. */
export const ReadClock = z.strictObject({ type: z.literal('readClock'), requestId })

/** Either: end the session. */
export const Leave = z.strictObject({ type: z.literal('leave'), requestId })

/** Proof of life. A browser cannot see WebSocket pings. */
export const Heartbeat = z.strictObject({ type: z.literal('heartbeat') })

/** A message was refused that had no readable `requestId` to reply to. */
export const Refused = z.strictObject({ type: z.literal('refused'), fault: WireFault })

/** The last message before the node closes the socket. */
export const Closing = z.strictObject({ type: z.literal('closing'), fault: WireFault })

/** On a platform: whether anything new can be granted. What is granted holds until it ends by itself. */
export const AccessChanged = z.strictObject({ type: z.literal('accessChanged'), isCoreReachable: z.boolean(), validUntilMillis: epochMillis })
export type AccessChanged = z.infer<typeof AccessChanged>

/** What anybody may ask. */
export const SESSION_REQUESTS = {
  join: {
    schema: Join,
    reply: z.strictObject({
      sessionId: SessionId,
      consultationId: ConsultationId,
      memberId: MemberId,
      role: z.enum(ROLES),
      /** What this member may do; what is not among it is refused with `policy_refused`. */
      actions: z.array(AccessAction).max(AccessAction.options.length),
      /** What others see this member's pointer and annotations in; null for a microscope. */
      colour: MemberColour.nullable(),
      /** What the microscope publishes now; null while there is none. */
      publication: Publication.nullable(),
    }),
    askedBy: ROLES,
    action: null,
  },
  leave: { schema: Leave, reply: Nothing, askedBy: ROLES, action: null },
  readClock: { schema: ReadClock, reply: z.strictObject({ nodeTimeMillis: epochMillis }), askedBy: WATCHING_ROLES, action: null },
} as const satisfies Record<string, RequestDeclaration>

/** What is said of the connection itself. */
export const SESSION_NOTIFICATIONS = [Heartbeat, Refused, Closing, AccessChanged] as const
