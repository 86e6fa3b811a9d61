import { t } from 'tap'
import { findFreePorts } from '../../bench/free-ports.ts'
import { generateInvitationKey, InvitationIssuer, InvitationVerifier } from '../../relay/access/invitation.ts'
import { systemClock } from '../../relay/runtime/clock.ts'
import { createLogger } from '../../relay/runtime/log.ts'
import { createRegistry } from '../../relay/runtime/metrics.ts'
import { RelayFault } from '../../relay/wire/fault.ts'
import { ConsultationId, MemberId } from '../../relay/wire/ids.ts'
import { ForeignSdp } from '../../test/harness/foreign-sdp.ts'
import { publishParameters } from '../../test/harness/offer.ts'
import { ConsultationRegistry } from '../consultation-registry.ts'
import { openSdpIngest } from '../sdp-ingest.ts'
import { NodeStills } from '../stills/node-stills.ts'
import { StillMetrics } from '../stills/still-metrics.ts'
import { TurnRelays } from '../turn/turn-relays.ts'
import { WorkerPool } from '../worker-pool.ts'
import { ForeignDoors } from './foreign-doors.ts'
import { ForeignMetrics } from './foreign-metrics.ts'
import type { PresentMember, RequestOf, Role } from '../../relay/wire/signaling.ts'
import type { Stage } from '../../relay/wire/stage.ts'
import type { Consultation } from '../consultation.ts'
import type { MicroscopeSession } from '../microscope-session.ts'
import type { PublishedMedia } from '../published-media.ts'
import type { Test } from 'tap'
import type { ForeignRecorder } from './foreign-doors.ts'

const READER = MemberId.parse('reader')

const STAGE: Stage = {
  objectives: [{ name: '20x', micrometresPerPixel: 0.25 }],
  travel: { x: { min: 0, max: 100 }, y: { min: 0, max: 100 }, focus: { min: -10, max: 10 } },
  state: { x: 0, y: 0, focus: 0, objective: '20x', isMoving: false, rtpTimestamp: null, obeyed: null },
}

