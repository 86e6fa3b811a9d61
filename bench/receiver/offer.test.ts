import { parse } from 'sdp-transform'
import { t } from 'tap'
import { OVERVIEW, tileId } from '../../relay/wire/ids.ts'
import { REQUESTS } from '../../relay/wire/signaling.ts'
import { RtpCapabilities } from '../../relay/wire/webrtc.ts'
import { consumerStreams, RECEIVER_CAPABILITIES, writeOffer } from './offer.ts'

const candidate = { foundation: 'udpcandidate', priority: 1, ip: '127.0.0.1', address: '127.0.0.1', type: 'host' }
const transport = REQUESTS.createTransport.reply.parse({
  transportId: 't',
  routerRtpCapabilities: { codecs: [] },
  iceParameters: { usernameFragment: 'ufrag', password: 'password', iceLite: true },
  iceCandidates: [{ ...candidate, protocol: 'udp', port: 4000 }, { ...candidate, protocol: 'tcp', port: 4000, tcpType: 'passive' }],
  iceServers: [],
  dtlsParameters: { role: 'auto', fingerprints: [{ algorithm: 'sha-256', value: Array(32).fill('AB').join(':') }] },
})

const codecs = [
  { mimeType: 'video/H264', payloadType: 102, clockRate: 90_000, parameters: { 'packetization-mode': 1 }, rtcpFeedback: [{ type: 'nack' }, { type: 'nack', parameter: 'pli' }] },
  { mimeType: 'video/rtx', payloadType: 103, clockRate: 90_000, parameters: { apt: 102 }, rtcpFeedback: [] },
]
const { consumers } = REQUESTS.subscribe.reply.parse({
  consumers: [OVERVIEW, tileId(0, 0)].map((renditionId, index) => ({
    consumerId: `c${index}`,
    producerId: `p${index}`,
    renditionId,
    rtpParameters: { mid: String(index), codecs, encodings: [{ ssrc: 1000 + index, rtx: { ssrc: 2000 + index } }], rtcp: { cname: 'cname' } },
  })),
  undecodable: [],
})

t.test('asks for repair, but for no bandwidth estimation', async t => {
  t.ok(RtpCapabilities.safeParse(RECEIVER_CAPABILITIES).success)
  const feedback = RECEIVER_CAPABILITIES.codecs.flatMap(codec => codec.rtcpFeedback ?? []).map(({ type }) => type)
  t.ok(feedback.includes('nack'))
  t.notOk(feedback.includes('transport-cc') || feedback.includes('goog-remb'))
})

t.test('writes one section per consumer, bundled, with its streams and UDP candidates', async t => {
  const session = parse(writeOffer(transport, consumers))
  t.match(session.groups, [{ type: 'BUNDLE', mids: '0 1' }])
  t.equal(session.icelite, 'ice-lite')
  t.equal(session.media.length, 2)
  t.match(session.media[1], {
    mid: 1,
    direction: 'sendonly',
    setup: 'actpass',
    iceUfrag: 'ufrag',
    rtp: [{ payload: 102, codec: 'H264', rate: 90_000 }, { payload: 103, codec: 'rtx', rate: 90_000 }],
    fmtp: [{ payload: 102, config: 'packetization-mode=1' }, { payload: 103, config: 'apt=102' }],
    rtcpFb: [{ payload: 102, type: 'nack' }, { payload: 102, type: 'nack', subtype: 'pli' }],
    ssrcGroups: [{ semantics: 'FID', ssrcs: '1001 2001' }],
    candidates: [{ transport: 'udp', port: 4000 }],
  })
  t.equal(session.media[1]?.candidates?.length, 1)
})

t.test('refuses a consumer that names no stream', async t => {
  const [consumer] = consumers
  t.throws(() => consumerStreams({ ...consumer!, rtpParameters: { codecs } }), { code: 'bad_message' })
})
