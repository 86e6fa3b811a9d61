import { t } from 'tap'
import { RelayFault } from '../../../relay/wire/fault.ts'
import { MemberId, SessionId } from '../../../relay/wire/ids.ts'
import { AccessPart } from './access-part.ts'
import { SignIn } from './sign-in.ts'
import type { AccessAction } from '../../../relay/wire/access.ts'

const never = (): never => {
  throw new Error('nobody is asked')
}
const signIn = new SignIn({ node: { standing: never }, client: { byTicket: never, byPasskey: never, byNewPasskey: never, byCard: never }, ticket: null, keeper: { recall: () => undefined, keep: () => undefined } })
const part = (): AccessPart => new AccessPart({ origin: 'https://node.example', invitation: 'i', purpose: 'consultation', openKey: never, signIn })
const as = (...actions: AccessAction[]) => ({ sessionId: SessionId.parse('5f0b7f0e-6c8e-4d2a-9f5e-1c2d3e4f5a6b'), memberId: MemberId.parse('reader'), role: 'viewer' as const, colour: 1, actions })
const withdrawn = new RelayFault('consent_withdrawn', 'the patient has withdrawn the consent')

t.test('nothing is allowed any more once access has ended', async t => {
  const access = part()
  access.joined(as('view_live', 'view_slide'))
  access.lostAccess(withdrawn)
  t.equal(access.allowance.may('view_live'), false)
  t.equal(access.ended.value, withdrawn)
})

t.test('says why less is allowed than before, and nothing where it is as much', async t => {
  const access = part()
  access.joined(as('view_live', 'view_slide'))
  access.lostAccess(withdrawn)
  access.joined(as('view_live'))
  t.same([access.ended.value, access.loss.value?.code], [null, 'consent_withdrawn'])
  // The node was restarted, and forgot the grant.
  access.lostAccess(new RelayFault('token_refused', ''))
  access.joined(as('view_live'))
  t.same([access.ended.value, access.loss.value], [null, null])
})

t.test('somebody who was refused first has lost nothing', async t => {
  const access = part()
  access.lostAccess(new RelayFault('consent_required', ''))
  access.joined(as('view_live'))
  t.equal(access.loss.value, null)
})

t.test('says until when access lasts while the core cannot be heard, until it is heard again', async t => {
  const access = part()
  access.joined(as('view_live'))
  access.heard({ type: 'accessChanged', isCoreReachable: false, validUntilMillis: 300_000 })
  t.same(access.coreLoss.value, { untilMillis: 300_000 })
  access.heard({ type: 'accessChanged', isCoreReachable: true, validUntilMillis: 300_000 })
  t.equal(access.coreLoss.value, null)
  access.faulted(new RelayFault('core_unreachable', ''))
  t.same(access.coreLoss.value, { untilMillis: null }, 'nothing was granted')
})
