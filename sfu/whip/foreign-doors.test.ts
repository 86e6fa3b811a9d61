import { t } from 'tap'
import { generateInvitationKey, InvitationIssuer, InvitationVerifier } from '../../relay/access/invitation.ts'
import { createLogger } from '../../relay/runtime/log.ts'
import { findFreePorts } from '../../bench/free-ports.ts'
import { RelayFault } from '../../relay/wire/fault.ts'
import { ConsultationId, MemberId } from '../../relay/wire/ids.ts'
import { ForeignSdp } from '../../test/harness/foreign-sdp.ts'
import { publishParameters } from '../../test/harness/offer.ts'
import { ConsultationRegistry } from '../consultation-registry.ts'
import { openSdpIngest } from '../sdp-ingest.ts'
import { TurnRelays } from '../turn/turn-relays.ts'
import { WorkerPool } from '../worker-pool.ts'
import { ForeignDoors } from './foreign-doors.ts'
import type { Role, RequestOf } from '../../relay/wire/signaling.ts'

t.test('nothing flows to a WHEP client that left while its session was being opened', async t => {
  const log = createLogger({ level: 'silent', program: 'node' })
  const pool = await WorkerPool.open(1, { ip: '127.0.0.1', basePort: await findFreePorts(1) }, log, () => undefined)
  t.teardown(() => pool.close())
  const key = await generateInvitationKey()
  const [issuer, verifier] = await Promise.all([InvitationIssuer.open(key), InvitationVerifier.open(key)])
  const consultations = new ConsultationRegistry({ relays: TurnRelays.open(undefined, undefined), leastLoaded: () => pool.leastLoaded(), openLink: () => t.fail('no links') as never }, { maxConsultations: 4, maxViewersPerConsultation: 4 }, log)
  const admit = async (role: Role) => verifier.verify(await issuer.issue({ role, consultationId: ConsultationId.parse('case-1'), memberId: MemberId.parse('member'), lifetimeSeconds: 60 }))
  const admission = await admit('microscope')
  const consultation = consultations.open(admission)
  const microscope = consultation.admitMicroscope(admission, () => undefined)
  const request = publishParameters() as unknown as RequestOf<'publish'>
  const published = await consultation.publish(microscope, request, async room => (await openSdpIngest(await room.createWebRtcTransport(), request)).media)

  const opening = new ForeignDoors({ verify: token => verifier.verify(token), consultations, log }).openWhep(await admit('viewer'), ForeignSdp.offer({ direction: 'recvonly' }))
  const [viewer] = consultation.viewers
  viewer?.close(new RelayFault('invitation_expired', 'the invitation has expired'))
  await t.rejects(opening, { code: 'invitation_expired' })
  t.same([...published.flow.flows], [])
  microscope.close(new RelayFault('unavailable', 'left'))
})
