/**
 * Every message of the signaling connection. `docs/PROTOCOL.md` is the normative text; the schemas
 * here are its executable half.
 *
 * A client sends requests; the node answers each with one reply and sends notifications when it likes.
 */
import { z } from 'zod'
import { FAULT_CODES, RelayFault } from './fault.ts'
import { ConsultationId, ConsumerId, MAX_RENDITIONS, MemberId, ProducerId, PublicationId, RenditionId, SessionId, SlideId, TransportId } from './ids.ts'
import { LinkContract, MAX_PATHS, PathContract } from './link.ts'
import { Pyramid } from './pyramid.ts'
import { LedSlide, MAX_SLIDES, MemberColour, PointedSlide, SlideLead, SlidePoint } from './slide-sharing.ts'
import { SlideSummary } from './slide.ts'
import { Stage, StageState, StageTarget } from './stage.ts'
import { DtlsParameters, IceCandidate, IceParameters, RtpCapabilities, RtpParameters } from './webrtc.ts'

/** The version of this protocol; a client that speaks another one is refused at joining. */
export const PROTOCOL_VERSION = 4

/** The path of the signaling WebSocket on the node's HTTP origin. */
export const SIGNALING_PATH = '/signaling'

/** What every node enforces on every signaling socket. */
export const SIGNALING_LIMITS = {
  /** A longer message closes the socket (WebSocket close code 1009). */
  messageSizeBytes: 256 * 1024,
  /** Sustained request rate; more gets `rate_limited`. */
  requestsPerSecond: 50,
  /** Requests that may arrive at once before the rate counts. */
  requestBurst: 100,
  /** Requests waiting for their reply; one more gets `overloaded`. */
  outstandingRequests: 16,
  /** Consecutive refused messages after which the node closes the socket (close code 1008). */
  consecutiveFaults: 20,
  /** A socket that has not joined by then is closed. */
  joinTimeoutSeconds: 10,
  /** The node sends a ping and a `heartbeat` notification this often… */
  heartbeatIntervalSeconds: 5,
  /** …and closes a socket from which nothing came for so long. A client does the same. */
  heartbeatTimeoutSeconds: 15,
} as const

/** What an invitation lets its holder be. */
export const ROLES = ['microscope', 'viewer', 'scanner'] as const
export type Role = (typeof ROLES)[number]

/** How the source is doing, as the capture agent sees it. */
export const SourceStatus = z.strictObject({
  /** `live`: frames flow at the declared rate; `slow`: fewer than declared; `interrupted`: none for now. */
  state: z.enum(['live', 'slow', 'interrupted']),
  /** Frames per second that left the agent during the last report interval. */
  framesPerSecond: z.number().min(0).max(1000),
  /** Why, when the state is not `live`. */
  fault: z.enum(FAULT_CODES).optional(),
})
export type SourceStatus = z.infer<typeof SourceStatus>

/** What a microscope publishes now. */
export const Publication = z.strictObject({
  publicationId: PublicationId,
  pyramid: Pyramid,
  source: SourceStatus,
  /** What can be steered of the microscope, and where it is; null for one that cannot be steered. */
  stage: Stage.nullable(),
})
export type Publication = z.infer<typeof Publication>

const requestId = z.uint32()
const renditionIds = z.array(RenditionId).max(MAX_RENDITIONS)

/** What a line may be said to carry, in bits per second. What is outside is no line that media can use, or no claim to believe. */
export const LINE_RATE_LIMITS = { min: 100_000, max: 10_000_000_000 } as const

/** A rate that somebody claims or estimates for a line. */
export const LineRate = z.int().min(LINE_RATE_LIMITS.min).max(LINE_RATE_LIMITS.max)

/** The first request on every socket. Grants the session that all others need. */
export const Join = z.strictObject({
  type: z.literal('join'),
  requestId,
  protocol: z.int().min(0).max(65_535),
  /** The invitation: a signed token (JWS, compact serialisation). */
  invitation: z.string().min(1).max(4096),
})

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

