/** Keeping frames of the live image. Planes and pictures go by HTTP. */
import { z } from 'zod'
import { FAULT_CODES } from '../fault.ts'
import { PublicationId, StillId } from '../ids.ts'
import { STILL_LIMITS, StillSummary } from '../still.ts'
import { Nothing, requestId, WATCHING_ROLES } from './protocol.ts'
import type { RequestDeclaration } from './protocol.ts'

const frame = { publicationId: PublicationId, rtpTimestamp: z.uint32() }

/** Viewer, technician: keep the frame of that timestamp. What comes of it, `stillsChanged` tells. */
export const KeepStill = z.strictObject({ type: z.literal('keepStill'), requestId, ...frame })

/** Microscope: a still that was wanted will not come. */
export const ReportStill = z.strictObject({ type: z.literal('reportStill'), requestId, stillId: StillId, fault: z.enum(FAULT_CODES) })

/** Microscope: send the planes of that frame by `PUT /stills/<stillId>/planes`, or say why not. */
export const StillWanted = z.strictObject({ type: z.literal('stillWanted'), stillId: StillId, ...frame })

/** Viewer, technician: the stills of the consultation, oldest first, or how far they are, changed. Comes after joining, too, where there are any. */
export const StillsChanged = z.strictObject({ type: z.literal('stillsChanged'), stills: z.array(StillSummary).max(STILL_LIMITS.listed) })

/** What is asked about stills by signaling. */
export const STILL_REQUESTS = {
  keepStill: { schema: KeepStill, reply: z.strictObject({ stillId: StillId }), askedBy: WATCHING_ROLES, action: 'keep_still' },
  reportStill: { schema: ReportStill, reply: Nothing, askedBy: ['microscope'], action: 'publish_live' },
} as const satisfies Record<string, RequestDeclaration>

/** What is said of stills. */
export const STILL_NOTIFICATIONS = [StillWanted, StillsChanged] as const
