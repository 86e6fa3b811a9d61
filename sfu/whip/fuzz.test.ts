import { t } from 'tap'
import { randomSource } from '../../test/harness/mutation.ts'
import { ForeignSdp } from '../../test/harness/foreign-sdp.ts'
import { findFreePorts } from '../../bench/free-ports.ts'
import { generateInvitationKey, InvitationIssuer, InvitationVerifier } from '../../relay/access/invitation.ts'
import { createLogger } from '../../relay/runtime/log.ts'
import { toFault } from '../../relay/wire/fault.ts'
import { ConsultationId, MemberId } from '../../relay/wire/ids.ts'
import { millis } from '../../relay/wire/units.ts'
import { ConsultationRegistry } from '../consultation-registry.ts'
import { openSdpIngest } from '../sdp-ingest.ts'
import { TurnRelays } from '../turn/turn-relays.ts'
import { WorkerPool } from '../worker-pool.ts'
import { publishParameters } from '../../test/harness/offer.ts'
import { ForeignDoors } from './foreign-doors.ts'
import { frameSizeIn } from './frame-size.ts'
import { readIceFragment } from './ice-fragment.ts'
import { StreamProbe } from './stream-probe.ts'
import type { Admission } from '../../relay/access/invitation.ts'
import type { Role } from '../../relay/wire/signaling.ts'
import type { RequestOf } from '../../relay/wire/signaling.ts'

const OFFERS = 10_000
const SEED = 20_261_124
const NUMBERS = ['0', '-1', '300', '65536', '4294967296', '1e9', '99999999999999999999', 'NaN', '']
const LINES = [
  'a=mid:0', 'a=group:BUNDLE x y z', 'a=simulcast:send 1;2', 'a=rid:1 send', 'a=rtpmap:108 H264/90000', 'a=rtpmap:109 VP9/90000', 'a=fmtp:108 apt=108', 'a=fmtp:109 apt=109',
  'a=extmap:1 urn:ietf:params:rtp-hdrext:sdes:mid', 'a=extmap:255 http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time', 'a=ssrc-group:FID 1 1', 'a=ssrc-group:FID 0 0', 'a=ssrc:4294967295 cname:x',
  'a=setup:passive', 'a=sendrecv', 'a=inactive', 'm=video 9 UDP/TLS/RTP/SAVPF 96', 'm=application 9 UDP/DTLS/SCTP webrtc-datachannel', 'a=crypto:1 AES', '\u0000', '🩻', 'a=', '=', 'a=fingerprint:sha-256 00',
]

/** An offer with a few of its lines changed, doubled, moved or gone; now and then it is left whole, or cut off. */
function mutated(offer: string, next: () => number): string {
  const pick = <Item>(items: readonly Item[]): Item => items[Math.floor(next() * items.length)]!
  const lines = offer.split('\r\n')
  for (let change = Math.floor(next() * 4); change > 0; change--) {
    const at = Math.floor(next() * lines.length)
    const line = lines[at] ?? ''
    const choice = next()
    if (choice < 0.2) lines.splice(at, 1)
    else if (choice < 0.4) lines.splice(at, 0, pick(LINES))
    else if (choice < 0.6) lines[at] = line.replaceAll(/\d+/g, number => (next() < 0.5 ? pick(NUMBERS) : number))
    else if (choice < 0.7) lines.splice(at, 0, line)
    else if (choice < 0.8) lines.splice(Math.floor(next() * lines.length), 0, line)
    else if (choice < 0.9) lines[at] = line.slice(0, Math.floor(next() * line.length)) + String.fromCharCode(Math.floor(next() * 0x3000))
    else lines[at] = line + line.repeat(Math.floor(next() * 20))
  }
  const text = lines.join(next() < 0.9 ? '\r\n' : '\n')
  return next() < 0.05 ? text.slice(0, Math.floor(next() * text.length)) : text
}