/** Microscope: publish a pyramid by SDP offer; every rendition is one media section of it. @see RFC 8829, RFC 8843 */
export const Publish = z.strictObject({
  type: z.literal('publish'),
  requestId,
  pyramid: Pyramid,
  /** Which media section carries which rendition. */
  tracks: z
    .array(z.strictObject({ mid: z.string().min(1).max(32), renditionId: RenditionId }))
    .min(1)
    .max(MAX_RENDITIONS),
  sdp: z.string().min(1).max(192 * 1024),
  stage: Stage.nullable(),
})

/** Either: a link beside this connection, keyed by it. One per session; a second one replaces the first. */
export const OpenLink = z.strictObject({
  type: z.literal('openLink'),
  requestId,
  /** The interfaces that the asking end has, the preferred first; the node's own configuration of the link overrides it. */
  paths: z.array(PathContract).min(1).max(MAX_PATHS),
})

/** A flow on a link, and an RTP stream in it. */
export const LinkTrack = z.strictObject({ flow: z.int().min(0).max(0xffff), ssrc: z.uint32(), renditionId: RenditionId })
export type LinkTrack = z.infer<typeof LinkTrack>

/** Microscope: publish a pyramid over the link of this session; every rendition is one flow of RTP packets on it. */
export const PublishLink = z.strictObject({
  type: z.literal('publishLink'),
  requestId,
  pyramid: Pyramid,
  tracks: z.array(LinkTrack).min(1).max(MAX_RENDITIONS),
  stage: Stage.nullable(),
})

/** Microscope: how its source is doing; sent on change and at least every 5 seconds. */
export const ReportSource = z.strictObject({
  type: z.literal('reportSource'),
  requestId,
  publicationId: PublicationId,
  source: SourceStatus,
})

/** Microscope: what its line to the node carries, as estimated from transport-wide feedback; sent when it changes. */
export const ReportUplink = z.strictObject({
  type: z.literal('reportUplink'),
  requestId,
  publicationId: PublicationId,
  bitsPerSecond: LineRate,
})

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

/** Viewer: what the node's clock says, to tell how far the viewer's own is from it. */
export const ReadClock = z.strictObject({ type: z.literal('readClock'), requestId })

/** Milliseconds since the epoch, on some machine's clock: 0 to the end of what a JavaScript date can say. */
const epochMillis = z.number().min(0).max(8.64e15)
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

/** Viewer: how the picture is at its end; sent every 2 seconds while a publication is shown. */
export const ReportExperience = z.strictObject({
  type: z.literal('reportExperience'),
  requestId,
  publicationId: PublicationId,
  ...Experience.shape,
})

const captured = {
  publicationId: PublicationId,
  rtpTimestamp: z.uint32(),
  /** When its source handed that image over. */
  capturedAtMillis: epochMillis,
}

/** Microscope: when an image was handed over by its source, on the agent's clock; sent every second. */
export const ReportCapture = z.strictObject({ type: z.literal('reportCapture'), requestId, ...captured })

/** Viewer: points at a place of a slide, for all others to see; null: points nowhere any more. */
export const PointAtSlide = z.strictObject({ type: z.literal('pointAtSlide'), requestId, slideId: SlideId, at: SlidePoint.nullable() })

/** Viewer: leads others to a part of a slide, in place of whoever led before; null: leads no longer. */
export const LeadSlide = z.strictObject({ type: z.literal('leadSlide'), requestId, lead: SlideLead.nullable() })

/** Either: end the session. */
export const Leave = z.strictObject({ type: z.literal('leave'), requestId })

/** Everything a client may ask. */
export const ClientRequest = z.discriminatedUnion('type', [
  Join,
  CreateTransport,
  ConnectTransport,
  RestartIce,
  Subscribe,
  Watch,
  Publish,
  OpenLink,
  PublishLink,
  ReportSource,
  ReportUplink,
  MoveStage,
  ReportStage,
  ReadClock,
  ReportExperience,
  ReportCapture,
  PointAtSlide,
  LeadSlide,
  Leave,
])
export type ClientRequest = z.infer<typeof ClientRequest>
export type RequestType = ClientRequest['type']
/** One request, by its type. */
export type RequestOf<Type extends RequestType> = Extract<ClientRequest, { type: Type }>

const Nothing = z.strictObject({})

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

