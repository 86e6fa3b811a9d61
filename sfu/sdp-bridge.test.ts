import { parse } from 'sdp-transform'
import { t } from 'tap'
import { offerFor, SMALL_PYRAMID } from '../test/harness/offer.ts'
import { parseOffer, writeAnswer } from './sdp-bridge.ts'

const sdp = offerFor(SMALL_PYRAMID)

t.test('reads one producer from each media section', async t => {
  const { dtlsParameters, tracks } = parseOffer(sdp)
  t.match(dtlsParameters, { role: 'client', fingerprints: [{ algorithm: 'sha-256' }] })
  t.equal(tracks.length, 5)
  t.match(tracks[1], {
    mid: '1',
    kind: 'video',
    rtpParameters: {
      mid: '1',
      codecs: [
        { mimeType: 'video/H264', payloadType: 96, clockRate: 90_000, parameters: { 'packetization-mode': 1, 'profile-level-id': '42e01f' } },
        { mimeType: 'video/rtx', payloadType: 97, parameters: { apt: 96 } },
      ],
      headerExtensions: [{ uri: 'urn:ietf:params:rtp-hdrext:sdes:mid', id: 1 }],
      encodings: [{ ssrc: 1002, rtx: { ssrc: 1003 } }],
      rtcp: { cname: 'microscope' },
    },
  })
  t.same(tracks[1]?.rtpParameters.codecs[0]?.rtcpFeedback, [{ type: 'nack' }, { type: 'nack', parameter: 'pli' }])
})

t.test('does without RTX where there is none', async t => {
  const plain = sdp.replaceAll(/a=(rtpmap:97|fmtp:97|ssrc-group).*\r\n/g, '')
  const [track] = parseOffer(plain).tracks
  t.equal(track?.rtpParameters.codecs.length, 1)
  t.same(track?.rtpParameters.encodings, [{ ssrc: 1000 }])
})

t.test('leaves out extensions and feedback that the router does not read', async t => {
  const extended = sdp
    .replace('a=sendonly\r\n', 'a=sendonly\r\na=extmap:9 urn:example:unknown\r\n')
    .replace('a=rtcp-fb:96 nack\r\n', 'a=rtcp-fb:96 nack\r\na=rtcp-fb:96 x-unknown\r\n')
  const [track] = parseOffer(extended).tracks
  t.same(track?.rtpParameters.headerExtensions?.map(({ id }) => id), [1])
  t.same(track?.rtpParameters.codecs[0]?.rtcpFeedback?.map(({ type }) => type), ['nack', 'nack'])
})

t.test('answers in the order of the offer, as the passive end', async t => {
  const offer = parseOffer(sdp)
  const answer = parse(
    writeAnswer(offer.tracks, offer, {
      iceParameters: { usernameFragment: 'u', password: 'p', iceLite: true },
      iceCandidates: [
        { foundation: 'udp', priority: 1, ip: '10.0.0.1', address: '10.0.0.1', protocol: 'udp', port: 4444, type: 'host' },
        { foundation: 'tcp', priority: 1, ip: '10.0.0.1', address: '10.0.0.1', protocol: 'tcp', port: 4444, type: 'host', tcpType: 'passive' },
      ],
      dtlsParameters: { role: 'auto', fingerprints: [{ algorithm: 'sha-256', value: 'AA:BB' }] },
    }),
  )
  t.equal(answer.icelite, 'ice-lite')
  t.equal(answer.media.length, 5)
  t.match(answer.media[4], { direction: 'recvonly', setup: 'passive', iceUfrag: 'u', fingerprint: { type: 'sha-256', hash: 'AA:BB' } })
  t.match(answer.media[0]?.candidates, [{ transport: 'udp', port: 4444 }, { transport: 'tcp', tcptype: 'passive' }])
})

t.test('takes the active part when the offerer wants to be passive', async t => {
  t.equal(parseOffer(sdp.replaceAll('a=setup:actpass', 'a=setup:passive')).dtlsParameters.role, 'server')
})

t.test('refuses what it could not forward, by code', async t => {
  const hostile: [string, string][] = [
    ['nothing', ''],
    ['no media', 'v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n'],
    ['no mid', sdp.replace('a=mid:0\r\n', '')],
    ['a doubled mid', sdp.replace('a=mid:1\r\n', 'a=mid:0\r\n')],
    ['an application section', sdp.replace('m=video 9 UDP/TLS/RTP/SAVPF 96 97', 'm=application 9 UDP/DTLS/SCTP webrtc-datachannel')],
    ['inactive', sdp.replace('a=sendonly', 'a=inactive')],
    ['no codec', sdp.replaceAll(/a=rtpmap.*\r\n/g, '')],
    ['binary', '\u0000\u0001\u0002'],
  ]
  for (const [name, text] of hostile) t.throws(() => parseOffer(text), { code: 'unsupported_media' }, name)
})
