import { setImmediate } from 'node:timers/promises'
import { t } from 'tap'
import { GrantRegistry } from '../../relay/access/grants/grant-registry.ts'
import { ACTIONS_OF_ROLE, mintAdmission } from '../../relay/access/invitation.ts'
import { LinkLedger } from '../../relay/access/ledger/link-ledger.ts'
import { createLogger } from '../../relay/runtime/log.ts'
import { FacilityId, NodeId } from '../../relay/wire/access.ts'
import { AdmissionRefusal, rateOfLevels } from '../../relay/wire/admission.ts'
import { RelayFault } from '../../relay/wire/fault.ts'
import { GrantRequest } from '../../relay/wire/grant.ts'
import { ConsultationId, MemberId, Sha256 } from '../../relay/wire/ids.ts'
import { LinkName } from '../../relay/wire/link.ts'
import { AccessDesk, IDLE_MILLIS } from './access-desk.ts'
import { LinkAdmission } from './link-admission.ts'
import { LinkStanding } from './link-standing.ts'
import type { Grant } from '../../relay/access/grants/grant-registry.ts'
import type { RegisteredLink } from '../../relay/access/registry/registry.ts'
import type { AccessFacts, Purpose } from '../../relay/wire/access.ts'
import type { AuditEventInput } from '../../relay/wire/audit-event.ts'
import type { GrantAnswer } from '../../relay/wire/grant.ts'
import type { Role } from '../../relay/wire/signaling.ts'

const [HOSPITAL, UNIVERSITY, CLINIC] = ['hospital', 'university', 'clinic'].map(id => FacilityId.parse(id)) as [FacilityId, FacilityId, FacilityId]
const consultationId = ConsultationId.parse('case-1')
const overview = { level: 'overview', bitsPerSecond: 6e6 } as const
const native = (rate: number) => ({ level: 'native', bitsPerSecond: rate }) as const
const link = (name: string, bitsPerSecond: number, between: [FacilityId, FacilityId] = [HOSPITAL, UNIVERSITY]): RegisteredLink => ({ name: LinkName.parse(name), class: 'sinet', between, bitsPerSecond, status: 'active' })

/** A desk of the hospital's node, with these links and a policy that looks at nothing but room. */
function openDesk(links: RegisteredLink[]) {
  const world = { links, isRecorded: true, clients: 0, aheadMillis: 0 }
  const nowMillis = Date.now()
  const events: AuditEventInput[] = []
  const [grants, ledger] = [new GrantRegistry(), new LinkLedger()]
  const standing = new LinkStanding({ links: () => world.links }, ledger, HOSPITAL)
  standing.refresh()
  const record = async (event: AuditEventInput) => {
    await setImmediate()
    if (!world.isRecorded) throw new RelayFault('not_recorded', 'the disk is full')
    events.push(event)
    return { sequence: 0, leaf: Sha256.parse('0'.repeat(64)) }
  }
  const active = <Id>(id: Id) => ({ id, displayName: 'x', status: 'active' as const })
  const asker = (facilityId: FacilityId) => ({ facilityId, practiceRole: 'service' as const, practitionerId: null, nodeId: NodeId.parse(`${facilityId}-agent`), bound: { 'x5t#S256': String(world.clients++).padStart(43, 'a') } })
  const desk = new AccessDesk({
    sources: {
      policy: { sha256: Sha256.parse('0'.repeat(64)), decide: (facts: AccessFacts) => ({ isAllowed: facts.headRoomBitsPerSecond >= 2e6, fault: facts.headRoomBitsPerSecond >= 2e6 ? null : 'admission_refused', policies: [] }) as never },
      registry: { version: 1, expiresAtMillis: nowMillis + 3_600_000, facility: active, practitioner: () => undefined, node: id => ({ id, facilityId: FacilityId.parse(id.replace('-agent', '')), kind: 'agent', status: 'active' }), isRevoked: () => false },
      consents: {
        stateOf: () => ({ state: 'valid', consentId: null, validUntilMillis: nowMillis + 3_600_000 }),
        consultation: () => ({ consultationId, hostFacilityId: HOSPITAL, participants: [UNIVERSITY, CLINIC], purpose: 'consultation', validUntilMillis: nowMillis + 3_600_000 }),
      },
      links: standing,
    },
    isCoreReachable: () => true,
    readInvitation: role => Promise.resolve(mintAdmission({ consultationId, memberId: MemberId.parse('member'), role: role as Role }, { grantId: null, actions: ACTIONS_OF_ROLE[role as Role], validUntilMillis: Infinity, ended: new AbortController().signal })),
    grants, admission: new LinkAdmission(ledger),
    tokens: {
      issue: ({ id }: Grant) => Promise.resolve(id),
      read: token => Promise.resolve(grants.require(token as never)),
      verify: token => Promise.resolve(grants.require(token as never).admit()),
    },
    audit: { record, recordEmergency: record },
    now: () => Date.now() + world.aheadMillis,
    log: createLogger({ level: 'silent', program: 'node' }),
  })
  const ask = (more: { role?: Role; purpose?: Purpose; from?: FacilityId; isEmergency?: boolean; levels?: object[]; link?: string } = {}): Promise<GrantAnswer> => {
    const { role = 'viewer', purpose = 'consultation', from = UNIVERSITY, ...rest } = more
    return desk.grant(asker(from), GrantRequest.parse({ invitation: role, purpose, ...rest }))
  }
  /** What live grants may make flow on a link in each direction, in bits per second. */
  const flowing = (name: string, towards: 'facility' | 'node'): number =>
    [...grants.all()].filter(({ media, subject }) => media?.link === name && (subject.role === 'microscope') === (towards === 'node')).reduce((sum, { media }) => sum + rateOfLevels(media?.levels ?? []), 0)
  const change = (next: RegisteredLink[]): void => {
    world.links = next
    desk.linksChanged(standing.refresh())
  }
  return { desk, world, events, grants, ledger, ask, flowing, change }
}

