/** Steering a microscope. */
import { z } from 'zod'
import { PublicationId } from '../ids.ts'
import { StageState, StageTarget } from '../stage.ts'
import { Nothing, requestId, WATCHING_ROLES } from './protocol.ts'
import type { RequestDeclaration } from './protocol.ts'

/** Viewer: move the stage, the focus or the objective. Where it gets to, `stageChanged` tells. */
export const MoveStage = z.strictObject({
  type: z.literal('moveStage'),
  requestId,
  publicationId: PublicationId,
  target: StageTarget,
})

/** Microscope: where the stage is now; sent whenever it changes. */
export const ReportStage = z.strictObject({
  type: z.literal('reportStage'),
  requestId,
  publicationId: PublicationId,
  state: StageState,
})

/** Viewer: the stage moved, or is about to. */
export const StageChanged = z.strictObject({ type: z.literal('stageChanged'), publicationId: PublicationId, state: StageState })

/** Microscope: somebody steers. */
export const StageCommanded = z.strictObject({ type: z.literal('stageCommanded'), publicationId: PublicationId, target: StageTarget })

/** What whoever steers asks, and what the microscope answers. */
export const STEERING_REQUESTS = {
  moveStage: { schema: MoveStage, reply: Nothing, askedBy: WATCHING_ROLES },
  reportStage: { schema: ReportStage, reply: Nothing, askedBy: ['microscope'] },
} as const satisfies Record<string, RequestDeclaration>

/** What is said of the stage. */
export const STEERING_NOTIFICATIONS = [StageChanged, StageCommanded] as const
