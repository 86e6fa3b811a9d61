/** Who is in a consultation. */
import { z } from 'zod'
import { MemberId, SessionId } from '../ids.ts'
import { MemberColour } from '../slide-sharing.ts'
import { epochMillis, ROLES } from './protocol.ts'

/** Members of one consultation that are told of; of more, those who joined first. */
export const MAX_MEMBERS_TOLD = 256

/** What a member came by: this protocol, or another by which less can be said. */
export const MEMBER_PROTOCOLS = ['signaling', 'whip', 'whep'] as const
export type MemberProtocol = (typeof MEMBER_PROTOCOLS)[number]

/** One member who is present. */
export const PresentMember = z.strictObject({
  /** Of this stay: a member may be there more than once with the same invitation. */
  sessionId: SessionId,
  memberId: MemberId,
  role: z.enum(ROLES),
  protocol: z.enum(MEMBER_PROTOCOLS),
  /** What the others see of this member is in this colour; null for one who shows nothing. */
  colour: MemberColour.nullable(),
  /** On the node's clock. */
  joinedAtMillis: epochMillis,
})
export type PresentMember = z.infer<typeof PresentMember>

/** Viewer, technician: who is present, in the order of joining. Comes after joining, and whenever it changed. */
export const MembersChanged = z.strictObject({ type: z.literal('membersChanged'), members: z.array(PresentMember).max(MAX_MEMBERS_TOLD) })

/** What is said of members. */
export const MEMBER_NOTIFICATIONS = [MembersChanged] as const
