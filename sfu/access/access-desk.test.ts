import { t } from 'tap'
import { GrantRegistry } from '../../relay/access/grants/grant-registry.ts'
import { ACTIONS_OF_ROLE, mintAdmission } from '../../relay/access/invitation.ts'
import { AccessPolicy } from '../../relay/access/policy/access-policy.ts'
import { createLogger } from '../../relay/runtime/log.ts'
import { ConsentId, FacilityId, NodeId, PractitionerId } from '../../relay/wire/access.ts'
import { RelayFault } from '../../relay/wire/fault.ts'
import { GrantRequest } from '../../relay/wire/grant.ts'
import { ConsultationId, MemberId, Sha256 } from '../../relay/wire/ids.ts'
import { LinkLedger } from '../../relay/access/ledger/link-ledger.ts'
import { LinkAdmission } from './link-admission.ts'
import { AccessDesk, EMERGENCY_MILLIS } from './access-desk.ts'
import { GRANT_LIFETIME_MILLIS } from './grant-decision.ts'
import type { Grant } from '../../relay/access/grants/grant-registry.ts'
import type { ConsentState, LinkCondition } from '../../relay/wire/access.ts'
import type { AuditEventInput, AuditReceipt } from '../../relay/wire/audit-event.ts'
import type { Role } from '../../relay/wire/signaling.ts'
import type { Asker } from './access-desk.ts'

const policy = await AccessPolicy.read()
const university = FacilityId.parse('university')
const consultationId = ConsultationId.parse('case-1')
const consentId = ConsentId.parse(crypto.randomUUID())
const doctor: Asker = { facilityId: university, practiceRole: 'pathologist', practitionerId: PractitionerId.parse('p-1'), nodeId: null, bound: { jkt: 'a'.repeat(43) } }
const machine: Asker = { facilityId: university, practiceRole: 'service', practitionerId: null, nodeId: NodeId.parse('scope'), bound: { 'x5t#S256': Buffer.alloc(32, 0xab).toString('base64url') } }
const possession = { method: 'POST', path: '/access/grants/renew' }

/** A desk in a world that can be told to change. */
function openDesk() {
  const world = { nowMillis: Date.now(), consent: 'valid' as ConsentState, consentToRecord: undefined as ConsentState | undefined, link: 'best_effort' as LinkCondition, isReachable: true, isRecorded: true, isKnown: true, revoked: '', role: 'viewer' as Role, whileRecording: (): void => undefined }
  const events: AuditEventInput[] = []
  const grants = new GrantRegistry()
  const ledger = new LinkLedger()
  const byToken = new Map<string, Grant>()
  const record = async (event: AuditEventInput): Promise<AuditReceipt> => {
    world.whileRecording()
    if (!world.isRecorded) throw new RelayFault('not_recorded', 'the disk is full')
    events.push(event)
    return Promise.resolve({ sequence: events.length, leaf: Sha256.parse('0'.repeat(64)) })
  }
  const known = <Entry>(entry: Entry): Entry | undefined => (world.isKnown ? entry : undefined)
  const desk = new AccessDesk({
    sources: {
      policy,
      registry: {
        version: 7, expiresAtMillis: world.nowMillis + 3_600_000,
        facility: id => known({ id, displayName: id, status: 'active' as const }),
        practitioner: id => known({ id, facilityId: university, role: 'pathologist' as const, displayName: id, status: 'active' as const }),
        node: id => known({ id, facilityId: university, kind: 'agent' as const, status: 'active' as const }),
        isRevoked: thumbprint => thumbprint === world.revoked,
      },
      consents: {
        stateOf: ({ action }) => {
          const state = action === 'record' ? (world.consentToRecord ?? world.consent) : world.consent
          return state === 'valid' ? { state, consentId, validUntilMillis: world.nowMillis + 600_000 } : { state, consentId: null, validUntilMillis: null }
        },
        consultation: () => ({ consultationId, hostFacilityId: university, participants: [], purpose: 'consultation', validUntilMillis: world.nowMillis + 3_600_000 }),
      },
      links: { to: () => ({ link: null, condition: world.link, headRoomBitsPerSecond: 1e9 }) },
    },
    isCoreReachable: () => world.isReachable,
    readInvitation: () => Promise.resolve(mintAdmission({ consultationId, memberId: MemberId.parse('doctor'), role: world.role }, { grantId: null, actions: ACTIONS_OF_ROLE[world.role], validUntilMillis: Infinity, ended: new AbortController().signal })),
    grants,
    admission: new LinkAdmission(ledger),
    tokens: {
      issue: grant => {
        byToken.set(grant.id, grant)
        return Promise.resolve(grant.id)
      },
      read: token => Promise.resolve(grants.require(byToken.get(token)?.id ?? ('' as never))),
      verify: token => Promise.resolve(grants.require(byToken.get(token)?.id ?? ('' as never)).admit()),
    },
    audit: { record, recordEmergency: event => record(event).catch(() => undefined) },
    now: () => world.nowMillis,
    log: createLogger({ level: 'silent', program: 'node' }),
  })
  const ask = (more: object = {}, asker = doctor) => desk.grant(asker, GrantRequest.parse({ invitation: 'i', purpose: 'consultation', ...more }))
  return { desk, world, events, grants, ask }
}

t.test('what is granted is what role, seat and policy permit together, recorded before anybody can use it', async t => {
  const { desk, events, ask, world } = openDesk()
  const { actions, validUntilMillis, grantId, token } = await ask()
  t.ok(actions.includes('view_live'))
  t.notOk(actions.includes('publish_live'))
  t.equal(validUntilMillis, world.nowMillis + GRANT_LIFETIME_MILLIS)
  t.match(events, [{ kind: 'decision', outcome: 'ok', grantId, consentId, registryVersion: 7, policySha256: policy.sha256, actor: { practitionerId: 'p-1' } }])
  t.equal((await desk.verify(token, possession)).allows('view_live'), true)
})

