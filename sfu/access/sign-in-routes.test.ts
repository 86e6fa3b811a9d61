import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fastify from 'fastify'
import { decodeJwt } from 'jose'
import { t } from 'tap'
import { DpopKey } from '../../clients/viewer/access/dpop-key.ts'
import { PossessionVerifier } from '../../relay/access/grants/proof-of-possession.ts'
import { generateInvitationKey } from '../../relay/access/invitation.ts'
import { PasskeyStore } from '../../relay/access/practitioners/passkey-store.ts'
import { Passkeys } from '../../relay/access/practitioners/passkeys.ts'
import { SignInTickets } from '../../relay/access/practitioners/sign-in-tickets.ts'
import { SignInTokens } from '../../relay/access/practitioners/sign-in-tokens.ts'
import { systemClock } from '../../relay/runtime/clock.ts'
import { createLogger } from '../../relay/runtime/log.ts'
import { FacilityId, PractitionerId } from '../../relay/wire/access.ts'
import { SignInAnswer } from '../../relay/wire/sign-in.ts'
import { SoftAuthenticator } from '../../test/harness/soft-authenticator.ts'
import { SignInDesk } from './sign-in-desk.ts'
import { SIGN_IN_RATES, SignInLimiter } from './sign-in-limiter.ts'
import { SignInRoutes } from './sign-in-routes.ts'
import type { Test } from 'tap'
import type { AuditEventInput } from '../../relay/wire/audit-event.ts'
import type { Practitioner } from '../../relay/access/registry/registry.ts'
import type { SignInRates } from './sign-in-limiter.ts'

const ORIGIN = 'https://node.example'
const DOCTOR: Practitioner = { id: PractitionerId.parse('dr-a'), facilityId: FacilityId.parse('university'), role: 'pathologist', displayName: 'A', status: 'active' }
const log = createLogger({ level: 'silent', program: 'node' })

async function open(t: Test, { isDemonstration = false, rates = SIGN_IN_RATES }: { isDemonstration?: boolean; rates?: SignInRates } = {}) {
  const folder = await mkdtemp(join(tmpdir(), 'kenkyo-sign-in-'))
  const store = new PasskeyStore(folder)
  const app = fastify()
  t.teardown(async () => {
    await app.close()
    store[Symbol.dispose]()
    await rm(folder, { recursive: true })
  })
  const world = { doctor: DOCTOR as Practitioner | undefined, events: [] as AuditEventInput[], isRecording: true }
  const registry = {
    practitioner: () => world.doctor,
    facility: () => ({ id: DOCTOR.facilityId, displayName: 'University', status: 'active' as const }),
    isRevoked: () => false,
    expiresAtMillis: Date.now() + 3_600_000,
  }
  const record = async (event: AuditEventInput): Promise<void> => {
    if (!world.isRecording) throw new Error('the disk is full')
    world.events.push(event)
  }
  const key = await generateInvitationKey()
  const [tokens, tickets] = await Promise.all([SignInTokens.open({ key, registry, possession: new PossessionVerifier({ origin: () => ORIGIN }) }), SignInTickets.open(key)])
  const desk = new SignInDesk({ tokens, registry, audit: { record }, log })
  const passkeys = new Passkeys({ store, registry, origin: () => ORIGIN })
  new SignInRoutes({ desk, limiter: new SignInLimiter(systemClock.now(), rates), tickets, passkeys, isDemonstration, log }).addTo(app)
  const dpop = await DpopKey.open({ store: { keep: make => make() } })
  const ask = async (path: string, payload: object, headers: Record<string, string> | 'proof' = 'proof') => {
    const url = `/access/sign-in/${path}`
    const response = await app.inject({ method: 'POST', url, payload, headers: headers === 'proof' ? { dpop: await dpop.proof('POST', `${ORIGIN}${url}`) } : headers })
    return { status: response.statusCode, body: response.json<Record<string, unknown>>() }
  }
  return { world, tickets, dpop, ask, ticket: await tickets.issue(DOCTOR.id, 600) }
}

t.test('a ticket alone lets nobody in, unless the node is for demonstrations', async t => {
  const { ask, ticket, world } = await open(t)
  t.match(await ask('ticket', { ticket }), { status: 403, body: { code: 'policy_refused' } })
  t.match(world.events, [{ kind: 'sign_in', method: 'demonstration', actor: {}, outcome: 'policy_refused' }])
})

