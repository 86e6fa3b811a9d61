import { parse } from 'sdp-transform'
import { t } from 'tap'
import { ForeignSdp } from '../../test/harness/foreign-sdp.ts'
import { writeForeignAnswer } from './foreign-answer.ts'
import { readForeignOffer } from './foreign-offer.ts'
import type { AnswerTransport } from '../sdp-bridge.ts'

const TRANSPORT: AnswerTransport = {
  iceParameters: { usernameFragment: 'u', password: 'p', iceLite: true },
  iceCandidates: [{ foundation: 'tcp', priority: 1, ip: '10.0.0.1', address: '10.0.0.1', protocol: 'tcp', port: 4444, type: 'host', tcpType: 'passive' }],
  dtlsParameters: { role: 'auto', fingerprints: [{ algorithm: 'sha-256', value: 'AA:BB' }] },
}

t.test('takes codec, RTX, feedback, extensions and SSRCs under the numbers of the client', async t => {
  const { video, dtlsParameters, iceUfrag } = readForeignOffer(ForeignSdp.offer({ direction: 'sendonly' }), 'send', ['H264', 'VP9'])
  t.match(video, {
    index: 0, mid: '0', ssrc: 1111, rtxSsrc: 2222, extensions: [{ uri: 'urn:ietf:params:rtp-hdrext:sdes:mid', id: 9 }],
    codec: { name: 'H264', payloadType: 108, rtxPayloadType: 109, parameters: { 'packetization-mode': 1, 'profile-level-id': '42e01f' } },
  })
  t.same(video.codec.feedback, [{ type: 'nack' }, { type: 'nack', parameter: 'pli' }], 'and not what needs an extension that is not offered')
  t.match(dtlsParameters, { role: 'client' })
  t.equal(iceUfrag, 'abcd')
})

t.test('of several variants takes the one that is forwarded, Constrained Baseline first', async t => {
  const chosen = (codecs: readonly string[], wanted: readonly ('H264' | 'VP9')[] = ['H264', 'VP9']): number =>
    readForeignOffer(ForeignSdp.offer({ direction: 'recvonly', codecs, payloads: '96 97 98' }), 'receive', wanted).video.codec.payloadType
  const high = ['a=rtpmap:96 H264/90000', 'a=fmtp:96 packetization-mode=1;profile-level-id=640c1f']
  const single = ['a=rtpmap:97 H264/90000', 'a=fmtp:97 packetization-mode=0;profile-level-id=42e01f']
  const baseline = ['a=rtpmap:98 H264/90000', 'a=fmtp:98 packetization-mode=1;profile-level-id=42e01f']
  t.equal(chosen([...high, ...single, ...baseline]), 98)
  t.equal(chosen([...single, ...high]), 96, 'High where there is nothing else')
  t.equal(chosen(['a=rtpmap:96 VP8/90000', 'a=rtpmap:97 VP9/90000', ...baseline]), 97, 'the offer says which codec comes first')
  t.equal(chosen(['a=rtpmap:97 VP9/90000', ...baseline], ['H264']), 98, 'only what is wanted')
  t.equal(chosen(['a=rtpmap:96 H264/90000']), 96, 'that says nothing of itself, as GStreamer does')
})

t.test('answers with the section of the picture, and refuses audio', async t => {
  const offer = readForeignOffer(ForeignSdp.offer({ direction: 'recvonly', audio: true }), 'receive', ['H264'])
  const text = writeForeignAnswer(offer, TRANSPORT, {
    direction: 'sendonly', rtxPayloadType: 109, headerExtensions: [], feedback: [{ type: 'nack' }, { type: 'nack', parameter: 'pli' }],
    rtpParameters: { codecs: [], encodings: [{ ssrc: 5, rtx: { ssrc: 6 } }], rtcp: { cname: 'node' } },
  })
  const answer = parse(text)
  t.match(answer, { icelite: 'ice-lite', groups: [{ type: 'BUNDLE', mids: 0 }] })
  t.match(answer.media[0], { type: 'audio', port: 0, direction: 'inactive' })
  t.match(answer.media[1], {
    type: 'video', port: 9, direction: 'sendonly', setup: 'passive', payloads: '108 109', rtp: [{ payload: 108, codec: 'H264' }, { payload: 109, codec: 'rtx' }],
    ssrcGroups: [{ semantics: 'FID', ssrcs: '5 6' }], candidates: [{ transport: 'tcp', tcptype: 'passive' }],
  })
  t.same(answer.media[1]?.rtcpFb, [{ payload: 108, type: 'nack' }, { payload: 108, type: 'nack', subtype: 'pli' }])
})

t.test('refuses what cannot be used', async t => {
  const sending = ForeignSdp.offer({ direction: 'sendonly' })
  const unusable: readonly (readonly [string, string])[] = [
    ['VP8 alone', ForeignSdp.offer({ direction: 'sendonly', codecs: ['a=rtpmap:96 VP8/90000'], payloads: '96' })],
    ['10 bits', ForeignSdp.offer({ direction: 'sendonly', codecs: ['a=rtpmap:96 H264/90000', 'a=fmtp:96 packetization-mode=1;profile-level-id=6e0033'], payloads: '96' })],
    ['VP9 profile 2', ForeignSdp.offer({ direction: 'sendonly', codecs: ['a=rtpmap:96 VP9/90000', 'a=fmtp:96 profile-id=2'], payloads: '96' })],
    ['a receiver', ForeignSdp.offer({ direction: 'recvonly' })],
    ['two pictures', ForeignSdp.offer({ direction: 'sendonly', videos: 2 })],
    ['no fingerprint', sending.replaceAll(/a=fingerprint.*\r\n/g, '')],
    ['a strange fingerprint', sending.replace('sha-256', 'md5')],
    ['no ICE', sending.replaceAll(/a=ice-ufrag.*\r\n/g, '')],
    ['no rtcp-mux', sending.replaceAll('a=rtcp-mux\r\n', '')],
    ['outside of the bundle', sending.replace('BUNDLE 0', 'BUNDLE 7')],
    ['a refused section', sending.replace('m=video 9', 'm=video 0')],
    ['neither SSRC nor mid', sending.replaceAll(/a=(ssrc|extmap).*\r\n/g, '')],
    ['extensions with one number', sending.replace('a=extmap:2 urn:example:unknown', 'a=extmap:9 http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time')],
  ]
  for (const [name, sdp] of unusable) t.throws(() => readForeignOffer(sdp, 'send', ['H264', 'VP9']), { code: 'unsupported_media' }, name)
  const malformed: readonly (readonly [string, string])[] = [
    ['nothing', ''],
    ['text', 'hello'],
    ['no media', 'v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n'],
    ['a doubled mid', ForeignSdp.offer({ direction: 'sendonly', audio: true }).replace('a=mid:a', 'a=mid:0')],
    ['a payload type of 300', sending.replaceAll('108', '300')],
  ]
  for (const [name, sdp] of malformed) t.throws(() => readForeignOffer(sdp, 'send', ['H264', 'VP9']), { code: 'bad_message' }, name)
})