/** What each request is answered with when it succeeds. */
export const REPLY_DATA = {
  join: z.strictObject({
    sessionId: SessionId,
    consultationId: ConsultationId,
    memberId: MemberId,
    role: z.enum(ROLES),
    /** What others see this viewer's pointer and annotations in; null for a microscope. */
    colour: MemberColour.nullable(),
    /** What the microscope publishes now; null while there is none. */
    publication: Publication.nullable(),
  }),
  createTransport: z.strictObject({
    transportId: TransportId,
    routerRtpCapabilities: RtpCapabilities,
    iceParameters: IceParameters,
    iceCandidates: z.array(IceCandidate),
    dtlsParameters: DtlsParameters,
  }),
  connectTransport: Nothing,
  restartIce: z.strictObject({ iceParameters: IceParameters }),
  subscribe: z.strictObject({
    consumers: z.array(ConsumerOffer),
    /** Renditions that this viewer's capabilities cannot decode. */
    undecodable: renditionIds,
  }),
  watch: Flow,
  publish: z.strictObject({ publicationId: PublicationId, sdp: z.string() }),
  openLink: z.strictObject({
    /** Names the link in the header of every datagram. */
    association: z.uint32(),
    /** 32 random bytes, base64url: the keys of both directions are made from them. */
    secret: z.string().regex(/^[A-Za-z0-9_-]{43}$/),
    /** Where datagrams go, unless a path says otherwise; null: the host of this connection. */
    host: z.string().min(1).max(253).nullable(),
    port: z.int().min(1).max(65_535),
    contract: LinkContract,
  }),
  publishLink: z.strictObject({ publicationId: PublicationId }),
  reportSource: Nothing,
  reportUplink: Nothing,
  moveStage: Nothing,
  reportStage: Nothing,
  readClock: z.strictObject({ nodeTimeMillis: epochMillis }),
  reportExperience: Nothing,
  reportCapture: Nothing,
  pointAtSlide: Nothing,
  leadSlide: Nothing,
  leave: Nothing,
} as const satisfies Record<RequestType, z.ZodType>
/** The data of a successful reply, by request type. */
export type ReplyData<Type extends RequestType> = z.infer<(typeof REPLY_DATA)[Type]>

/** A failure as it crosses the wire: a code for programs and a sentence for people. */
export const WireFault = z.strictObject({ code: z.enum(FAULT_CODES), message: z.string() })
export type WireFault = z.infer<typeof WireFault>

const ReplyOk = z.strictObject({ type: z.literal('reply'), requestId, ok: z.literal(true), data: z.unknown() })
const ReplyFault = z.strictObject({ type: z.literal('reply'), requestId, ok: z.literal(false), fault: WireFault })

/** The microscope came, went, or publishes anew; consumers of an earlier publication are gone. */
export const PublicationChanged = z.strictObject({
  type: z.literal('publicationChanged'),
  publication: Publication.nullable(),
})

/** The source of the current publication changed its state. */
export const SourceChanged = z.strictObject({
  type: z.literal('sourceChanged'),
  publicationId: PublicationId,
  source: SourceStatus,
})

/** Viewer: other renditions flow now than before, because a line carries less or more. */
export const FlowChanged = z.strictObject({ type: z.literal('flowChanged'), publicationId: PublicationId, ...flow })

/** How much of a rendition is wanted: every frame, or its keyframes alone. */
export const CADENCES = ['full', 'key'] as const
export type Cadence = (typeof CADENCES)[number]

/** One rendition that somebody watches. */
export const DemandedRendition = z.strictObject({ renditionId: RenditionId, cadence: z.enum(CADENCES) })

/** What the node wants of a microscope: the union over all viewers. */
export const Demand = z.strictObject({
  /** Grows with every change; an older one than the last is void. */
  serial: z.uint32(),
  /** The most important first. Nothing else shall be sent. */
  renditions: z.array(DemandedRendition).max(MAX_RENDITIONS),
  /** Of these, nobody had any until now: they shall begin at once, with a keyframe. */
  woken: renditionIds,
})
export type Demand = z.infer<typeof Demand>

/** Microscope: these renditions shall be sent from now on. */
export const DemandChanged = z.strictObject({ type: z.literal('demandChanged'), publicationId: PublicationId, demand: Demand })

