import { t } from 'tap'
import { generateInvitationKey, InvitationIssuer, InvitationVerifier } from '../relay/access/invitation.ts'
import { createLogger } from '../relay/runtime/log.ts'
import { RelayFault } from '../relay/wire/fault.ts'
import { ConsultationId, MemberId } from '../relay/wire/ids.ts'
import { ConsultationRegistry } from './consultation-registry.ts'
import { TurnRelays } from './turn/turn-relays.ts'

t.test('a scanner that is refused leaves no consultation behind, which would count until the node ends', async t => {
  const key = await generateInvitationKey()
  const [issuer, verifier] = await Promise.all([InvitationIssuer.open(key), InvitationVerifier.open(key)])
  const refuse = (): never => {
    throw new RelayFault('unavailable', 'this node has neither workers nor links')
  }
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
