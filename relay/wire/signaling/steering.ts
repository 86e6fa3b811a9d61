/** Steering a microscope: who holds its stage, and what the holder wants of it. */
import { z } from 'zod'
import { MemberId, PublicationId, SessionId } from '../ids.ts'
import { MemberColour } from '../slide-sharing.ts'
import { StageState, StageTarget } from '../stage.ts'
import { Nothing, requestId, WATCHING_ROLES, WireFault } from './protocol.ts'
import type { RequestDeclaration } from './protocol.ts'

/** Claims, releases and hand-overs of one session a second, and at once. A stop is never one too many. */
export const STAGE_CLAIM_LIMITS = { perSecond: 5, burst: 10 } as const
/** A stage that has not answered a command for so long is said to be silent. */
export const STAGE_ANSWER_SECONDS = 2
/** A frame cannot have been seen that is newer than the newest known by more than this. */
export const FUTURE_FRAME_SECONDS = 1

/** Viewer: take the stage, if nobody holds it. */
export const ClaimStage = z.strictObject({ type: z.literal('claimStage'), requestId })

/** Viewer: let go of the stage. */
export const ReleaseStage = z.strictObject({ type: z.literal('releaseStage'), requestId })

/** Viewer: give the stage to somebody else who is present. */
export const HandOverStage = z.strictObject({ type: z.literal('handOverStage'), requestId, to: SessionId })

/** Viewer: the stage shall stop where it is, and nobody hold it any more. Whoever asks, whoever holds it. */
export const StopStage = z.strictObject({ type: z.literal('stopStage'), requestId })

/** Viewer who holds the stage: move the stage, the focus or the objective. Where it gets to, `stageChanged` tells. */
export const MoveStage = z.strictObject({
  type: z.literal('moveStage'),
  requestId,
  publicationId: PublicationId,
  target: StageTarget,
  /** Of the frame that was seen when this was decided; null before any. */
  rtpTimestamp: z.uint32().nullable(),
})

/** Microscope: where the stage is now; sent whenever it changes, and in answer to a command. */
export const ReportStage = z.strictObject({
  type: z.literal('reportStage'),
  requestId,
  publicationId: PublicationId,
  state: StageState,
})

/** Viewer: the stage moved, or is about to. */
export const StageChanged = z.strictObject({ type: z.literal('stageChanged'), publicationId: PublicationId, state: StageState })

/** A member who holds the stage. */
export const StageHolder = z.strictObject({ sessionId: SessionId, memberId: MemberId, colour: MemberColour })
export type StageHolder = z.infer<typeof StageHolder>

/** Viewer: who holds the stage now. Comes after joining where it is held, or was stopped. */
export const StageHeld = z.strictObject({
  type: z.literal('stageHeld'),
  holder: StageHolder.nullable(),
  /** Who stopped it, until somebody takes it again. */
  stoppedBy: StageHolder.nullable(),
})

/** Viewer who steers: a command came to nothing. */
export const StageFaulted = z.strictObject({ type: z.literal('stageFaulted'), publicationId: PublicationId, command: z.uint32(), fault: WireFault })

/** Microscope: somebody steers. */
export const StageCommanded = z.strictObject({ type: z.literal('stageCommanded'), publicationId: PublicationId, command: z.uint32(), target: StageTarget })

/** Microscope: stop at once, where it is. Commands of lower numbers that come later are void. */
export const StageStopped = z.strictObject({ type: z.literal('stageStopped'), publicationId: PublicationId, command: z.uint32() })

/** What whoever steers asks, and what the microscope answers. */
export const STEERING_REQUESTS = {
  claimStage: { schema: ClaimStage, reply: Nothing, askedBy: WATCHING_ROLES, action: 'steer_stage' },
  releaseStage: { schema: ReleaseStage, reply: Nothing, askedBy: WATCHING_ROLES, action: null },
  handOverStage: { schema: HandOverStage, reply: Nothing, askedBy: WATCHING_ROLES, action: 'steer_stage' },
  stopStage: { schema: StopStage, reply: Nothing, askedBy: WATCHING_ROLES, action: null },
  /** The number of the command, by which `stageChanged` says that it is obeyed. */
  moveStage: { schema: MoveStage, reply: z.strictObject({ command: z.uint32() }), askedBy: WATCHING_ROLES, action: 'steer_stage' },
  reportStage: { schema: ReportStage, reply: Nothing, askedBy: ['microscope'], action: 'publish_live' },
} as const satisfies Record<string, RequestDeclaration>

/** What is said of the stage. */
export const STEERING_NOTIFICATIONS = [StageChanged, StageHeld, StageFaulted, StageCommanded, StageStopped] as const