/** Viewer: the stage moved, or is about to. */
export const StageChanged = z.strictObject({ type: z.literal('stageChanged'), publicationId: PublicationId, state: StageState })

/** Microscope: somebody steers. */
export const StageCommanded = z.strictObject({ type: z.literal('stageCommanded'), publicationId: PublicationId, target: StageTarget })

/** Viewer: when an image was captured, on the node's clock. Comes only where the agent's clock is known. */
export const CaptureClock = z.strictObject({ type: z.literal('captureClock'), ...captured })

/** Viewer: the slides of the consultation, or how far they are, changed. Comes after joining, too, where there are any. */
export const SlidesChanged = z.strictObject({ type: z.literal('slidesChanged'), slides: z.array(SlideSummary).max(MAX_SLIDES) })

/** Viewer: another one points at a slide. */
export const SlidePointed = z.strictObject({ type: z.literal('slidePointed'), ...PointedSlide.shape })

/** Viewer: somebody else leads, or leads elsewhere; null: nobody does any more. */
export const SlideLed = z.strictObject({ type: z.literal('slideLed'), led: LedSlide.nullable() })

/** Viewer: annotations of a slide were stored. */
export const AnnotationsChanged = z.strictObject({
  type: z.literal('annotationsChanged'),
  slideId: SlideId,
  /** Of what was stored; grows. */
  version: z.int().min(0),
})

/** Proof of life. A browser cannot see WebSocket pings. */
export const Heartbeat = z.strictObject({ type: z.literal('heartbeat') })

/** A message was refused that had no readable `requestId` to reply to. */
export const Refused = z.strictObject({ type: z.literal('refused'), fault: WireFault })

/** The last message before the node closes the socket. */
export const Closing = z.strictObject({ type: z.literal('closing'), fault: WireFault })

/** Everything a node may send. */
export const NodeMessage = z.union([
  z.discriminatedUnion('ok', [ReplyOk, ReplyFault]),
  z.discriminatedUnion('type', [
    PublicationChanged,
    SourceChanged,
    FlowChanged,
    DemandChanged,
    StageChanged,
    StageCommanded,
    CaptureClock,
    SlidesChanged,
    SlidePointed,
    SlideLed,
    AnnotationsChanged,
    Heartbeat,
    Refused,
    Closing,
  ]),
])
export type NodeMessage = z.infer<typeof NodeMessage>
/** A message nobody asked for. */
export type Notification = Exclude<NodeMessage, { type: 'reply' }>

function parseJson(frame: string): unknown {
  try {
    return JSON.parse(frame)
  } catch (cause) {
    throw new RelayFault('bad_message', 'message is not JSON', { cause })
  }
}

function decode<Schema extends z.ZodType>(schema: Schema, value: unknown): z.infer<Schema> {
  const result = schema.safeParse(value)
  if (!result.success) throw new RelayFault('bad_message', z.prettifyError(result.error), { cause: result.error })
  return result.data
}

/**
 * Decodes one frame from a client.
 *
 * @throws {RelayFault} `bad_message` when the frame is not JSON or matches no request.
 */
export function decodeClientRequest(frame: string): ClientRequest {
  return decode(ClientRequest, parseJson(frame))
}

/**
 * Decodes one frame from a node.
 *
 * @throws {RelayFault} `bad_message` when the frame is not JSON or matches no message.
 */
export function decodeNodeMessage(frame: string): NodeMessage {
  return decode(NodeMessage, parseJson(frame))
}

/**
 * Decodes the data of a successful reply to a request of the given type.
 *
 * @throws {RelayFault} `bad_message` when the node's answer does not fit.
 */
export function decodeReplyData<Type extends RequestType>(type: Type, data: unknown): ReplyData<Type> {
  return decode(REPLY_DATA[type], data) as ReplyData<Type>
}

/** The `requestId` of a frame that was refused, if one can still be read from it, so that the reply finds its request. */
export function salvageRequestId(frame: string): number | undefined {
  try {
    const result = z.looseObject({ requestId }).safeParse(JSON.parse(frame))
    return result.success ? result.data.requestId : undefined
  } catch {
    // Not JSON: there is no id to find.
    return undefined
  }
}