t.test('what is not recorded is not granted; an emergency is', async t => {
  const { world, grants, ask } = openDesk()
  world.isRecorded = false
  await t.rejects(ask(), { code: 'not_recorded' })
  t.equal(grants.size, 0)
  t.ok((await ask({ isEmergency: true })).token)
})

t.test('a refusal says why, and is recorded', async t => {
  const { world, events, grants, ask } = openDesk()
  for (const [change, code] of [[{ consent: 'withdrawn' }, 'consent_withdrawn'], [{ consent: 'none' }, 'consent_required'], [{ consent: 'valid', link: 'unregistered' }, 'policy_refused']] as const) {
    Object.assign(world, change)
    await t.rejects(ask(), { code })
    t.match(events.at(-1), { outcome: code, grantId: null, validUntilMillis: null })
  }
  t.equal(grants.size, 0)
})

t.test('an emergency stands in for a consent that is missing, not for one that was withdrawn, and is over in its time', async t => {
  const { desk, world, events, grants, ask } = openDesk()
  world.consent = 'withdrawn'
  await t.rejects(ask({ isEmergency: true }), { code: 'consent_withdrawn' })
  world.consent = 'none'
  const { token, emergencyUntilMillis } = await ask({ isEmergency: true, emergencyReason: 'frozen_section' })
  t.match(events.at(-1), { isEmergency: true, emergencyReason: 'frozen_section', outcome: 'ok' })
  t.equal(emergencyUntilMillis, world.nowMillis + EMERGENCY_MILLIS)
  world.nowMillis += 60_000
  t.equal((await desk.renew(token, possession)).emergencyUntilMillis, emergencyUntilMillis, 'renewing makes it no longer')
  world.nowMillis += EMERGENCY_MILLIS
  await t.rejects(desk.renew(token, possession), { code: 'access_revoked' })
  t.equal(grants.size, 0)
})

t.test('a withdrawal ends what rests on the consent, within the call that tells of it', async t => {
  const { desk, world, events, ask } = openDesk()
  const { token, grantId } = await ask()
  const admission = await desk.verify(token, possession)
  world.consent = 'withdrawn'
  desk.reconsider(ConsultationId.parse('case-2'))
  t.equal(admission.expired.aborted, false, 'of another consultation')
  desk.reconsider(consultationId)
  t.match(admission.expired.reason, { code: 'consent_withdrawn' })
  t.match(events.at(-1), { outcome: 'consent_withdrawn', grantId })
})

t.test('a consent withdrawn while the decision is being recorded leaves nothing granted', async t => {
  const { desk, world, grants, ask } = openDesk()
  world.whileRecording = () => {
    world.whileRecording = () => undefined
    world.consent = 'withdrawn'
    desk.reconsider(consultationId)
  }
  await t.rejects(ask(), { code: 'consent_withdrawn' })
  t.equal(grants.size, 0)
})

t.test('a certificate that is revoked, or a member whom the registry forgets, ends what was granted', async t => {
  for (const change of [{ revoked: 'ab'.repeat(32) }, { isKnown: false }]) {
    const { desk, world, ask } = openDesk()
    world.role = 'microscope'
    const admission = await desk.verify((await ask({}, machine)).token, possession)
    Object.assign(world, change)
    desk.reconsider()
    t.match(admission.expired.reason, { code: 'access_revoked' })
    await t.rejects(ask({}, machine), { code: 'access_revoked' })
  }
})

t.test('without the core nothing new is granted, and what is granted goes on', async t => {
  const { desk, world, ask } = openDesk()
  const { token } = await ask()
  world.isReachable = false
  await t.rejects(ask(), { code: 'core_unreachable' })
  await t.rejects(desk.renew(token, possession), { code: 'core_unreachable' })
  desk.reconsider()
  t.equal((await desk.verify(token, possession)).allows('view_live'), true)
})

t.test('a renewal makes a grant last longer', async t => {
  const { desk, world, ask, events } = openDesk()
  const { token, validUntilMillis } = await ask()
  world.nowMillis += 60_000
  t.equal((await desk.renew(token, possession)).validUntilMillis, validUntilMillis + 60_000)
  t.equal(events.length, 2)
})

t.test('a renewal gives nothing that was withdrawn while it was being recorded', async t => {
  const { desk, world, ask, grants } = openDesk()
  world.consentToRecord = 'none'
  const { token, actions } = await ask()
  t.notOk(actions.includes('record'))
  world.consentToRecord = 'valid'
  world.whileRecording = () => {
    world.whileRecording = () => undefined
    world.consentToRecord = 'withdrawn'
    // The grant has nothing of it yet that it could lose.
    desk.reconsider(consultationId)
  }
  await t.rejects(desk.renew(token, possession), { code: 'consent_withdrawn' })
  t.equal(grants.size, 0)
})

t.test('no renewal makes an emergency last longer than it may', async t => {
  const { desk, world, ask } = openDesk()
  world.consent = 'none'
  const began = world.nowMillis
  const { token } = await ask({ isEmergency: true })
  world.nowMillis += EMERGENCY_MILLIS - 60_000
  t.equal((await desk.renew(token, possession)).validUntilMillis, began + EMERGENCY_MILLIS)
})

t.test('one client holds so many grants and no more', async t => {
  const { ask, grants } = openDesk()
  for (let count = 0; count < 16; count++) await ask()
  await t.rejects(ask(), { code: 'overloaded' })
  t.equal(grants.size, 16)
})
