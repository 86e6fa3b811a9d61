import { getEventListeners } from 'node:events'
import { t } from 'tap'
import { ACTIONS_OF_ROLE, generateInvitationKey, InvitationIssuer, InvitationVerifier, mintAdmission } from '../relay/access/invitation.ts'
import { createLogger } from '../relay/runtime/log.ts'
import { RelayFault } from '../relay/wire/fault.ts'
import { ConsultationId, MemberId } from '../relay/wire/ids.ts'
import { ConsultationRegistry } from './consultation-registry.ts'
import { TurnRelays } from './turn/turn-relays.ts'
import type { Notification } from '../relay/wire/signaling.ts'

const refuse = (): never => {
  throw new RelayFault('unavailable', 'this node has neither workers nor links')
}

t.test('a scanner that is refused leaves no consultation behind, which would count until the node ends', async t => {
  const key = await generateInvitationKey()
  const [issuer, verifier] = await Promise.all([InvitationIssuer.open(key), InvitationVerifier.open(key)])
  const host = { relays: TurnRelays.open(undefined, undefined), leastLoaded: refuse, openLink: refuse }
  const registry = new ConsultationRegistry(host, { maxConsultations: 2, maxViewersPerConsultation: 4 }, createLogger({ level: 'silent', program: 'node' }))
  const admit = async (role: 'scanner' | 'viewer', consultation: string) => {
    const terms = { role, consultationId: ConsultationId.parse(consultation), memberId: MemberId.parse('member'), lifetimeSeconds: 60 }
    const admission = await verifier.verify(await issuer.issue(terms))
    t.teardown(() => admission.release())
    return registry.admit(admission, () => undefined)
  }
  for (const consultation of ['case-1', 'case-2', 'case-3']) await t.rejects(admit('scanner', consultation), { code: 'unavailable' })
  t.equal(registry.size, 0)
  const { session } = await admit('viewer', 'case-4')
  await t.rejects(admit('scanner', 'case-4'), { code: 'unavailable' })
  t.equal(registry.size, 1, 'one that somebody is in stays')
  session.close(new RelayFault('unavailable', 'left'))
  await session.closed
  t.equal(registry.size, 0)
})

function openRegistry() {
  const host = { relays: TurnRelays.open(undefined, undefined), leastLoaded: refuse, openLink: refuse }
  const registry = new ConsultationRegistry(host, { maxConsultations: 2, maxViewersPerConsultation: 4 }, createLogger({ level: 'silent', program: 'node' }))
  const grant = new AbortController()
  const admission = mintAdmission({ consultationId: ConsultationId.parse('case-1'), memberId: MemberId.parse('doctor'), role: 'viewer' }, { grantId: null, actions: ACTIONS_OF_ROLE.viewer, validUntilMillis: 4242, ended: grant.signal })
  return { registry, grant, admission }
}

t.test('whoever comes while the core cannot be heard is told so, and when it can be heard again', async t => {
  const { registry, admission } = openRegistry()
  registry.coreChanged(false)
  const heard: Notification[] = []
  const { session } = registry.admit(admission, notification => heard.push(notification))
  t.match(heard.filter(({ type }) => type === 'accessChanged'), [{ isCoreReachable: false, validUntilMillis: 4242 }])
  registry.coreChanged(true)
  t.match(heard.filter(({ type }) => type === 'accessChanged').slice(1), [{ isCoreReachable: true }])
  session.close(new RelayFault('unavailable', 'left'))
  await session.closed
})

t.test('what was granted may end while its holder joins: nobody is in then', t => {
  const { registry, admission, grant } = openRegistry()
  const consultation = registry.open(admission)
  grant.abort(new RelayFault('consent_withdrawn', 'withdrawn'))
  for (const admit of [() => registry.admit(admission, () => undefined), () => consultation.admitViewer(admission, () => undefined, 'whep')]) t.throws(admit, { code: 'consent_withdrawn' })
  t.equal(consultation.viewers.size, 0)
  consultation.closeIfEmpty()
  t.end()
})

t.test('a session that ended opens nothing any more, and is forgotten by its grant', async t => {
  const { registry, admission, grant } = openRegistry()
  for (let count = 0; count < 100; count++) {
    const { session } = registry.admit(admission, () => undefined)
    session.close(new RelayFault('unavailable', 'left'))
    await session.closed
    await t.rejects(session.handle({ type: 'readClock', requestId: 1 }), { code: 'wrong_state' })
  }
  t.equal(getEventListeners(grant.signal, 'abort').length, 0)
})
