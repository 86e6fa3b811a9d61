/** What a microscope publishes, by which carrier, and what the node wants of it. */
import { z } from 'zod'
import { FAULT_CODES } from '../fault.ts'
import { MAX_RENDITIONS, PublicationId, RenditionId, Sha256 } from '../ids.ts'
import { LinkContract, MAX_PATHS, PathContract } from '../link.ts'
import { Pyramid } from '../pyramid.ts'
import { ReplayOrigin } from '../recording.ts'
import { Stage } from '../stage.ts'
import { IceServer } from '../webrtc.ts'
import { epochMillis, LineRate, Nothing, renditionIds, requestId, ROLES } from './protocol.ts'
import type { RequestDeclaration } from './protocol.ts'

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
  /** What it is the replay of; absent where it is live. */
  replay: ReplayOrigin.optional(),
})
export type Publication = z.infer<typeof Publication>

/** Microscope: the relays that its WebRTC connection may go by; asked for before it makes an offer. */
export const ReadIceServers = z.strictObject({ type: z.literal('readIceServers'), requestId })

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

const captured = {
  publicationId: PublicationId,
  rtpTimestamp: z.uint32(),
  /** When its source handed that image over. */
  capturedAtMillis: epochMillis,
}

/** Microscope: when an image was handed over by its source, on the agent's clock; sent every second. */
export const ReportCapture = z.strictObject({ type: z.literal('reportCapture'), requestId, ...captured })

/** What one end of a link sent or received of one rendition within one minute of the RTP clock: digests of both ends are equal where every byte came. */
export const DigestedWindow = z.strictObject({
  renditionId: RenditionId,
  /** The RTP timestamp by 5,400,000, rounded down. */
  window: z.int().min(0).max(795),
  packets: z.int().min(0).max(Number.MAX_SAFE_INTEGER),
  /** Of RTP packets, headers included. */
  bytes: z.int().min(0).max(Number.MAX_SAFE_INTEGER),
  sha256: Sha256,
})
export type DigestedWindow = z.infer<typeof DigestedWindow>

/** Microscope, by a link: digests of what it sent, once a minute of it is over. */
export const ReportDigests = z.strictObject({ type: z.literal('reportDigests'), requestId, publicationId: PublicationId, windows: z.array(DigestedWindow).min(1).max(MAX_RENDITIONS) })

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

/** Viewer: when an image was captured, on the node's clock. Comes only where the agent's clock is known. */
export const CaptureClock = z.strictObject({ type: z.literal('captureClock'), ...captured })

/** What a microscope asks; a link also whoever measures a line or sends slides. */
export const PUBLICATION_REQUESTS = {
  readIceServers: { schema: ReadIceServers, reply: z.strictObject({ iceServers: z.array(IceServer).max(8) }), askedBy: ['microscope'], action: 'publish_live' },
  publish: { schema: Publish, reply: z.strictObject({ publicationId: PublicationId, sdp: z.string() }), askedBy: ['microscope'], action: 'publish_live' },
  openLink: {
    schema: OpenLink,
    reply: z.strictObject({
      /** Names the link in the header of every datagram. */
      association: z.uint32(),
      /** 32 random bytes, base64url: the keys of both directions are made from them. */
      secret: z.string().regex(/^[A-Za-z0-9_-]{43}$/),
      /** Where datagrams go, unless a path says otherwise; null: the host of this connection. */
      host: z.string().min(1).max(253).nullable(),
      port: z.int().min(1).max(65_535),
      contract: LinkContract,
    }),
    askedBy: ROLES,
    action: { microscope: 'publish_live', scanner: 'send_slide' },
  },
  publishLink: { schema: PublishLink, reply: z.strictObject({ publicationId: PublicationId }), askedBy: ['microscope'], action: 'publish_live' },
  reportSource: { schema: ReportSource, reply: Nothing, askedBy: ['microscope'], action: 'publish_live' },
  reportUplink: { schema: ReportUplink, reply: Nothing, askedBy: ['microscope'], action: 'publish_live' },
  reportCapture: { schema: ReportCapture, reply: Nothing, askedBy: ['microscope'], action: 'publish_live' },
  reportDigests: { schema: ReportDigests, reply: Nothing, askedBy: ['microscope'], action: 'publish_live' },
} as const satisfies Record<string, RequestDeclaration>

/** What is said of a publication. */
export const PUBLICATION_NOTIFICATIONS = [PublicationChanged, SourceChanged, DemandChanged, CaptureClock] as const