const possession = { method: 'POST', path: '/' }
const refusalOf = async (asking: Promise<unknown>): Promise<AdmissionRefusal> => {
  const error: unknown = await asking.then(() => undefined, (thrown: unknown) => thrown)
  if (!(error instanceof AdmissionRefusal)) throw new Error('that was not refused for want of room', { cause: error })
  return error
}

t.test('a grant reserves what it makes flow, in its direction, until it ends', async t => {
  const { ask, ledger, grants, desk, events } = openDesk([link('line', 200e6)])
  const viewer = await ask()
  t.same(viewer.media, { link: 'line', levels: [overview, native(44e6)] })
  await ask({ role: 'microscope' })
  t.equal(ledger.reserved({ link: LinkName.parse('line'), direction: 'forward' }), 50e6)
  t.equal(ledger.reserved({ link: LinkName.parse('line'), direction: 'backward' }), 100e6)
  t.match(events, [{ links: [{ link: 'line', headRoomBitsPerSecond: 200e6, reservedBitsPerSecond: 50e6 }] }, { links: [{ reservedBitsPerSecond: 100e6 }] }])
  await desk.giveBack(viewer.token, possession)
  t.equal(ledger.reserved({ link: LinkName.parse('line'), direction: 'forward' }), 0)
  grants.end(() => true, new RelayFault('access_revoked', 'revoked'))
  t.same(ledger.ids, [])
})

t.test('a refusal names link and shortage and says what would fit; each offer, taken up, is granted', async t => {
  const { ask, events } = openDesk([link('line', 60e6), link('detour', 55e6)])
  await ask({ link: 'line' })
  const refusal = await refusalOf(ask({ link: 'line' }))
  t.match(refusal.shortage, { link: 'line', shortageBitsPerSecond: 40e6, offers: [{ kind: 'fewer_levels', levels: [overview] }, { kind: 'other_link', link: 'detour' }, { kind: 'later' }] })
  t.match(refusal.message, /^link line lacks 40\.0 Mbit\/s; would fit: overview alone, 6\.0 Mbit\/s; or link detour; or from 2\d{3}-/)
  t.match(events.at(-1), { outcome: 'admission_refused', grantId: null })
  t.match((await ask({ link: 'line', levels: [overview] })).media, { levels: [overview] })
  t.match((await ask({ link: 'detour' })).media, { link: 'detour' })
})

t.test('of several links the one with most room is taken, and none is crossed within the facility', async t => {
  const { ask, ledger } = openDesk([link('narrow', 60e6), link('wide', 100e6)])
  t.match((await ask()).media, { link: 'wide' })
  t.match((await ask()).media, { link: 'narrow' })
  t.match((await ask()).media, { link: 'wide' })
  t.equal((await ask({ from: HOSPITAL })).media, null)
  t.equal(ledger.ids.length, 3)
})

t.test('whoever asks for nothing that flows is given the rest, and takes nothing', async t => {
  const { ask, ledger } = openDesk([link('line', 60e6)])
  const { actions, media } = await ask({ levels: [] })
  t.ok(actions.includes('view_slide'))
  t.notOk(actions.includes('view_live') || actions.includes('view_recording'))
  t.equal(media, null)
  t.same(ledger.ids, [])
})

t.test('a frozen section takes the place of teaching, which is told why; teaching takes nobody\'s', async t => {
  const { ask, grants, events, desk } = openDesk([link('line', 60e6)])
  const teaching = await desk.verify((await ask({ purpose: 'teaching' })).token, possession)
  const urgent = await ask({ purpose: 'intraoperative_diagnosis' })
  t.match(teaching.expired.reason, { code: 'admission_refused', message: 'what is more urgent needs the link' })
  t.same([...grants.all()].map(({ id }) => id), [urgent.grantId])
  await setImmediate()
  t.match(events.slice(-2), [{ outcome: 'ok', purpose: 'intraoperative_diagnosis' }, { outcome: 'admission_refused', purpose: 'teaching' }])
  await refusalOf(ask({ purpose: 'teaching' }))
  t.match((await ask({ purpose: 'consultation', isEmergency: true })).media, { link: 'line' })
  t.equal(grants.size, 1)
})

