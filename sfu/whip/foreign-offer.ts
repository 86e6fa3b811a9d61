/**
 * Reads SDP offers of clients that nobody here wrote: which media section carries the picture, in which
 * codec, and under which numbers. What they write is checked piece by piece, and nothing of it is repeated
 * in a message.
 *
 * @see RFC 8866 (SDP), RFC 9143 (BUNDLE), RFC 9429 (JSEP), RFC 9725 section 4.4
 */
import { parse, parseParams } from 'sdp-transform'
import { z } from 'zod'
import { RelayFault } from '../../relay/wire/fault.ts'
import { DtlsParameters } from '../../relay/wire/webrtc.ts'
import type { RenditionCodec } from '../../relay/wire/pyramid.ts'

// The parser turns what looks like a number into one, whatever field it stands in.
const text = z.union([z.string(), z.number()]).transform(String)
const payload = z.int().min(0).max(127)

const Direction = z.enum(['sendrecv', 'sendonly', 'recvonly', 'inactive'])

const Section = z.object({
  type: z.string().regex(/^\w{1,32}$/),
  port: z.int(),
  protocol: z.string().regex(/^[\w/]{1,32}$/),
  payloads: text.pipe(z.string().regex(/^[\w *-]{1,512}$/)),
  mid: text.pipe(z.string().regex(/^[!#-'*+.\w^`{|}~-]{1,32}$/)).optional(),
  direction: Direction.optional(),
  bundleOnly: z.string().optional(),
  rtcpMux: z.string().optional(),
  iceUfrag: text.optional(),
  setup: z.string().optional(),
  fingerprint: z.object({ type: z.string(), hash: z.string() }).optional(),
  rtp: z.array(z.object({ payload, codec: z.string(), rate: z.int().optional() })).max(128),
  fmtp: z.array(z.object({ payload, config: text })).max(128),
  rtcpFb: z.array(z.object({ payload: z.union([payload, z.literal('*')]), type: z.string(), subtype: text.optional() })).max(512).default([]),
  ext: z.array(z.object({ value: z.int().min(1).max(255), uri: z.string() })).max(64).default([]),
  ssrcs: z.array(z.object({ id: z.uint32() })).max(256).default([]),
  ssrcGroups: z.array(z.object({ semantics: z.string(), ssrcs: text })).max(64).default([]),
})

const Description = z.object({
  direction: Direction.optional(),
  setup: z.string().optional(),
  iceUfrag: text.optional(),
  fingerprint: z.object({ type: z.string(), hash: z.string() }).optional(),
  groups: z.array(z.object({ type: z.string(), mids: text })).max(16).default([]),
  media: z.array(Section).min(1).max(64),
})
type Section = z.infer<typeof Section>

/** RTCP feedback, as `a=rtcp-fb` names it. */
export interface Feedback {
  readonly type: string
  readonly parameter?: string
}

/** The codec that was chosen of a section, under the client's own numbers. */
export interface ChosenCodec {
  readonly name: RenditionCodec
  readonly payloadType: number
  /** What the answer says of it in `a=fmtp`. */
  readonly parameters: Readonly<Record<string, string | number>>
  /** Payload type of its RTX, if it was offered. @see RFC 4588 */
  readonly rtxPayloadType: number | undefined
  readonly feedback: readonly Feedback[]
}

/** The section that carries the picture. */
export interface VideoSection {
  readonly index: number
  readonly mid: string
  readonly codec: ChosenCodec
  readonly extensions: readonly { readonly uri: string; readonly id: number }[]
  /** Of a sender: its SSRC and that of RTX, where it says them. */
  readonly ssrc: number | undefined
  readonly rtxSsrc: number | undefined
}

/** A media section as far as its answer needs it. */
export interface OfferedLine {
  readonly kind: string
  readonly protocol: string
  readonly payloads: string
  readonly mid: string | undefined
}

/** What an offer asks for. */
export interface ForeignOffer {
  readonly dtlsParameters: DtlsParameters & { readonly role: 'client' | 'server' }
  /** Names the client's ICE session. */
  readonly iceUfrag: string
  readonly lines: readonly OfferedLine[]
  readonly isBundled: boolean
  readonly video: VideoSection
}

/** Header extensions of use to a router. */
const EXTENSIONS: ReadonlySet<string> = new Set([
  'urn:ietf:params:rtp-hdrext:sdes:mid',
  'http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time',
  'http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01',
  'http://www.webrtc.org/experiments/rtp-hdrext/playout-delay',
])
const WIDE_FEEDBACK_EXTENSION = 'http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01'
const MID_EXTENSION = 'urn:ietf:params:rtp-hdrext:sdes:mid'
const FEEDBACK: ReadonlySet<string> = new Set(['nack', 'nack pli', 'ccm fir', 'transport-cc', 'goog-remb'])

const unusable = (message: string): RelayFault => new RelayFault('unsupported_media', message)

/** What the client does with the picture: `send` for WHIP, `receive` for WHEP. */
export type ClientDirection = 'send' | 'receive'

const DIRECTIONS: Readonly<Record<ClientDirection, readonly string[]>> = { send: ['sendonly', 'sendrecv'], receive: ['recvonly', 'sendrecv'] }

/**
 * Reads an offer.
 *
 * @param wanted - The codecs that will do, in the order of preference of nobody: the offer's order counts.
 * @throws {RelayFault} `bad_message` when it is not SDP; `unsupported_media` when nothing of it can be used.
 */
export function readForeignOffer(sdp: string, direction: ClientDirection, wanted: readonly RenditionCodec[]): ForeignOffer {
  const description = describe(sdp)
  const bundled = bundledMids(description.groups)
  const candidates = [...description.media.entries()].filter(([, section]) => isUsable(section, description.direction, direction))
  const [first, second] = candidates
  if (first === undefined) throw unusable(direction === 'send' ? 'no media section sends video' : 'no media section receives video')
  if (second !== undefined && direction === 'send') throw unusable('more than one media section sends video')
  const [index, section] = first
  if (section.rtcpMux === undefined) throw unusable('RTP and RTCP are to share a port')
  const mid = section.mid ?? '0'
  if (bundled !== undefined && !bundled.has(mid)) throw unusable('the video is outside of the bundle')
  const iceUfrag = section.iceUfrag ?? description.iceUfrag
  if (iceUfrag === undefined) throw unusable('the offer has no ICE credentials')
  return {
    dtlsParameters: dtlsOf(section.fingerprint ?? description.fingerprint, section.setup ?? description.setup),
    iceUfrag,
    lines: description.media.map(({ type: kind, protocol, payloads, mid: lineMid }) => ({ kind, protocol, payloads, mid: lineMid })),
    isBundled: bundled !== undefined,
    video: videoOf(index, mid, section, direction, wanted),
  }
}

function videoOf(index: number, mid: string, section: Section, direction: ClientDirection, wanted: readonly RenditionCodec[]): VideoSection {
  const codec = codecOf(section, wanted)
  const stream = streamOf(section, direction)
  const hasWideFeedback = stream.extensions.some(({ uri }) => uri === WIDE_FEEDBACK_EXTENSION)
  // Feedback on sequence numbers needs the extension that carries them.
  const feedback = codec.feedback.filter(({ type }) => type !== 'transport-cc' || hasWideFeedback)
  return { index, mid, codec: { ...codec, feedback }, ...stream }
}

function describe(sdp: string): z.infer<typeof Description> {
  if (!sdp.startsWith('v=0')) throw new RelayFault('bad_message', 'the body is not SDP')
  let lines: unknown
  try {
    lines = parse(sdp)
  } catch (cause) {
    throw new RelayFault('bad_message', 'the body is not SDP', { cause })
  }
  const result = Description.safeParse(lines)
  if (!result.success) throw new RelayFault('bad_message', 'the SDP is not well formed', { cause: result.error })
  const mids = result.data.media.map(({ mid }) => mid).filter(mid => mid !== undefined)
  if (new Set(mids).size !== mids.length) throw new RelayFault('bad_message', 'two media sections share a mid')
  return result.data
}

function bundledMids(groups: z.infer<typeof Description>['groups']): ReadonlySet<string> | undefined {
  const bundle = groups.find(({ type }) => type === 'BUNDLE')
  return bundle && new Set(bundle.mids.split(' '))
}

/** Port 0 refuses a section, unless it is one that exists only in its bundle. @see RFC 9143 section 6 */
function isUsable(section: Section, fallback: string | undefined, direction: ClientDirection): boolean {
  const isOpen = section.port !== 0 || section.bundleOnly !== undefined
  const stated = section.direction ?? fallback ?? 'sendrecv'
  return section.type === 'video' && section.protocol.includes('TLS/RTP/SAVP') && isOpen && DIRECTIONS[direction].includes(stated)
}

function dtlsOf(fingerprint: Section['fingerprint'], setup: string | undefined): ForeignOffer['dtlsParameters'] {
  if (fingerprint === undefined) throw unusable('the offer has no DTLS fingerprint')
  // The offerer's role; `actpass` leaves it to us, and we wait for its ClientHello.
  const role = setup === 'passive' ? 'server' : 'client'
  const result = DtlsParameters.safeParse({ role, fingerprints: [{ algorithm: fingerprint.type.toLowerCase(), value: fingerprint.hash.toUpperCase() }] })
  if (!result.success) throw unusable('the DTLS fingerprint is of no known kind')
  return { ...result.data, role }
}

function codecOf(section: Section, wanted: readonly RenditionCodec[]): ChosenCodec {
  const candidates = section.rtp.flatMap(({ payload: payloadType, codec, rate }) => {
    const name = wanted.find(each => each === codec.toUpperCase())
    const parameters = name === undefined || rate !== 90_000 ? undefined : usableParameters(name, fmtpOf(section, payloadType))
    return name === undefined || parameters === undefined ? [] : [{ name, payloadType, parameters, rank: rankOf(name, parameters) }]
  })
  const [chosen] = candidates.sort((a, b) => a.rank - b.rank)
  if (chosen === undefined) throw unusable('no usable codec is offered')
  const rtx = section.rtp.find(({ payload: each, codec }) => codec.toLowerCase() === 'rtx' && each !== chosen.payloadType && Number(fmtpOf(section, each)['apt']) === chosen.payloadType)
  const { name, payloadType, parameters } = chosen
  return { name, payloadType, parameters, rtxPayloadType: rtx?.payload, feedback: feedbackOf(section, payloadType) }
}

function fmtpOf(section: Section, payloadType: number): Readonly<Record<string, string | number | undefined>> {
  const line = section.fmtp.find(each => each.payload === payloadType)
  return line === undefined ? {} : parseParams(line.config)
}

/** Baseline, Main and High with 8 bits and 4:2:0. @see H.264 annex A.2, RFC 6184 section 8.1 */
const H264_PROFILE = /^(42|4d|58|64)[0-9a-f]{4}$/i

/** What the answer says of a codec; undefined when this variant of it cannot be forwarded. */
function usableParameters(name: RenditionCodec, offered: Readonly<Record<string, string | number | undefined>>): ChosenCodec['parameters'] | undefined {
  if (name === 'VP9') return Number(offered['profile-id'] ?? 0) === 0 ? { 'profile-id': 0 } : undefined
  // GStreamer's receivers state no packetization mode and take every one.
  const mode = offered['packetization-mode'] === undefined ? 1 : Number(offered['packetization-mode'])
  const profile = offered['profile-level-id'] === undefined ? '42e01f' : String(offered['profile-level-id'])
  if (mode !== 1 || !H264_PROFILE.test(profile)) return undefined
  return { 'level-asymmetry-allowed': 1, 'packetization-mode': 1, 'profile-level-id': profile.toLowerCase() }
}

/** Constrained Baseline before other profiles of H.264, otherwise as offered. @see RFC 6184 section 8.1, table 5 */
const rankOf = (name: RenditionCodec, parameters: ChosenCodec['parameters']): number =>
  name === 'H264' && !/^42[4-7c-f]/.test(String(parameters['profile-level-id'])) ? 1 : 0

function feedbackOf(section: Section, payloadType: number): Feedback[] {
  return section.rtcpFb
    .filter(line => line.payload === payloadType || line.payload === '*')
    .filter(({ type, subtype }) => FEEDBACK.has(subtype === undefined ? type : `${type} ${subtype}`))
    .map(({ type, subtype }) => (subtype === undefined ? { type } : { type, parameter: subtype }))
}

function streamOf(section: Section, direction: ClientDirection): Pick<VideoSection, 'extensions' | 'ssrc' | 'rtxSsrc'> {
  const known = new Map(section.ext.filter(({ uri }) => EXTENSIONS.has(uri)).map(({ uri, value }) => [uri, value]))
  const extensions = [...known].map(([uri, id]) => ({ uri, id }))
  if (new Set(known.values()).size !== known.size) throw unusable('two header extensions share a number')
  if (direction === 'receive') return { extensions, ssrc: undefined, rtxSsrc: undefined }
  const group = section.ssrcGroups.find(({ semantics }) => semantics === 'FID')
  const [primary, repair] = (group?.ssrcs ?? '').split(' ').map(Number)
  const ssrc = primary !== undefined && primary > 0 ? primary : section.ssrcs[0]?.id
  if (ssrc === undefined && !known.has(MID_EXTENSION)) throw unusable('the video can be told neither by its SSRC nor by its mid')
  return { extensions, ssrc, rtxSsrc: ssrc === primary && repair !== undefined && repair > 0 && repair !== ssrc ? repair : undefined }
}
