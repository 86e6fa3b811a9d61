/** Recordings of a consultation at its node: everything that flowed, for looking at it again with another view. */
import { z } from 'zod'
import { FAULT_CODES } from './fault.ts'
import { MemberId, PublicationId, RecordingId } from './ids.ts'

const epochMillis = z.number().min(0).max(8.64e15)

/** What every node keeps to. */
export const RECORDING_LIMITS = {
  /** Recordings of one consultation that are told of; of more, the latest. */
  listed: 256,
  /** A recording that goes on for longer ends, in seconds. */
  durationSeconds: 12 * 3600,
  /** Members hear of a recording that is on so often at most, in milliseconds. */
  noticeMillis: 1000,
  /** Replays of one consultation at once. */
  replays: 8,
  /** Requests about recordings that a member may send: so many at once, so many a second. */
  burst: 20,
  perSecond: 10,
} as const

/** `off`: nothing is kept; `on`: everything that flows is; `failed`: a recording ended by itself, for the fault that is told. */
export const RECORDING_STATES = ['off', 'on', 'failed'] as const

/** Whether a consultation is recorded, as members are told. */
export const RecordingStatus = z.strictObject({
  state: z.enum(RECORDING_STATES),
  /** The recording that is on, or was last; null before there was one. */
  recordingId: RecordingId.nullable(),
  /** On the node's clock. */
  startedAtMillis: epochMillis.nullable(),
  /** Who began it. */
  by: MemberId.nullable(),
  /** On disk, or on the way there. */
  bytes: z.number().int().min(0),
  /** Why it failed. */
  fault: z.enum(FAULT_CODES).optional(),
})
export type RecordingStatus = z.infer<typeof RecordingStatus>

/** A stretch of a recording, in milliseconds since its beginning. */
export const RecordedSpan = z.strictObject({ fromMillis: z.number().min(0), toMillis: z.number().min(0) })
export type RecordedSpan = z.infer<typeof RecordedSpan>

/** One recording, as it is listed. */
export const RecordingSummary = z.strictObject({
  recordingId: RecordingId,
  startedAtMillis: epochMillis,
  by: MemberId,
  durationMillis: z.number().min(0),
  bytes: z.number().int().min(0),
  /** `recording`: it is on; `ended`: as somebody wished; `cut`: by itself, or by the end of the node. What is there can be looked at in any case. */
  state: z.enum(['recording', 'ended', 'cut']),
  /** Why it was cut; null for the end of the node. */
  fault: z.enum(FAULT_CODES).nullable(),
  /** Stretches of which there is no image at all. */
  gaps: z.array(RecordedSpan).max(1000),
})
export type RecordingSummary = z.infer<typeof RecordingSummary>

/** What of a publication says that it is no live one, but a replay. */
export const ReplayOrigin = z.strictObject({ recordingId: RecordingId, startedAtMillis: epochMillis, durationMillis: z.number().min(0) })
export type ReplayOrigin = z.infer<typeof ReplayOrigin>

/** How a replay is doing. */
export const ReplayStatus = z.strictObject({
  publicationId: PublicationId,
  state: z.enum(['playing', 'paused', 'ended']),
  positionMillis: z.number().min(0),
  speed: z.number().min(0.25).max(4),
})
export type ReplayStatus = z.infer<typeof ReplayStatus>