t.test('a ticket signs in for a demonstration as often as one likes, and the token says so', async t => {
  const { ask, ticket, world, dpop } = await open(t, { isDemonstration: true })
  for (const _ of [1, 2]) {
    const { status, body } = await ask('ticket', { ticket })
    t.equal(status, 200)
    const { token, ...who } = SignInAnswer.parse(body)
    t.match(who, { practitionerId: 'dr-a', displayName: 'A', facilityName: 'University', role: 'pathologist', methods: ['demonstration'] })
    t.match(decodeJwt(token), { sub: 'dr-a', amr: ['demonstration'], cnf: { jkt: dpop.thumbprint } })
  }
  t.match(world.events.at(-1), { kind: 'sign_in', method: 'demonstration', actor: { practitionerId: 'dr-a', role: 'pathologist' }, outcome: 'ok' })
  t.match(await ask('ticket', { ticket: `${ticket}x` }), { status: 401, body: { code: 'token_refused' } })
  t.match(await ask('ticket', { ticket }, {}), { status: 401, body: { code: 'token_refused' } }, 'without a proof')
  t.match(await ask('ticket', { ticket, more: 1 }), { status: 400, body: { code: 'bad_message' } })
  world.doctor = undefined
  t.match(await ask('ticket', { ticket }), { status: 403, body: { code: 'access_revoked' } })
})

t.test('nobody signs in unrecorded', async t => {
  const { ask, ticket, world } = await open(t, { isDemonstration: true })
  world.isRecording = false
  const { status, body } = await ask('ticket', { ticket })
  t.equal(status, 500)
  t.notOk('token' in body)
})

t.test('a passkey is made with a ticket, once, and signs in from then on', async t => {
  const { ask, ticket, world } = await open(t)
  const authenticator = new SoftAuthenticator()
  const made = await ask('passkeys/enrolment-options', { ticket }, {})
  t.match(made.body, { rp: { id: 'node.example' }, user: { name: 'dr-a' }, authenticatorSelection: { userVerification: 'required' } })
  const answering = { origin: ORIGIN, rpId: 'node.example' }
  const credential = authenticator.create({ ...answering, challenge: String(made.body['challenge']) })
  t.match(await ask('passkeys/enrolment', { ticket, credential }), { status: 200, body: { practitionerId: 'dr-a', methods: ['pop', 'mfa'] } })
  t.match(await ask('passkeys/enrolment', { ticket, credential }), { status: 401, body: { code: 'replayed' } })
  t.match(await ask('passkeys/enrolment-options', { ticket }, {}), { status: 401, body: { code: 'replayed' } })
  const asked = await ask('passkeys/options', {}, {})
  const answer = authenticator.get({ ...answering, challenge: String(asked.body['challenge']), counter: 2 })
  t.match(await ask('passkeys', { credential: answer }), { status: 200, body: { practitionerId: 'dr-a' } })
  t.match(world.events.at(-1), { kind: 'sign_in', method: 'webauthn', outcome: 'ok' })
  t.match(await ask('passkeys', { credential: answer }), { status: 401, body: { code: 'token_refused' } }, 'again')
})

t.test('what is no answer of a key is refused', async t => {
  const { ask, ticket } = await open(t)
  for (const credential of [null, {}, { id: 'x' }, { id: 'é', rawId: 'a', type: 'public-key', response: {} }, { id: 'a'.repeat(5000), rawId: 'a', type: 'public-key', response: { clientDataJSON: 'a', authenticatorData: 'a', signature: 'a' } }]) {
    t.match(await ask('passkeys', { credential }), { status: 400, body: { code: 'bad_message' } })
    t.match(await ask('passkeys/enrolment', { ticket, credential }), { status: 400, body: { code: 'bad_message' } })
  }
})

t.test('who tries too often waits', async t => {
  const { ask } = await open(t, { rates: { ...SIGN_IN_RATES, perAddress: { perSecond: 0.001, burst: 1 } } })
  t.match(await ask('passkeys/options', {}), { status: 200 })
  t.match(await ask('passkeys/options', {}), { status: 429, body: { code: 'rate_limited' } })
})
