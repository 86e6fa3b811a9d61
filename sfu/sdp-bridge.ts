/**
 * The one place where SDP meets mediasoup's ORTC objects: an offer of sendonly media sections becomes
 * producer parameters, and a transport becomes the answer. Knows nothing of pyramids or sockets, so
 * that WHIP can stand on it.
 *
 * @see RFC 8829 (JSEP), RFC 8843 (BUNDLE), RFC 8866 (SDP), RFC 9725 (WHIP)
 */
import { parse, parseParams, write } from 'sdp-transform'
import { RelayFault } from '../relay/wire/fault.ts'
import type { DtlsParameters, IceCandidate, IceParameters, MediaKind, RtpParameters } from 'mediasoup/types'
import type { MediaDescription, SessionDescription } from 'sdp-transform'

/** One media section of an offer. */
export interface OfferedTrack {
  readonly mid: string
  readonly kind: MediaKind
  readonly rtpParameters: RtpParameters
}

/** What an offer asks for. */
export interface ParsedOffer {
  readonly dtlsParameters: DtlsParameters
  readonly tracks: readonly OfferedTrack[]
}

/** What an answer says of the transport that was made for it. */
export interface AnswerTransport {
  readonly iceParameters: IceParameters
  readonly iceCandidates: readonly IceCandidate[]
  readonly dtlsParameters: DtlsParameters
}

const CODECS: ReadonlySet<string> = new Set(['video/H264', 'video/VP9', 'audio/opus'])
/** RTCP feedback that the router understands. */
const FEEDBACK: ReadonlySet<string> = new Set(['nack', 'nack pli', 'ccm fir', 'transport-cc', 'goog-remb'])
/** Header extensions that the router reads. */
const EXTENSIONS: ReadonlySet<string> = new Set([
  'urn:ietf:params:rtp-hdrext:sdes:mid',
  'http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time',
  'http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01',
  'http://www.webrtc.org/experiments/rtp-hdrext/playout-delay',
])

type Codec = RtpParameters['codecs'][number]

const refuse = (message: string): RelayFault => new RelayFault('unsupported_media', message)

function parseSession(sdp: string): SessionDescription {
  try {
    return parse(sdp)
  } catch (cause) {
    throw new RelayFault('bad_message', 'the offer is not SDP', { cause })
  }
}

function dtlsOf(session: SessionDescription): DtlsParameters {
  const section = session.media[0]
  const fingerprint = section?.fingerprint ?? session.fingerprint
  if (fingerprint === undefined) throw refuse('the offer has no DTLS fingerprint')
  const setup = section?.setup ?? session.setup
  return {
    // The offerer's role; `actpass` leaves it to us, and we wait for its ClientHello.
    role: setup === 'passive' ? 'server' : 'client',
    fingerprints: [
      {
        algorithm: fingerprint.type.toLowerCase() as DtlsParameters['fingerprints'][number]['algorithm'],
        value: fingerprint.hash.toUpperCase(),
      },
    ],
  }
}

function parametersOf(media: MediaDescription, payloadType: number): Record<string, string | number | undefined> {
  const line = media.fmtp.find(fmtp => fmtp.payload === payloadType)
  return line === undefined ? {} : parseParams(line.config)
}

function feedbackOf(media: MediaDescription, payloadType: number): { type: string; parameter?: string }[] {
  return (media.rtcpFb ?? [])
    .filter(line => String(line.payload) === String(payloadType) || line.payload === '*')
    .filter(line => FEEDBACK.has(line.subtype === undefined ? line.type : `${line.type} ${line.subtype}`))
    .map(line => (line.subtype === undefined ? { type: line.type } : { type: line.type, parameter: line.subtype }))
}

/** The first codec of the section that the router knows, and its RTX if there is one. @see RFC 4588 section 8.6 */
function codecsOf(media: MediaDescription, mid: string): [Codec, Codec?] {
  const kind = media.type
  const known = media.rtp.find(rtp => CODECS.has(`${kind}/${rtp.codec}`))
  if (known === undefined) throw refuse(`media section ${mid} has no codec that this node forwards`)
  const codec: Codec = {
    mimeType: `${kind}/${known.codec}`,
    payloadType: known.payload,
    clockRate: known.rate ?? 90_000,
    parameters: parametersOf(media, known.payload),
    rtcpFeedback: feedbackOf(media, known.payload),
    ...(known.encoding === undefined ? {} : { channels: known.encoding }),
  }
  const rtx = media.rtp.find(
    rtp => rtp.codec.toLowerCase() === 'rtx' && Number(parametersOf(media, rtp.payload)['apt']) === known.payload,
  )
  if (rtx === undefined) return [codec]
  const { payload: payloadType, rate: clockRate = 90_000 } = rtx
  return [codec, { mimeType: `${kind}/rtx`, payloadType, clockRate, parameters: { apt: known.payload }, rtcpFeedback: [] }]
}

function encodingOf(media: MediaDescription, mid: string, hasRtx: boolean): { ssrc: number; rtx?: { ssrc: number } } {
  const [first] = media.ssrcs ?? []
  if (first === undefined) throw refuse(`media section ${mid} names no SSRC`)
  const group = media.ssrcGroups?.find(candidate => candidate.semantics === 'FID')
  const [primary, repair] = (group?.ssrcs ?? '').split(' ').map(Number)
  if (hasRtx && primary && repair) return { ssrc: primary, rtx: { ssrc: repair } }
  return { ssrc: first.id }
}

