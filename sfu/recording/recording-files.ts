import { z } from 'zod'
import { FAULT_CODES } from '../../relay/wire/fault.ts'
import { ConsultationId, MemberId, PublicationId, RecordingId } from '../../relay/wire/ids.ts'
import { RecordedSpan } from '../../relay/wire/recording.ts'
import { ROLES, SourceStatus } from '../../relay/wire/signaling.ts'
import { Stage, StageState } from '../../relay/wire/stage.ts'

/** Files of one recording, beside a directory for each publication that flowed, named by its number. */
export const RECORDING_FILES = { header: 'header.json', events: 'events.ndjson', summary: 'summary.json' } as const

/** `header.json`: written when the recording begins. */
export const RecordingHeader = z.strictObject({
  version: z.literal(1),
  recordingId: RecordingId,
  consultationId: ConsultationId,
  startedAtMillis: z.number().min(0),
  startedBy: MemberId,
})
export type RecordingHeader = z.infer<typeof RecordingHeader>

/** `summary.json`: written when the recording has ended; made anew where the node ended before. */
export const RecordingSummaryFile = z.strictObject({
  version: z.literal(1),
  durationMillis: z.number().min(0),
  bytes: z.int().min(0),
  state: z.enum(['ended', 'cut']),
  fault: z.enum(FAULT_CODES).nullable(),
  gaps: z.array(RecordedSpan),
  /** When each rendition of each publication flowed. */
  flowed: z.array(z.strictObject({ segment: z.int().min(0), renditionId: z.string(), spans: z.array(RecordedSpan) })),
})
export type RecordingSummaryFile = z.infer<typeof RecordingSummaryFile>

const segment = z.int().min(0)

/** One line of `events.ndjson`, beside `atMillis`: milliseconds since the recording began. */
export const RecordingEvent = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('published'), segment, publicationId: PublicationId, stage: Stage.nullable() }),
  z.strictObject({ type: z.literal('unpublished'), segment }),
  z.strictObject({ type: z.literal('source'), source: SourceStatus }),
  z.strictObject({ type: z.literal('stage'), segment, state: StageState }),
  /** Of an image: when it was taken, on the node's clock. */
  z.strictObject({ type: z.literal('captured'), segment, rtpTimestamp: z.uint32(), capturedAtMillis: z.number() }),
  z.strictObject({ type: z.literal('present'), members: z.array(z.strictObject({ memberId: MemberId, role: z.enum(ROLES) })) }),
  /** Packets that the disk did not take in time. */
  z.strictObject({ type: z.literal('dropped'), packets: z.int().min(1) }),
  z.strictObject({ type: z.literal('stopped'), by: MemberId.nullable(), fault: z.enum(FAULT_CODES).nullable() }),
])
export type RecordingEvent = z.infer<typeof RecordingEvent>
