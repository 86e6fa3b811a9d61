/** Speaking and hearing: Opus in both directions, on transports of its own. */
import { z } from 'zod'
import { ConsumerId, MemberId, ProducerId, SessionId, TransportId } from '../ids.ts'
import { DtlsParameters, RtpCapabilities, RtpParameters } from '../webrtc.ts'
import { Nothing, requestId, WATCHING_ROLES } from './protocol.ts'
import { OpenedTransport } from './viewing.ts'
import type { RequestDeclaration } from './protocol.ts'

/** What a node enforces on voices. */
export const VOICE_LIMITS = {
  /** Members of one consultation who may speak; the next one gets `overloaded`. */
  speakers: 16,
  /** Transports that a session may make per second, and at once; more get `rate_limited`. */
  transportsPerSecond: 1,
  transportBurst: 6,
  /** Times per second that a session may speak, fall silent, open or close its microphone, and ask to hear, and at once; more get `rate_limited`. */
  changesPerSecond: 10,
  changeBurst: 30,
  /** A voice that comes with more than this over one reading of it is cut off. Opus takes at most 510 kbit/s. @see RFC 6716 section 2.1.1 */
  bitsPerSecond: 640_000,
} as const

/** One transport carries voices one way. */
export const VOICE_DIRECTIONS = ['send', 'receive'] as const
export type VoiceDirection = (typeof VOICE_DIRECTIONS)[number]

/** Viewer: make the transport by which its voice goes to the node, or the others' come. One of each; a second closes the first. */
export const CreateVoiceTransport = z.strictObject({ type: z.literal('createVoiceTransport'), requestId, direction: z.enum(VOICE_DIRECTIONS) })

/** Viewer: complete the DTLS handshake of one of them. */
export const ConnectVoiceTransport = z.strictObject({ type: z.literal('connectVoiceTransport'), requestId, transportId: TransportId, dtlsParameters: DtlsParameters })

/** Viewer: what it says comes as this one stream of Opus. @see RFC 7587 */
export const Speak = z.strictObject({
  type: z.literal('speak'),
  requestId,
  transportId: TransportId,
  rtpParameters: RtpParameters,
  /** Closed: nothing of it is passed on before `setMicrophone` opens it. */
  isMicrophoneOpen: z.boolean(),
})

/** Viewer: it speaks no longer; its sending transport is closed. */
export const StopSpeaking = z.strictObject({ type: z.literal('stopSpeaking'), requestId })

/** Viewer: these voices are to be heard as well. */
export const Hear = z.strictObject({
  type: z.literal('hear'),
  requestId,
  transportId: TransportId,
  producerIds: z.array(ProducerId).min(1).max(VOICE_LIMITS.speakers),
  rtpCapabilities: RtpCapabilities,
})

/** Viewer: its microphone is open, or closed. While it is closed the node passes nothing on. */
export const SetMicrophone = z.strictObject({ type: z.literal('setMicrophone'), requestId, isOpen: z.boolean() })

/** One voice offered to one who hears. */
export const VoiceOffer = z.strictObject({ consumerId: ConsumerId, producerId: ProducerId, rtpParameters: RtpParameters })
export type VoiceOffer = z.infer<typeof VoiceOffer>

/** One member who speaks, or could. */
export const Speaker = z.strictObject({
  sessionId: SessionId,
  memberId: MemberId,
  /** Names the voice; another one when the same member begins anew. */
  producerId: ProducerId,
  isMicrophoneOpen: z.boolean(),
  /** By the level of what came last. */
  isSpeaking: z.boolean(),
})
export type Speaker = z.infer<typeof Speaker>

/** Viewer, technician: who speaks; the member itself among them. Comes after joining where somebody does, and whenever it changed. */
export const VoicesChanged = z.strictObject({ type: z.literal('voicesChanged'), speakers: z.array(Speaker).max(VOICE_LIMITS.speakers) })

/** What whoever watches asks of voices. */
export const VOICE_REQUESTS = {
  createVoiceTransport: {
    schema: CreateVoiceTransport,
    reply: OpenedTransport,
    askedBy: WATCHING_ROLES,
    action: null,
  },
  connectVoiceTransport: { schema: ConnectVoiceTransport, reply: Nothing, askedBy: WATCHING_ROLES, action: null },
  speak: { schema: Speak, reply: z.strictObject({ producerId: ProducerId }), askedBy: WATCHING_ROLES, action: 'speak' },
  stopSpeaking: { schema: StopSpeaking, reply: Nothing, askedBy: WATCHING_ROLES, action: null },
  /** Without those that are the asker's own, are heard already, or are no voices any more. */
  hear: { schema: Hear, reply: z.strictObject({ voices: z.array(VoiceOffer).max(VOICE_LIMITS.speakers) }), askedBy: WATCHING_ROLES, action: 'view_live' },
  setMicrophone: { schema: SetMicrophone, reply: Nothing, askedBy: WATCHING_ROLES, action: null },
} as const satisfies Record<string, RequestDeclaration>

/** What is said of voices. */
export const VOICE_NOTIFICATIONS = [VoicesChanged] as const