function trackOf(media: MediaDescription): OfferedTrack {
  // The parser turns a numeric mid into a number, whatever its type says.
  const mid = String((media.mid as string | number | undefined) ?? '')
  if (mid === '') throw refuse('a media section has no mid')
  if (media.type !== 'video' && media.type !== 'audio') throw refuse(`media section ${mid} is neither video nor audio`)
  if (media.direction !== 'sendonly' && media.direction !== 'sendrecv') throw refuse(`media section ${mid} sends nothing`)
  const [codec, rtx] = codecsOf(media, mid)
  const cname = media.ssrcs?.find(line => line.attribute === 'cname')?.value
  return {
    mid,
    kind: media.type,
    rtpParameters: {
      mid,
      codecs: rtx === undefined ? [codec] : [codec, rtx],
      headerExtensions: (media.ext ?? [])
        .filter(extension => EXTENSIONS.has(extension.uri))
        .map(({ uri, value: id }) => ({ uri: uri as never, id })),
      encodings: [encodingOf(media, mid, rtx !== undefined)],
      rtcp: cname === undefined ? { reducedSize: true } : { cname, reducedSize: true },
    },
  }
}

/**
 * Reads an offer of bundled, sending media sections.
 *
 * @throws {RelayFault} `bad_message` when it is not SDP; `unsupported_media` when this node could not forward it.
 */
export function parseOffer(sdp: string): ParsedOffer {
  const session = parseSession(sdp)
  if (session.media.length === 0) throw refuse('the offer has no media section')
  const tracks = session.media.map(trackOf)
  if (new Set(tracks.map(track => track.mid)).size !== tracks.length) throw refuse('two media sections share a mid')
  return { dtlsParameters: dtlsOf(session), tracks }
}

/**
 * Answers an offer: every section accepted as recvonly, bundled on one ICE-lite transport.
 *
 * @param tracks - The offer's tracks, in its order.
 * @returns SDP text. @see RFC 8829 section 5.3
 */
export function writeAnswer(tracks: readonly OfferedTrack[], offer: ParsedOffer, transport: AnswerTransport): string {
  const fingerprint = transport.dtlsParameters.fingerprints.find(({ algorithm }) => algorithm === 'sha-256')
  if (fingerprint === undefined) throw new Error('the transport has no sha-256 fingerprint')
  const setup = offer.dtlsParameters.role === 'server' ? 'active' : 'passive'
  return write({
    version: 0,
    origin: { username: '-', sessionId: 1, sessionVersion: 1, netType: 'IN', ipVer: 4, address: '0.0.0.0' },
    name: '-',
    timing: { start: 0, stop: 0 },
    icelite: 'ice-lite',
    groups: [{ type: 'BUNDLE', mids: tracks.map(track => track.mid).join(' ') }],
    msidSemantic: { semantic: 'WMS', token: '*' },
    media: tracks.map(track => answerSection(track, transport, { type: fingerprint.algorithm, hash: fingerprint.value }, setup)),
  })
}

function answerSection(
  { mid, kind, rtpParameters }: OfferedTrack,
  { iceParameters, iceCandidates }: AnswerTransport,
  fingerprint: { type: string; hash: string },
  setup: string,
): MediaDescription {
  const { codecs, headerExtensions = [] } = rtpParameters
  return {
    type: kind,
    port: 7,
    protocol: 'UDP/TLS/RTP/SAVPF',
    payloads: codecs.map(codec => codec.payloadType).join(' '),
    connection: { version: 4, ip: '0.0.0.0' },
    mid,
    direction: 'recvonly',
    rtcpMux: 'rtcp-mux',
    rtcpRsize: 'rtcp-rsize',
    iceUfrag: iceParameters.usernameFragment,
    icePwd: iceParameters.password,
    fingerprint,
    setup,
    candidates: iceCandidates.map(({ foundation, priority, address, protocol, port, type, tcpType }) => ({
      foundation, component: 1, transport: protocol, priority, ip: address, port, type,
      ...(tcpType === undefined ? {} : { tcptype: tcpType }),
    })),
    endOfCandidates: 'end-of-candidates',
    rtp: codecs.map(({ payloadType: payload, mimeType, clockRate: rate, channels }) => ({
      payload, codec: mimeType.slice(kind.length + 1), rate,
      ...(channels === undefined ? {} : { encoding: channels }),
    })),
    fmtp: codecs.flatMap(({ payloadType: payload, parameters = {} }) => {
      const config = Object.entries(parameters).map(([key, value]) => `${key}=${String(value)}`).join(';')
      return config === '' ? [] : [{ payload, config }]
    }),
    rtcpFb: codecs.flatMap(({ payloadType: payload, rtcpFeedback = [] }) =>
      rtcpFeedback.map(({ type, parameter }) => ({ payload, type, ...(parameter ? { subtype: parameter } : {}) })),
    ),
    ext: headerExtensions.map(({ uri, id }) => ({ uri, value: id })),
  }
}
