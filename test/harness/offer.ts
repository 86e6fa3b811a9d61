import { planPyramid } from '../../relay/wire/pyramid.ts'
import type { Pyramid } from '../../relay/wire/pyramid.ts'

const FINGERPRINT = Array.from({ length: 32 }, (_, i) => (i * 7 + 16).toString(16).padStart(2, '0').toUpperCase()).join(':')

/** A small pyramid for tests of signaling: overview and 2x2 tiles. */
export const SMALL_PYRAMID = planPyramid({ width: 640, height: 360, columns: 2, rows: 2, framesPerSecond: 30, overviewWidth: 320 })

/** An SDP offer as a WebRTC publisher of that pyramid makes it, with nobody behind it. */
export function offerFor(pyramid: Pyramid): string {
  const sections = pyramid.renditions.flatMap(({ codec }, mid) => [
    'm=video 9 UDP/TLS/RTP/SAVPF 96 97',
    'c=IN IP4 0.0.0.0',
    `a=mid:${mid}`,
    'a=sendonly',
    'a=rtcp-mux',
    'a=ice-ufrag:abcd',
    'a=ice-pwd:abcdefghijklmnopqrstuvwx',
    `a=fingerprint:sha-256 ${FINGERPRINT}`,
    'a=setup:actpass',
    'a=extmap:1 urn:ietf:params:rtp-hdrext:sdes:mid',
    `a=rtpmap:96 ${codec}/90000`,
    `a=fmtp:96 ${codec === 'H264' ? 'packetization-mode=1;profile-level-id=42e01f;level-asymmetry-allowed=1' : 'profile-id=0'}`,
    'a=rtcp-fb:96 nack',
    'a=rtcp-fb:96 nack pli',
    'a=rtpmap:97 rtx/90000',
    'a=fmtp:97 apt=96',
    `a=ssrc-group:FID ${1000 + mid * 2} ${1001 + mid * 2}`,
    `a=ssrc:${1000 + mid * 2} cname:microscope`,
    `a=ssrc:${1001 + mid * 2} cname:microscope`,
  ])
  const mids = pyramid.renditions.map((_, mid) => mid).join(' ')
  return ['v=0', 'o=- 1 1 IN IP4 127.0.0.1', 's=-', 't=0 0', `a=group:BUNDLE ${mids}`, ...sections, ''].join('\r\n')
}

/** The parameters of a `publish` request for it. */
export const publishParameters = (pyramid: Pyramid = SMALL_PYRAMID) => ({
  pyramid,
  tracks: pyramid.renditions.map(({ id: renditionId }, mid) => ({ mid: String(mid), renditionId })),
  sdp: offerFor(pyramid),
  stage: null,
})

/** What software Chromium says it can decode, abridged. */
export const RTP_CAPABILITIES = {
  codecs: [
    {
      kind: 'video', mimeType: 'video/H264', clockRate: 90_000, preferredPayloadType: 101,
      parameters: { 'packetization-mode': 1, 'profile-level-id': '42e01f', 'level-asymmetry-allowed': 1 },
      rtcpFeedback: [{ type: 'nack' }, { type: 'nack', parameter: 'pli' }, { type: 'transport-cc' }],
    },
    { kind: 'video', mimeType: 'video/rtx', clockRate: 90_000, preferredPayloadType: 102, parameters: { apt: 101 } },
    { kind: 'video', mimeType: 'video/VP9', clockRate: 90_000, preferredPayloadType: 103, parameters: { 'profile-id': 0 } },
  ],
  headerExtensions: [{ kind: 'video', uri: 'urn:ietf:params:rtp-hdrext:sdes:mid', preferredId: 1 }],
}

/** Somebody's DTLS parameters. */
export const DTLS_PARAMETERS = { role: 'client', fingerprints: [{ algorithm: 'sha-256', value: FINGERPRINT }] }
