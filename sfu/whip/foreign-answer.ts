import { write } from 'sdp-transform'
import type { AnswerTransport } from '../sdp-bridge.ts'
import type { ChosenCodec, ForeignOffer, OfferedLine } from './foreign-offer.ts'
import type { RtpParameters } from 'mediasoup/types'
import type { MediaDescription } from 'sdp-transform'

/** What flows in the section of the picture. */
export interface AnsweredVideo {
  /** From the node's side: `recvonly` for WHIP, `sendonly` for WHEP. */
  readonly direction: 'recvonly' | 'sendonly'
  readonly rtxPayloadType: number | undefined
  readonly feedback: readonly { readonly type: string; readonly parameter?: string | undefined }[]
  readonly headerExtensions: readonly { readonly uri: string; readonly id: number }[]
  /** Of what the node sends. */
  readonly rtpParameters?: RtpParameters
}

/**
 * Answers a foreign offer: the section of the picture is taken, all others are refused with port 0.
 *
 * @returns SDP text; every candidate of the node is in it. @see RFC 9429 section 5.3, RFC 9143 section 7.3
 */
export function writeForeignAnswer(offer: ForeignOffer, transport: AnswerTransport, video: AnsweredVideo): string {
  return write({
    version: 0,
    origin: { username: '-', sessionId: 1, sessionVersion: 1, netType: 'IN', ipVer: 4, address: '0.0.0.0' },
    name: '-',
    timing: { start: 0, stop: 0 },
    icelite: 'ice-lite',
    ...(offer.isBundled ? { groups: [{ type: 'BUNDLE', mids: offer.video.mid }] } : {}),
    msidSemantic: { semantic: 'WMS', token: '*' },
    media: offer.lines.map((line, index) => (index === offer.video.index ? takenSection(offer, line, transport, video) : refusedSection(line))),
  })
}

/** @see RFC 3264 section 6: at least one format is repeated. */
const refusedSection = ({ kind, protocol, payloads, mid }: OfferedLine): MediaDescription => ({
  type: kind, port: 0, protocol, payloads, connection: { version: 4, ip: '0.0.0.0' }, direction: 'inactive',
  ...(mid === undefined ? {} : { mid }), rtp: [], fmtp: [],
})

function takenSection(offer: ForeignOffer, { kind, protocol, mid }: OfferedLine, transport: AnswerTransport, video: AnsweredVideo): MediaDescription {
  const { codec } = offer.video
  const { rtxPayloadType, direction, headerExtensions, feedback } = video
  return {
    type: kind,
    port: 9,
    protocol,
    payloads: [codec.payloadType, ...(rtxPayloadType === undefined ? [] : [rtxPayloadType])].join(' '),
    connection: { version: 4, ip: '0.0.0.0' },
    ...(mid === undefined ? {} : { mid }),
    direction,
    rtcpMux: 'rtcp-mux',
    rtcpRsize: 'rtcp-rsize',
    ...transportLines(transport, offer.dtlsParameters.role === 'server' ? 'active' : 'passive'),
    ...codecLines(codec, rtxPayloadType, feedback),
    ext: headerExtensions.map(({ uri, id }) => ({ uri, value: id })),
    ...(video.rtpParameters === undefined ? {} : streamLines(video.rtpParameters)),
  }
}

/** ICE and DTLS of the node. */
function transportLines(
  { iceParameters, iceCandidates, dtlsParameters }: AnswerTransport,
  setup: string,
): Pick<MediaDescription, 'iceUfrag' | 'icePwd' | 'fingerprint' | 'setup' | 'candidates' | 'endOfCandidates'> {
  const fingerprint = dtlsParameters.fingerprints.find(({ algorithm }) => algorithm === 'sha-256')
  if (fingerprint === undefined) throw new Error('the transport has no sha-256 fingerprint')
  return {
    iceUfrag: iceParameters.usernameFragment,
    icePwd: iceParameters.password,
    fingerprint: { type: fingerprint.algorithm, hash: fingerprint.value },
    setup,
    candidates: candidateLines(iceCandidates),
    endOfCandidates: 'end-of-candidates',
  }
}

/** Candidates as SDP writes them. @see RFC 8839 section 5.1, RFC 6544 section 4.5 */
export const candidateLines = (candidates: AnswerTransport['iceCandidates']): NonNullable<MediaDescription['candidates']> =>
  candidates.map(({ foundation, priority, address, protocol, port, type, tcpType }) => ({
    foundation, component: 1, transport: protocol, priority, ip: address, port, type,
    ...(tcpType === undefined ? {} : { tcptype: tcpType }),
  }))

function codecLines({ name, payloadType, parameters }: ChosenCodec, rtx: number | undefined, feedback: AnsweredVideo['feedback']): Pick<MediaDescription, 'rtp' | 'fmtp' | 'rtcpFb'> {
  const config = Object.entries(parameters).map(([key, value]) => `${key}=${value}`).join(';')
  return {
    rtp: [{ payload: payloadType, codec: name, rate: 90_000 }, ...(rtx === undefined ? [] : [{ payload: rtx, codec: 'rtx', rate: 90_000 }])],
    fmtp: [{ payload: payloadType, config }, ...(rtx === undefined ? [] : [{ payload: rtx, config: `apt=${payloadType}` }])],
    rtcpFb: feedback.map(({ type, parameter }) => ({ payload: payloadType, type, ...(parameter === undefined || parameter === '' ? {} : { subtype: parameter }) })),
  }
}

/** Names the stream that the node sends. @see RFC 8830, RFC 5576 */
function streamLines({ encodings = [], rtcp }: RtpParameters): Pick<MediaDescription, 'msid' | 'ssrcs' | 'ssrcGroups'> {
  const [encoding] = encodings
  const ssrcs = [encoding?.ssrc, encoding?.rtx?.ssrc].filter(ssrc => ssrc !== undefined)
  return {
    msid: [{ id: 'kenkyo', appdata: 'video' }],
    ssrcs: ssrcs.map(id => ({ id, attribute: 'cname', value: rtcp?.cname ?? 'kenkyo' })),
    ...(ssrcs.length > 1 ? { ssrcGroups: [{ semantics: 'FID', ssrcs: ssrcs.join(' ') }] } : {}),
  }
}