t.test('what cannot be recorded takes nobody\'s place', async t => {
  const { ask, world, grants, ledger } = openDesk([link('line', 60e6)])
  const { grantId } = await ask({ purpose: 'teaching' })
  world.isRecorded = false
  await t.rejects(ask({ purpose: 'intraoperative_diagnosis' }), { code: 'not_recorded' })
  t.same([...grants.all()].map(({ id }) => id), [grantId])
  t.same(ledger.ids, [grantId])
})

t.test('a link that is narrower, or gone, ends what it carries no more; what is renewed keeps what it has', async t => {
  const { ask, desk, change, grants } = openDesk([link('line', 120e6)])
  const [first, second] = [await ask(), await ask()]
  t.same((await desk.renew(first.token, possession)).media, first.media)
  change([link('line', 60e6)])
  t.same([...grants.all()].map(({ id }) => id), [first.grantId], 'the youngest goes')
  t.not(first.grantId, second.grantId)
  t.equal((await desk.renew(first.token, possession)).grantId, first.grantId, 'its own room counts as free')
  change([])
  t.equal(grants.size, 0)
})

t.test('what nobody is inside by is given back after a while', async t => {
  const { ask, desk, world, grants } = openDesk([link('line', 200e6)])
  const [left, staying, light] = [await ask(), await ask(), await ask({ levels: [] })]
  const leave = (await desk.verify(left.token, possession)).enter();
  (await desk.verify(staying.token, possession)).enter()
  world.aheadMillis = IDLE_MILLIS + 1
  desk.endIdle()
  t.equal(grants.size, 3)
  leave()
  world.aheadMillis = IDLE_MILLIS - 1
  desk.endIdle()
  t.equal(grants.size, 3, 'who lost the connection comes back')
  world.aheadMillis = IDLE_MILLIS + 1000
  desk.endIdle()
  t.same([...grants.all()].map(({ id }) => id), [staying.grantId, light.grantId])
})

t.test('whatever is asked, given back, ended and changed, also at once: no link has more on it than it carries', async t => {
  let seed = 1
  const random = (below: number): number => {
    seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((seed / 2 ** 32) * below)
  }
  const pick = <Item>(items: readonly Item[]): Item => items[random(items.length)] as Item
  const names = ['a', 'b', 'c'] as const
  let [granted, refused] = [0, 0]
  for (let sequence = 0; sequence < 60; sequence++) {
    const drawn = (): RegisteredLink[] => [link('a', 1e6 * (1 + random(200))), link('b', 1e6 * (1 + random(100)), [UNIVERSITY, HOSPITAL]), link('c', 1e6 * (1 + random(150)), [HOSPITAL, CLINIC])].filter(() => random(8) > 0)
    const { ask, desk, world, grants, flowing, ledger, change } = openDesk(drawn())
    const check = (): void => {
      for (const name of names) {
        const carries = world.links.find(each => each.name === name)?.bitsPerSecond ?? 0
        const between = name === 'b' ? 'backward' : 'forward'
        const [out, back] = [flowing(name, 'facility'), flowing(name, 'node')]
        if (out > carries || back > carries) t.fail(`link ${name} carries ${carries} and has ${out} and ${back} on it`)
        const reserved = ledger.reserved({ link: LinkName.parse(name), direction: between })
        if (reserved !== out) t.fail(`link ${name}: ${reserved} reserved for ${out}`)
      }
    }
    for (let step = 0; step < 20; step++) {
      const asking = Array.from({ length: random(4) }, () => ask({
        role: pick(['viewer', 'viewer', 'microscope', 'technician']), purpose: pick(['teaching', 'consultation', 'intraoperative_diagnosis']), from: pick([UNIVERSITY, CLINIC]), isEmergency: random(10) === 0,
        ...(random(2) === 0 ? {} : { levels: [overview, native(1e6 * (1 + random(80)))].slice(0, 1 + random(2)) }), ...(random(4) === 0 ? { link: pick(names) } : {}),
      }).then(() => { granted++; check() }, (error: unknown) => {
        if (!(error instanceof RelayFault)) throw error
        refused++
        check()
      }))
      const held = [...grants.all()]
      if (held.length > 0 && random(3) === 0) await desk.giveBack(pick(held).id, possession).catch(() => undefined)
      if (held.length > 0 && random(5) === 0) await desk.renew(pick(held).id, possession).catch(() => undefined)
      if (random(6) === 0) change(drawn())
      check()
      await Promise.all(asking)
      check()
    }
    grants.end(() => true, new RelayFault('access_revoked', 'over'))
    t.same(ledger.ids, [])
  }
  t.ok(granted > 300 && refused > 100, `${granted} granted, ${refused} refused`)
})
