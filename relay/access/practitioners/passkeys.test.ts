import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { t } from 'tap'
import { SoftAuthenticator } from '../../../test/harness/soft-authenticator.ts'
import { FacilityId, PractitionerId } from '../../wire/access.ts'
import { generateInvitationKey } from '../invitation.ts'
import { PasskeyStore } from './passkey-store.ts'
import { Passkeys } from './passkeys.ts'
import { SignInTickets } from './sign-in-tickets.ts'
import { CHALLENGE_LIFETIME_MILLIS } from './signed-challenges.ts'
import type { Test } from 'tap'
import type { Answering } from '../../../test/harness/soft-authenticator.ts'
import type { Practitioner } from '../registry/registry.ts'

const ORIGIN = 'https://node.example:8443'
const DOCTOR: Practitioner = { id: PractitionerId.parse('dr-a'), facilityId: FacilityId.parse('university'), role: 'pathologist', displayName: 'A', status: 'active' }
const REFUSED = { name: 'RelayFault', code: 'token_refused' }

async function open(t: Test) {
  const folder = await mkdtemp(join(tmpdir(), 'kenkyo-passkeys-'))
  const clock = { nowMillis: 1_800_000_000_000 }
  const now = (): number => clock.nowMillis
  const world = { store: new PasskeyStore(folder), people: [DOCTOR] }
  t.teardown(async () => {
    world.store[Symbol.dispose]()
    await rm(folder, { recursive: true })
  })
  const tickets = await SignInTickets.open(await generateInvitationKey(), now)
  const registry = { practitioner: (id: PractitionerId) => world.people.find(each => each.id === id) }
  const passkeysOf = (origin = ORIGIN): Passkeys => new Passkeys({ store: world.store, registry, origin: () => origin, now })
  const passkeys = passkeysOf()
  const ticket = async (id = DOCTOR.id) => tickets.read(await tickets.issue(id, 3600))
  const answering = (challenge: string, change: Partial<Answering> = {}): Answering => ({ origin: ORIGIN, rpId: 'node.example', challenge, ...change })
  const enrolled = async (counter = 1): Promise<SoftAuthenticator> => {
    const authenticator = new SoftAuthenticator()
    const given = await ticket()
    const { challenge } = await passkeys.enrolmentOptions(given)
    await passkeys.enrol(given, authenticator.create(answering(challenge, { counter })))
    return authenticator
  }
  const reopen = (): void => {
    world.store[Symbol.dispose]()
    world.store = new PasskeyStore(folder)
  }
  return { clock, world, tickets, passkeys, passkeysOf, ticket, answering, enrolled, reopen }
}

t.test('a key that was made with a ticket signs its owner in, also after a restart', async t => {
  const { passkeysOf, answering, enrolled, reopen } = await open(t)
  const authenticator = await enrolled()
  reopen()
  const passkeys = passkeysOf()
  const { challenge, rpId } = await passkeys.options()
  t.equal(rpId, 'node.example')
  t.match(await passkeys.assert(authenticator.get(answering(challenge, { counter: 2 }))), { practitionerId: 'dr-a', methods: ['pop', 'mfa'] })
})

t.test('a ticket makes one key, and none after its time, or for whom the registry does not know', async t => {
  const { passkeys, tickets, clock, ticket, answering, world } = await open(t)
  const text = await tickets.issue(DOCTOR.id, 3600)
  const given = await tickets.read(text)
  const [one, two] = [await passkeys.enrolmentOptions(given), await passkeys.enrolmentOptions(given)]
  await passkeys.enrol(given, new SoftAuthenticator().create(answering(one.challenge)))
  await t.rejects(passkeys.enrol(given, new SoftAuthenticator().create(answering(two.challenge))), { code: 'replayed' })
  await t.rejects(passkeys.enrolmentOptions(given), { code: 'replayed' })
  t.equal(world.store.list(DOCTOR.id).length, 1)
  await t.rejects(passkeys.enrolmentOptions(await ticket(PractitionerId.parse('dr-b'))), { code: 'access_revoked' })
  clock.nowMillis += 3_601_000
  await t.rejects(tickets.read(text), REFUSED, 'too late')
})

t.test('tickets of another node, purpose or algorithm are none', async t => {
  const { tickets } = await open(t)
  const elsewhere = await SignInTickets.open(await generateInvitationKey(), () => 1_800_000_000_000)
  const [head = '', body = '', signature = ''] = (await tickets.issue(DOCTOR.id, 60)).split('.')
  const none = Buffer.from(JSON.stringify({ alg: 'none' })).toString('base64url')
  for (const bad of [await elsewhere.issue(DOCTOR.id, 60), `${none}.${body}.`, `${head}.${body}.${signature.replace(/^./, first => (first === 'A' ? 'B' : 'A'))}`, '']) await t.rejects(tickets.read(bad), REFUSED)
})