t.test(`${OFFERS} broken offers neither crash the node nor its worker, and each is refused with a code`, { timeout: 300_000 }, async t => {
  const log = createLogger({ level: 'silent', program: 'node' })
  let deaths = 0
  const pool = await WorkerPool.open(1, { ip: '127.0.0.1', basePort: await findFreePorts(1) }, log, () => deaths++)
  t.teardown(() => pool.close())
  const key = await generateInvitationKey()
  const [issuer, verifier] = await Promise.all([InvitationIssuer.open(key), InvitationVerifier.open(key)])
  const consultations = new ConsultationRegistry({ relays: TurnRelays.open(undefined, undefined), leastLoaded: () => pool.leastLoaded(), openLink: () => t.fail('no links') as never }, { maxConsultations: 4, maxViewersPerConsultation: 64 }, log)
  const admit = async (role: Role, consultation: string): Promise<Admission> => {
    const terms = { role, consultationId: ConsultationId.parse(consultation), memberId: MemberId.parse('fuzz'), lifetimeSeconds: 3600 }
    return verifier.verify(await issuer.issue(terms))
  }
  const doors = new ForeignDoors({ verify: token => verifier.verify(token), consultations, log })
  // Something to watch, in a consultation of its own.
  const admission = await admit('microscope', 'watched')
  const watched = consultations.open(admission)
  const { pyramid, stage, tracks, sdp } = publishParameters()
  const request = { pyramid, stage, tracks, sdp } as unknown as RequestOf<'publish'>
  await watched.publish(watched.admitMicroscope(admission, () => undefined), request, async room => (await openSdpIngest(await room.createWebRtcTransport(), request)).media)

  const next = randomSource(SEED)
  const outcomes = new Map<string, number>()
  for (let offer = 0; offer < OFFERS; offer++) {
    const isSending = offer % 2 === 0
    const text = mutated(ForeignSdp.offer({ direction: isSending ? 'sendonly' : 'recvonly', audio: next() < 0.3 }), next)
    const outcome = await (isSending ? doors.openWhip(await admit('microscope', 'published'), text) : doors.openWhep(await admit('viewer', 'watched'), text)).then(
      ({ session }) => {
        session.member.close(toFault(new Error('done')))
        return 'opened'
      },
      (error: unknown) => {
        const fault = toFault(error)
        if (fault.code === 'internal') t.fail(`a bug, by ${JSON.stringify(text.slice(0, 2000))}`, { found: String((fault.cause as Error).stack) })
        return fault.code
      },
    )
    outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1)
  }
  t.comment(JSON.stringify(Object.fromEntries(outcomes)))
  for (const expected of ['opened', 'bad_message', 'unsupported_media']) t.ok((outcomes.get(expected) ?? 0) > OFFERS / 100, `some were ${expected}`)
  t.same([...outcomes.keys()].sort(), ['bad_message', 'opened', 'unsupported_media'])
  t.equal(deaths, 0)
  t.equal(consultations.size, 1, 'and nothing is left of them')
})

t.test('broken fragments and packets are refused or ignored', async t => {
  const next = randomSource(SEED)
  const fragment = ['a=ice-ufrag:abcd', 'a=ice-pwd:abcdefghijklmnopqrstuvwx', 'm=video 9 UDP/TLS/RTP/SAVPF 108', 'a=mid:0', 'a=candidate:1 1 udp 1 192.0.2.1 1 typ host', ''].join('\r\n')
  let read = 0
  for (let index = 0; index < OFFERS; index++) {
    try {
      readIceFragment(mutated(fragment, next))
      read++
    } catch (error) {
      if (toFault(error).code !== 'bad_message') t.fail(String(error))
    }
  }
  t.ok(read > 0 && read < OFFERS)
  const probe = new StreamProbe('H264')
  for (let index = 0; index < OFFERS; index++) {
    const packet = Uint8Array.from({ length: Math.floor(next() * 64) }, () => Math.floor(next() * 256))
    // The first bytes of what is looked into, so that something is.
    if (next() < 0.7) packet.set((next() < 0.5 ? [0x67] : [0x8a, 0x80, 0x01]).slice(0, packet.length))
    for (const codec of ['H264', 'VP9'] as const) {
      const size = frameSizeIn(codec, packet)
      if (size !== undefined && !(size.width > 0 && size.height > 0)) t.fail('a size that is none')
    }
    probe.take(packet, Math.floor(next() * 2 ** 32), millis(index))
  }
  t.ok(probe.conclude(millis(1e9)))
})
