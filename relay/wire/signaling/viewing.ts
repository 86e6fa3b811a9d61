/** How a viewer receives the live image, and how it is at its end. */
import { z } from 'zod'
import { ConsumerId, MAX_RENDITIONS, ProducerId, PublicationId, RenditionId, TransportId } from '../ids.ts'
import { DtlsParameters, IceCandidate, IceParameters, IceServer, RtpCapabilities, RtpParameters } from '../webrtc.ts'
import { LineRate, Nothing, renditionIds, requestId, WATCHING_ROLES } from './protocol.ts'
import type { RequestDeclaration } from './protocol.ts'

/** Viewer: make the transport that all renditions arrive on. One at a time; a second closes the first. */
export const CreateTransport = z.strictObject({ type: z.literal('createTransport'), requestId })

/** Viewer: complete the DTLS handshake of its transport. */
export const ConnectTransport = z.strictObject({
  type: z.literal('connectTransport'),
  requestId,
  transportId: TransportId,
  dtlsParameters: DtlsParameters,
})

/** Viewer: new ICE credentials for its transport, after the network changed. @see RFC 8445 section 2.4 */
export const RestartIce = z.strictObject({ type: z.literal('restartIce'), requestId, transportId: TransportId })

/** Viewer: one paused consumer for every rendition of the current publication that it can decode. */
export const Subscribe = z.strictObject({
  type: z.literal('subscribe'),
  requestId,
  transportId: TransportId,
  publicationId: PublicationId,
  rtpCapabilities: RtpCapabilities,
})

/**
 * Viewer: exactly these renditions are wanted from now on; all others are paused. One message per
 * viewport change. Where a line cannot carry them all, the reply and later `flowChanged` notifications
 * say what flows instead.
 */
export const Watch = z.strictObject({
  type: z.literal('watch'),
  requestId,
  publicationId: PublicationId,
  /** The most important first: what is under the pointer is never withheld. */
  renditions: renditionIds,
  /** What may come into view next, the most likely first. Flows only where nothing has to give way for it. */
  prefetch: renditionIds,
  /** What the viewer's line is known to carry; without it the node finds out. */
  downlinkBitsPerSecond: LineRate.optional(),
})

/** From the source's handing an image over to its being drawn, in milliseconds. */
const captureToGlass = z.number().min(0).max(600_000)

/** What a viewer sees of the picture: of one interval between two reports. */
export const Experience = z.strictObject({
  /** Instants drawn per second. */
  framesPerSecond: z.number().min(0).max(1000),
  /** Freezes that ended in the interval. @see W3C webrtc-stats, `RTCInboundRtpStreamStats.freezeCount` */
  freezes: z.int().min(0).max(1000),
  /** The longest of them; 0 without any. */
  longestFreezeMillis: z.number().min(0).max(86_400_000),
  /** Part of the visible image, 0 to 1, of which the canvas shows all the detail that the zoom has room for. */
  nativePixelRatio: z.number().min(0).max(1),
  /** How old instants were when they were drawn; null where one of the clocks is unknown. */
  captureToGlassMillis: z
    .strictObject({ p50: captureToGlass, p95: captureToGlass })
    .refine(({ p50, p95 }) => p50 <= p95, 'p50 is above p95')
    .nullable(),
})
export type Experience = z.infer<typeof Experience>

/** By which way media comes to a viewer: from the node itself, or over a relay that the viewer reaches by the last word. */
export const MEDIA_PATHS = ['udp', 'tcp', 'relay-udp', 'relay-tcp', 'relay-tls'] as const
export type MediaPath = (typeof MEDIA_PATHS)[number]

/** Viewer: how the picture is at its end; sent every 2 seconds while a publication is shown. */
export const ReportExperience = z.strictObject({
  type: z.literal('reportExperience'),
  requestId,
  publicationId: PublicationId,
  ...Experience.shape,
  /** By which way it comes, where the viewer can tell. */
  mediaPath: z.enum(MEDIA_PATHS).optional(),
})

/** One receiving track offered to a viewer. */
export const ConsumerOffer = z.strictObject({
  consumerId: ConsumerId,
  producerId: ProducerId,
  renditionId: RenditionId,
  rtpParameters: RtpParameters,
})
export type ConsumerOffer = z.infer<typeof ConsumerOffer>

/** Whose line a rendition is withheld for: the microscope's to the node, or the node's to this viewer. */
export const WITHHELD_CAUSES = ['uplink', 'downlink'] as const

/** A rendition that was asked for and does not flow. */
export const Withheld = z.strictObject({ renditionId: RenditionId, cause: z.enum(WITHHELD_CAUSES) })
export type Withheld = z.infer<typeof Withheld>

const flow = {
  /** What flows to this viewer now: of what it asked for, and what takes the place of what is withheld. */
  flowing: renditionIds,
  withheld: z.array(Withheld).max(MAX_RENDITIONS),
}
/** What flows to one viewer, and what does not although it asked for it. */
export const Flow = z.strictObject(flow)
export type Flow = z.infer<typeof Flow>

/** Viewer: other renditions flow now than before, because a line carries less or more. */
export const FlowChanged = z.strictObject({ type: z.literal('flowChanged'), publicationId: PublicationId, ...flow })

/** The node's end of a transport that was made. */
export const OpenedTransport = z.strictObject({
  transportId: TransportId,
  routerRtpCapabilities: RtpCapabilities,
  iceParameters: IceParameters,
  iceCandidates: z.array(IceCandidate),
  dtlsParameters: DtlsParameters,
  /** Relays for whoever reaches none of the candidates; none where there are none. */
  iceServers: z.array(IceServer).max(8),
})

/** What whoever watches asks. */
export const VIEWING_REQUESTS = {
  createTransport: {
    schema: CreateTransport,
    reply: OpenedTransport,
    askedBy: WATCHING_ROLES,
    action: null,
  },
  connectTransport: { schema: ConnectTransport, reply: Nothing, askedBy: WATCHING_ROLES, action: null },
  restartIce: { schema: RestartIce, reply: z.strictObject({ iceParameters: IceParameters }), askedBy: WATCHING_ROLES, action: null },
  subscribe: {
    schema: Subscribe,
    reply: z.strictObject({
      consumers: z.array(ConsumerOffer),
      /** Renditions that this viewer's capabilities cannot decode. */
      undecodable: renditionIds,
    }),
    askedBy: WATCHING_ROLES,
    action: 'view_live',
  },
  watch: { schema: Watch, reply: Flow, askedBy: WATCHING_ROLES, action: 'view_live' },
  reportExperience: { schema: ReportExperience, reply: Nothing, askedBy: WATCHING_ROLES, action: null },
} as const satisfies Record<string, RequestDeclaration>

/** What is said of what flows to a viewer. */
export const VIEWING_NOTIFICATIONS = [FlowChanged] as const
