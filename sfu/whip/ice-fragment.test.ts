import { t } from 'tap'
import { ForeignSdp } from '../../test/harness/foreign-sdp.ts'
import { readForeignOffer } from './foreign-offer.ts'
import { readIceFragment, writeIceFragment } from './ice-fragment.ts'

const PASSWORD = 'P2uYro0UCOQ4zxjKXaWCBui1'

t.test('reads what a client says of its ICE', async t => {
  const candidate = 'a=candidate:1387637174 1 udp 2122260223 192.0.2.1 61764 typ host generation 0 ufrag EsAw network-id 1'
  const fragment = ['a=group:BUNDLE 0', 'm=video 9 UDP/TLS/RTP/SAVPF 96', 'a=mid:0', 'a=ice-ufrag:EsAw', `a=ice-pwd:${PASSWORD}`, candidate, 'a=end-of-candidates', ''].join('\r\n')
  t.same(readIceFragment(fragment), { iceUfrag: 'EsAw', hasPassword: true, candidates: 1 })
  t.same(readIceFragment('a=end-of-candidates'), { iceUfrag: undefined, hasPassword: false, candidates: 0 })
})

t.test('refuses what is no fragment', async t => {
  const refused = ['', '\r\n', 'hello', 'a=mid:0', '{}', 'a=ice-ufrag:EsAw\r\na=ice-ufrag:Other', 'a=ice-ufrag:x', `a=ice-ufrag:EsAw\r\na=ice-pwd:short`, 'a=candidate:1\r\n'.repeat(600)]
  for (const body of refused) t.throws(() => readIceFragment(body), { code: 'bad_message' }, JSON.stringify(body.slice(0, 40)))
})

t.test('writes a fragment that it reads itself', async t => {
  const offer = readForeignOffer(ForeignSdp.offer({ direction: 'sendonly' }), 'send', ['H264'])
  const text = writeIceFragment(offer, {
    iceParameters: { usernameFragment: 'abcd', password: PASSWORD, iceLite: true },
    iceCandidates: [{ foundation: 'udp', priority: 1, ip: '10.0.0.1', address: '10.0.0.1', protocol: 'udp', port: 4444, type: 'host' }],
  })
  t.match(text, /^a=ice-lite\r\n/)
  t.notMatch(text, /^[vost]=/m)
  t.same(readIceFragment(text), { iceUfrag: 'abcd', hasPassword: true, candidates: 1 })
})