t.test('answers for another page, another node, without unlocking, of another kind or too late make no key', async t => {
  const { passkeys, clock, ticket, answering, world } = await open(t)
  const given = await ticket()
  const bad: Partial<Answering>[] = [{ origin: 'https://evil.example' }, { rpId: 'evil.example' }, { isVerified: false }, { type: 'webauthn.get' }, { challenge: 'AAAA' }]
  for (const change of bad) {
    const { challenge } = await passkeys.enrolmentOptions(given)
    await t.rejects(passkeys.enrol(given, new SoftAuthenticator().create(answering(challenge, change))), REFUSED, JSON.stringify(change))
  }
  const { challenge } = await passkeys.options()
  await t.rejects(passkeys.enrol(given, new SoftAuthenticator().create(answering(challenge))), REFUSED, 'a challenge for signing in')
  const late = await passkeys.enrolmentOptions(given)
  clock.nowMillis += CHALLENGE_LIFETIME_MILLIS
  await t.rejects(passkeys.enrol(given, new SoftAuthenticator().create(answering(late.challenge))), REFUSED, 'too late')
  t.same(world.store.list(), [])
})

t.test('answers for another page, another node, without unlocking, or of another key sign nobody in', async t => {
  const { passkeys, answering, enrolled } = await open(t)
  const authenticator = await enrolled()
  const bad: Partial<Answering>[] = [{ origin: 'https://evil.example' }, { origin: 'https://node.example' }, { rpId: 'evil.example' }, { isVerified: false }, { type: 'webauthn.create' }, { challenge: 'AAAA' }]
  for (const change of bad) {
    const { challenge } = await passkeys.options()
    await t.rejects(passkeys.assert(authenticator.get(answering(challenge, { counter: 2, ...change }))), REFUSED, JSON.stringify(change))
  }
  const { challenge } = await passkeys.options()
  await t.rejects(passkeys.assert(new SoftAuthenticator().get(answering(challenge))), REFUSED, 'a stranger')
  const forged = { ...new SoftAuthenticator().get(answering(challenge, { counter: 2 })), id: authenticator.id.toString('base64url'), rawId: authenticator.id.toString('base64url') }
  await t.rejects(passkeys.assert(forged), REFUSED, 'another key under its name')
})

t.test('an answer counts once, and one of a copied key that counted less does not', async t => {
  const { passkeys, answering, enrolled, world } = await open(t)
  const authenticator = await enrolled()
  const first = authenticator.get(answering((await passkeys.options()).challenge, { counter: 5 }))
  await passkeys.assert(first)
  await t.rejects(passkeys.assert(first), REFUSED, 'its counter has not grown')
  for (const counter of [5, 4, 0]) await t.rejects(passkeys.assert(authenticator.get(answering((await passkeys.options()).challenge, { counter }))), REFUSED, `counter ${counter}`)
  t.equal(world.store.list()[0]?.counter, 5)
  const uncounted = await enrolled(0)
  const answer = uncounted.get(answering((await passkeys.options()).challenge, { counter: 0 }))
  await passkeys.assert(answer)
  await t.rejects(passkeys.assert(answer), { code: 'replayed' }, 'of a key that does not count, by its challenge')
})

t.test('of two answers at once with one count, one is taken', async t => {
  const { passkeys, answering, enrolled } = await open(t)
  const authenticator = await enrolled()
  const answers = await Promise.all([1, 2].map(async () => authenticator.get(answering((await passkeys.options()).challenge, { counter: 2 }))))
  const outcomes = await Promise.allSettled(answers.map(each => passkeys.assert(each)))
  t.same(outcomes.map(({ status }) => status).sort(), ['fulfilled', 'rejected'])
})

t.test('who is forgotten has no key, and nobody has too many', async t => {
  const { passkeys, answering, enrolled, ticket, world } = await open(t)
  const authenticator = await enrolled()
  for (let count = 1; count < 8; count++) await enrolled()
  const given = await ticket()
  const { challenge } = await passkeys.enrolmentOptions(given)
  await t.rejects(passkeys.enrol(given, new SoftAuthenticator().create(answering(challenge))), { code: 'conflict' })
  t.notOk(world.store.isUsed(given), 'the ticket is as it was')
  t.equal(world.store.forget(DOCTOR.id), 8)
  await t.rejects(passkeys.assert(authenticator.get(answering((await passkeys.options()).challenge, { counter: 2 }))), REFUSED)
})

t.test('a node that is reached by an address has no passkeys', async t => {
  const { passkeysOf } = await open(t)
  t.same(['https://192.0.2.1', 'https://[2001:db8::1]:8443', 'http://localhost:7680', ORIGIN].map(origin => passkeysOf(origin).isPossible), [false, false, true, true])
})