/** A node's consultations and its doors, without HTTP. */
async function open(t: Test, recorder?: ForeignRecorder) {
  const log = createLogger({ level: 'silent', program: 'node' })
  const pool = await WorkerPool.open(1, { ip: '127.0.0.1', basePort: await findFreePorts(1) }, log, () => undefined)
  t.teardown(() => pool.close())
  const key = await generateInvitationKey()
  const [issuer, verifier] = await Promise.all([InvitationIssuer.open(key), InvitationVerifier.open(key)])
  const verify = verifier.verify.bind(verifier)
  const registry = createRegistry()
  const counts = async () => Object.fromEntries((await registry.metrics()).split('\n').filter(line => /^kenkyo_(foreign|stills)/.test(line)).map(line => [line.slice('kenkyo_'.length, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ')))]))
  const stills = await NodeStills.open({ stateDir: t.testdir(), quotaBytes: 1e9, metrics: new StillMetrics(registry), verify, clock: systemClock, log })
  t.teardown(() => stills[Symbol.asyncDispose]())
  const host = { relays: TurnRelays.open(undefined, undefined), leastLoaded: () => pool.leastLoaded(), openLink: () => t.fail('no links') as never, stills }
  const consultations = new ConsultationRegistry(host, { maxConsultations: 4, maxViewersPerConsultation: 4 }, log)
  t.teardown(() => consultations.close(new RelayFault('unavailable', 'the test is over')))
  const admit = async (role: Role) => verify(await issuer.issue({ role, consultationId: ConsultationId.parse('case-1'), memberId: MemberId.parse('member'), lifetimeSeconds: 60 }))
  return { consultations, admit, counts, doors: new ForeignDoors({ verify, consultations, recorder, metrics: new ForeignMetrics(registry), log }) }
}

function publish(consultation: Consultation, by: MicroscopeSession): Promise<PublishedMedia> {
  const request = publishParameters() as unknown as RequestOf<'publish'>
  return consultation.publish(by, request, async room => (await openSdpIngest(await room.createWebRtcTransport(), request)).media)
}

t.test('nothing flows to a WHEP client that left while its session was being opened', async t => {
  const { consultations, admit, doors } = await open(t)
  const admission = await admit('microscope')
  const consultation = consultations.open(admission)
  const published = await publish(consultation, consultation.admitMicroscope(admission, () => undefined))
  const opening = doors.openWhep(await admit('viewer'), ForeignSdp.offer({ direction: 'recvonly' }))
  const [viewer] = consultation.viewers
  viewer?.close(new RelayFault('invitation_expired', 'the invitation has expired'))
  await t.rejects(opening, { code: 'invitation_expired' })
  t.same([...published.flow.flows], [])
})

t.test('whoever keeps a frame of a WHIP client hears at once that there is none to be had', async t => {
  const { consultations, admit, counts, doors } = await open(t)
  await doors.openWhip(await admit('microscope'), ForeignSdp.offer({ direction: 'sendonly' }))
  const [consultation] = [...consultations.all()]
  const microscope = consultation?.microscope
  if (consultation === undefined || microscope === undefined) throw new Error('a WHIP client is a microscope')
  const { publicationId } = await publish(consultation, microscope)
  const stillId = consultation.stills?.ask(READER, publicationId, 1)
  t.match(await consultation.stills?.list(), [{ stillId, state: 'failed', fault: 'unsupported_media' }])
  t.equal((await counts())['stills_total{outcome="unsupported_media"}'], 1)
})

t.test('an offer that cannot be received does not displace the microscope of the same member', async t => {
  const { consultations, admit, counts, doors } = await open(t)
  const { session } = await doors.openWhip(await admit('microscope'), ForeignSdp.offer({ direction: 'sendonly' }))
  const bad = ForeignSdp.offer({ direction: 'sendonly' }).replace('FID 1111 2222', 'FID 1111 4294968407')
  await t.rejects(doors.openWhip(await admit('microscope'), bad), { code: 'unsupported_media' })
  const [consultation] = [...consultations.all()]
  t.equal(consultation?.microscope, session.member)
  t.notOk(session.member.isClosed)
  const offers = { 'foreign_offers_total{protocol="whip",outcome="ok"}': 1, 'foreign_offers_total{protocol="whip",outcome="unsupported_media"}': 1 }
  t.same(await counts(), { ...offers, 'foreign_sessions{protocol="whip"}': 1 })
  session.member.close(new RelayFault('unavailable', 'the client left'))
  await session.member.closed
  t.same(await counts(), { ...offers, 'foreign_sessions{protocol="whip"}': 0 })
})

t.test('a client that is refused leaves no consultation behind', async t => {
  const { consultations, admit, doors } = await open(t)
  const bad = ForeignSdp.offer({ direction: 'sendonly' }).replace('FID 1111 2222', 'FID 1111 4294968407')
  await t.rejects(doors.openWhip(await admit('microscope'), bad), { code: 'unsupported_media' })
  t.equal(consultations.size, 0)
})

t.test('the stage is not handed to a WHEP client, which could neither steer nor give it back', async t => {
  const { consultations, admit, doors } = await open(t)
  const admission = await admit('microscope')
  const consultation = consultations.open(admission)
  await publish(consultation, consultation.admitMicroscope(admission, () => undefined))
  const told: PresentMember[] = []
  const holder = consultation.admitViewer(await admit('viewer'), notification => {
    if (notification.type === 'membersChanged') told.splice(0, told.length, ...notification.members)
  })
  const { session } = await doors.openWhep(await admit('viewer'), ForeignSdp.offer({ direction: 'recvonly' }))
  if (consultation.published === undefined) throw new Error('it was published')
  consultation.published.stage = STAGE
  consultation.stage.claim(holder)
  t.throws(() => consultation.stage.handOver(holder, session.member.sessionId), { code: 'wrong_role' })
  consultation.stage.move(holder, { target: { focus: 1 }, rtpTimestamp: null })
  consultation.admitViewer(await admit('viewer'), notification => {
    if (notification.type === 'membersChanged') t.equal(notification.members.find(({ sessionId }) => sessionId === session.member.sessionId)?.protocol, 'whep')
  })
  t.ok(told.length > 0)
})

t.test('what cannot be recorded is neither published nor shown', async t => {
  const refuse = () => Promise.reject(new RelayFault('not_recorded', 'the disk is full'))
  const { consultations, admit, doors } = await open(t, { doing: refuse, doingOften: refuse, failed: () => undefined, left: () => undefined })
  await t.rejects(doors.openWhip(await admit('microscope'), ForeignSdp.offer({ direction: 'sendonly' })), { code: 'not_recorded' })
  t.equal(consultations.size, 0)
  const admission = await admit('microscope')
  const consultation = consultations.open(admission)
  await publish(consultation, consultation.admitMicroscope(admission, () => undefined))
  await t.rejects(doors.openWhep(await admit('viewer'), ForeignSdp.offer({ direction: 'recvonly' })), { code: 'not_recorded' })
  t.equal(consultation.viewers.size, 0)
})
