import { write } from 'sdp-transform'
import { RelayFault } from '../../relay/wire/fault.ts'
import type { ConsumerOffer, ReplyData } from '../../relay/wire/signaling.ts'
import type { RtpCapabilities } from '../../relay/wire/webrtc.ts'
import type { MediaDescription } from 'sdp-transform'

const FEEDBACK = [{ type: 'nack' }, { type: 'nack', parameter: 'pli' }, { type: 'ccm', parameter: 'fir' }]
const H264 = { 'packetization-mode': 1, 'profile-level-id': '42e01f', 'level-asymmetry-allowed': 1 }

/**
 * What the headless receiver says it can decode: both codecs of a pyramid, repaired by NACK and RTX.
 *
 * No transport-wide congestion control and no REMB: the node then estimates no bandwidth and sends no
 * probation packets, so the bytes that arrive are media and repair alone.
 */
export const RECEIVER_CAPABILITIES: RtpCapabilities = {
  codecs: [
    { kind: 'video', mimeType: 'video/H264', clockRate: 90_000, preferredPayloadType: 102, parameters: H264, rtcpFeedback: FEEDBACK },
    { kind: 'video', mimeType: 'video/rtx', clockRate: 90_000, preferredPayloadType: 103, parameters: { apt: 102 }, rtcpFeedback: [] },
    { kind: 'video', mimeType: 'video/VP9', clockRate: 90_000, preferredPayloadType: 104, parameters: { 'profile-id': 0 }, rtcpFeedback: FEEDBACK },
    { kind: 'video', mimeType: 'video/rtx', clockRate: 90_000, preferredPayloadType: 105, parameters: { apt: 104 }, rtcpFeedback: [] },
  ],
  headerExtensions: [],
}

/** Which streams one consumer sends. */
export interface ConsumerStreams {
  readonly mid: string
  readonly ssrc: number
  /** SSRC of its retransmissions. @see RFC 4588 section 4 */
  readonly rtxSsrc: number | undefined
}

/**
 * Reads the streams of one consumer.
 *
 * @throws {RelayFault} `bad_message` when its parameters name none.
 */
export function consumerStreams({ rtpParameters: { mid, encodings } }: ConsumerOffer): ConsumerStreams {
  const encoding = encodings?.[0]
  const rtx = encoding?.['rtx'] as { ssrc?: number } | undefined
  if (mid === undefined || encoding?.ssrc === undefined) throw new RelayFault('bad_message', 'a consumer without mid or ssrc')
  return { mid, ssrc: encoding.ssrc, rtxSsrc: rtx?.ssrc }
}

function mediaSection(offer: ConsumerOffer): MediaDescription {
  const { mid, ssrc, rtxSsrc } = consumerStreams(offer)
  const { codecs, rtcp } = offer.rtpParameters
  const cname = rtcp?.cname ?? 'kenkyo'
  const parameterText = (parameters: unknown): string =>
    Object.entries((parameters ?? {}) as Record<string, unknown>).map(([key, value]) => `${key}=${String(value)}`).join(';')
  const feedbackOf = (codec: (typeof codecs)[number]): typeof FEEDBACK => (codec['rtcpFeedback'] ?? []) as typeof FEEDBACK
  return {
    type: 'video',
    port: 9,
    protocol: 'UDP/TLS/RTP/SAVPF',
    payloads: codecs.map(codec => codec.payloadType).join(' '),
    connection: { ip: '127.0.0.1', version: 4 },
    mid,
    direction: 'sendonly',
    rtcpMux: 'rtcp-mux',
    rtcpRsize: 'rtcp-rsize',
    rtp: codecs.map(({ payloadType, mimeType, clockRate }) => ({ payload: payloadType, codec: mimeType.replace('video/', ''), rate: clockRate })),
    fmtp: codecs.map(codec => ({ payload: codec.payloadType, config: parameterText(codec['parameters']) })).filter(({ config }) => config !== ''),
    rtcpFb: codecs.flatMap(codec =>
      feedbackOf(codec).map(({ type, parameter }) => ({ payload: codec.payloadType, type, ...(parameter === undefined ? {} : { subtype: parameter }) })),
    ),
    ssrcs: [ssrc, rtxSsrc].filter(id => id !== undefined).map(id => ({ id, attribute: 'cname', value: cname })),
    ...(rtxSsrc === undefined ? {} : { ssrcGroups: [{ semantics: 'FID', ssrcs: `${ssrc} ${rtxSsrc}` }] }),
  }
}

/**
 * Writes the SDP offer that a node would have made for one viewer transport: one section per consumer.
 *
 * @see RFC 8829 section 5.2, RFC 8843 (BUNDLE)
 */
export function writeOffer(transport: ReplyData<'createTransport'>, consumers: readonly ConsumerOffer[]): string {
  const { iceParameters, iceCandidates, dtlsParameters } = transport
  const fingerprint = dtlsParameters.fingerprints.find(({ algorithm }) => algorithm === 'sha-256')
  if (fingerprint === undefined) throw new RelayFault('bad_message', 'the node offers no sha-256 fingerprint')
  const candidates = iceCandidates
    .filter(({ protocol }) => protocol === 'udp')
    .map(({ foundation, priority, address, port, type, protocol }) => ({ foundation, component: 1, transport: protocol, priority, ip: address, port, type }))
  return write({
    version: 0,
    origin: { username: 'kenkyo', sessionId: 1, sessionVersion: 1, netType: 'IN', ipVer: 4, address: '127.0.0.1' },
    name: '-',
    timing: { start: 0, stop: 0 },
    ...(iceParameters.iceLite === true ? { icelite: 'ice-lite' } : {}),
    groups: [{ type: 'BUNDLE', mids: consumers.map(consumer => consumerStreams(consumer).mid).join(' ') }],
    media: consumers.map(consumer => ({
      ...mediaSection(consumer),
      iceUfrag: iceParameters.usernameFragment,
      icePwd: iceParameters.password,
      fingerprint: { type: fingerprint.algorithm, hash: fingerprint.value },
      setup: 'actpass',
      candidates,
      endOfCandidates: 'end-of-candidates',
    })),
  })
}
