const FINGERPRINT = Array.from({ length: 32 }, (_, i) => (i * 5 + 16).toString(16).padStart(2, '0').toUpperCase()).join(':')

/** What an offer of {@link ForeignSdp} is made from. */
export interface ForeignOfferPlan {
  readonly direction: 'sendonly' | 'recvonly' | 'sendrecv' | 'inactive'
  /** Lines of codecs; H.264 with RTX by default. */
  readonly codecs?: readonly string[]
  readonly payloads?: string
  /** Offers audio before the video. */
  readonly audio?: boolean
  /** Video sections; 1 by default. */
  readonly videos?: number
}

const H264 = [
  'a=rtpmap:108 H264/90000', 'a=fmtp:108 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f',
  'a=rtcp-fb:108 nack', 'a=rtcp-fb:108 nack pli', 'a=rtcp-fb:108 transport-cc', 'a=rtcp-fb:108 x-unknown', 'a=rtpmap:109 rtx/90000', 'a=fmtp:109 apt=108',
]

/** Offers as WebRTC clients write them, with nobody behind them. */
export const ForeignSdp = {
  offer({ direction, codecs = H264, payloads = '108 109', audio = false, videos = 1 }: ForeignOfferPlan): string {
    const transport = ['c=IN IP4 0.0.0.0', 'a=ice-ufrag:abcd', 'a=ice-pwd:abcdefghijklmnopqrstuvwx', `a=fingerprint:sha-256 ${FINGERPRINT}`, 'a=setup:actpass', 'a=rtcp-mux']
    const ssrcs = direction === 'sendonly' || direction === 'sendrecv' ? ['a=ssrc-group:FID 1111 2222', 'a=ssrc:1111 cname:someone', 'a=ssrc:2222 cname:someone'] : []
    const sections = [
      ...(audio ? [['m=audio 9 UDP/TLS/RTP/SAVPF 111', ...transport, 'a=mid:a', `a=${direction}`, 'a=rtpmap:111 opus/48000/2']] : []),
      ...Array.from({ length: videos }, (_, index) => [
        `m=video 9 UDP/TLS/RTP/SAVPF ${payloads}`, ...transport, `a=mid:${index}`, 'a=extmap:9 urn:ietf:params:rtp-hdrext:sdes:mid', 'a=extmap:2 urn:example:unknown',
        `a=${direction}`, ...codecs, ...ssrcs,
      ]),
    ]
    const mids = [...(audio ? ['a'] : []), ...Array.from({ length: videos }, (_, index) => String(index))]
    return ['v=0', 'o=- 1 1 IN IP4 127.0.0.1', 's=-', 't=0 0', `a=group:BUNDLE ${mids.join(' ')}`, ...sections.flat(), ''].join('\r\n')
  },
} as const
