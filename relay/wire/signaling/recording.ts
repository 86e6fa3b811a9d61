/** Recording a consultation at its node, and replaying what was recorded. Lists go by HTTP. */
import { z } from 'zod'
import { PublicationId, RecordingId } from '../ids.ts'
import { RecordingStatus, ReplayStatus } from '../recording.ts'
import { Nothing, requestId, WATCHING_ROLES } from './protocol.ts'
import type { RequestDeclaration } from './protocol.ts'

/** Viewer, technician: keep everything that flows from now on. Everybody is told. */
export const StartRecording = z.strictObject({ type: z.literal('startRecording'), requestId })

/** Viewer, technician: end the recording, whoever began it. */
export const StopRecording = z.strictObject({ type: z.literal('stopRecording'), requestId })

/** Viewer, technician: watch a recording in place of the live image. It is published to this session alone, by `publicationChanged`. */
export const OpenReplay = z.strictObject({ type: z.literal('openReplay'), requestId, recordingId: RecordingId })

/** Viewer, technician: play, pause, go elsewhere, or change the speed of the replay of this session. */
export const ControlReplay = z
  .strictObject({
    type: z.literal('controlReplay'),
    requestId,
    publicationId: PublicationId,
    isPlaying: z.boolean().optional(),
    /** Since the beginning of the recording. */
    positionMillis: z.number().min(0).max(1e9).optional(),
    speed: z.number().min(0.25).max(4).optional(),
  })

/** Viewer, technician: back to the live image. */
export const CloseReplay = z.strictObject({ type: z.literal('closeReplay'), requestId })

/** Viewer, technician, microscope: whether the consultation is recorded. Comes after joining, too. */
export const RecordingChanged = z.strictObject({ type: z.literal('recordingChanged'), ...RecordingStatus.shape })

/** Viewer, technician: how the replay of this session is doing. */
export const ReplayChanged = z.strictObject({ type: z.literal('replayChanged'), ...ReplayStatus.shape })

/** What is asked of recordings. */
export const RECORDING_REQUESTS = {
  startRecording: { schema: StartRecording, reply: z.strictObject({ recordingId: RecordingId }), askedBy: WATCHING_ROLES, action: 'record' },
  stopRecording: { schema: StopRecording, reply: Nothing, askedBy: WATCHING_ROLES, action: 'record' },
  openReplay: { schema: OpenReplay, reply: z.strictObject({ publicationId: PublicationId }), askedBy: WATCHING_ROLES, action: 'view_recording' },
  controlReplay: { schema: ControlReplay, reply: Nothing, askedBy: WATCHING_ROLES, action: 'view_recording' },
  closeReplay: { schema: CloseReplay, reply: Nothing, askedBy: WATCHING_ROLES, action: null },
} as const satisfies Record<string, RequestDeclaration>

/** What is said of recordings. */
export const RECORDING_NOTIFICATIONS = [RecordingChanged, ReplayChanged] as const
