import { createHash } from 'node:crypto'
import { calculateJwkThumbprint, exportJWK, generateKeyPair, SignJWT } from 'jose'
import { t } from 'tap'
import { generateInvitationKey } from '../invitation.ts'
import { ConsultationId, MemberId } from '../../wire/ids.ts'
import { FacilityId, PractitionerId } from '../../wire/access.ts'
import { GrantRegistry } from './grant-registry.ts'
import { GrantTokens } from './grant-tokens.ts'
import { PossessionVerifier, ReplayGuard } from './proof-of-possession.ts'
import type { Confirmation } from './proof-of-possession.ts'
import type { CryptoKey, JWTHeaderParameters } from 'jose'

const ORIGIN = 'https://node.example'
const NOW = 1_800_000_000_000
const request = { method: 'GET', path: '/slides/' }

interface Client {
  readonly privateKey: CryptoKey
  readonly jwk: object
  readonly thumbprint: string
}

async function makeClient(algorithm = 'ES256'): Promise<Client> {
  const { privateKey, publicKey } = await generateKeyPair(algorithm, { extractable: true })
  const jwk = await exportJWK(publicKey)
  return { privateKey, jwk, thumbprint: await calculateJwkThumbprint(jwk) }
}

const athOf = (token: string): string => createHash('sha256').update(token).digest('base64url')

function prove({ privateKey, jwk }: Client, token: string, claims: object = {}, header: Partial<JWTHeaderParameters> = {}): Promise<string> {
  const body = { htm: 'GET', htu: `${ORIGIN}/slides/`, iat: NOW / 1000, jti: crypto.randomUUID(), ath: athOf(token), ...claims }
  return new SignJWT(body).setProtectedHeader({ typ: 'dpop+jwt', alg: 'ES256', jwk, ...header }).sign(privateKey)
}

const open = (guard = new ReplayGuard()): PossessionVerifier => new PossessionVerifier({ origin: () => ORIGIN, now: () => NOW, guard })
const client = await makeClient()
const bound = { jkt: client.thumbprint }

t.test('whoever holds the key is let in, with either algorithm', async t => {
  await open().verify('token', bound, { ...request, proof: await prove(client, 'token') })
  const other = await makeClient('EdDSA')
  await open().verify('token', { jkt: other.thumbprint }, { ...request, proof: await prove(other, 'token', {}, { alg: 'EdDSA' }) })
  await open().verify('token', bound, { ...request, proof: await prove(client, 'token', { htu: `${ORIGIN}/slides/?a=1#b` }) })
  t.pass('none was refused')
})

t.test('refuses a proof that is not the holder’s, of this request, of this time', async t => {
  const stranger = await makeClient()
  const rsa = await makeClient('RS256')
  const secret = await exportJWK(client.privateKey)
  const good = await prove(client, 'token')
  const [header = '', payload = ''] = good.split('.')
  const none = Buffer.from(JSON.stringify({ typ: 'dpop+jwt', alg: 'none', jwk: client.jwk })).toString('base64url')
  const hostile: [string, string | undefined][] = [
    ['no proof', undefined],
    ['nonsense', 'a.b.c'],
    ['another client', await prove(stranger, 'token')],
    ['another client that shows the key of the holder', await prove({ ...stranger, jwk: client.jwk }, 'token')],
    ['another algorithm', await prove(rsa, 'token', {}, { alg: 'RS256' })],
    ['algorithm none', `${none}.${payload}.`],
    ['no signature', `${header}.${payload}.`],
    ['a private key shown', await prove({ ...client, jwk: secret }, 'token')],
    ['another type', await prove(client, 'token', {}, { typ: 'JWT' })],
    ['another method', await prove(client, 'token', { htm: 'POST' })],
    ['another path', await prove(client, 'token', { htu: `${ORIGIN}/stills/` })],
    ['another node', await prove(client, 'token', { htu: 'https://other.example/slides/' })],
    ['no URL', await prove(client, 'token', { htu: 'slides' })],
    ['from the past', await prove(client, 'token', { iat: NOW / 1000 - 31 })],
    ['from the future', await prove(client, 'token', { iat: NOW / 1000 + 31 })],
    ['for another token', await prove(client, 'other')],
    ['for no token', await prove(client, 'token', { ath: undefined })],
    ['no id', await prove(client, 'token', { jti: '' })],
    ['too long', await prove(client, 'token', { padding: 'x'.repeat(5000) })],
  ]
  for (const [name, proof] of hostile) await t.rejects(open().verify('token', bound, { ...request, proof }), { code: 'token_refused' }, name)
})

t.test('a proof is good once', async t => {
  const verifier = open()
  const proof = await prove(client, 'token')
  await verifier.verify('token', bound, { ...request, proof })
  await t.rejects(verifier.verify('token', bound, { ...request, proof }), { code: 'replayed' })
})

t.test('proofs are remembered for as long as they are good, and no more than there is room for', async t => {
  const guard = new ReplayGuard(2)
  guard.take('a', 0, 10)
  guard.take('b', 0, 20)
  t.throws(() => guard.take('a', 5, 15), { code: 'replayed' })
  t.throws(() => guard.take('c', 5, 15), { code: 'overloaded' })
  guard.take('c', 10, 30)
  t.equal(guard.size, 2)
  guard.take('d', 20, 25)
  guard.take('e', 26, 40)
  t.equal(guard.size, 2, 'what is over makes room, though something longer stands before it')
})

t.test('what is bound to a certificate is good over its connection only', async t => {
  const certificate = { 'x5t#S256': athOf('certificate') }
  await open().verify('token', certificate, { ...request, certificateThumbprint: athOf('certificate') })
  for (const certificateThumbprint of [undefined, athOf('other')]) {
    await t.rejects(open().verify('token', certificate, { ...request, certificateThumbprint, proof: await prove(client, 'token') }), { code: 'token_refused' })
  }
})

t.test('a token of a grant', async t => {
  const grants = new GrantRegistry()
  const key = await generateInvitationKey()
  const tokens = await GrantTokens.open({ key, grants, possession: open() })
  const subject = (by: Confirmation = bound) => ({
    consultationId: ConsultationId.parse('case-1'), memberId: MemberId.parse('doctor'), role: 'viewer' as const, practiceRole: 'pathologist' as const,
    facilityId: FacilityId.parse('university'), practitionerId: PractitionerId.parse('p-1'), nodeId: null, purpose: 'consultation' as const, isEmergency: false, bound: by,
  })
  const scope = { actions: new Set(['view_slide'] as const), consentIds: new Set<never>(), validUntilMillis: Date.now() + 60_000 }

  t.test('admits its holder to what was granted', async t => {
    const grant = grants.mint(subject(), scope)
    const token = await tokens.issue(grant)
    const admission = await tokens.verify(token, { ...request, proof: await prove(client, token) })
    t.match(admission, { consultationId: 'case-1', memberId: 'doctor', role: 'viewer', grantId: grant.id })
    t.same([admission.allows('view_slide'), admission.allows('record')], [true, false])
    t.throws(() => admission.require('record'), { code: 'policy_refused' })
  })

  t.test('is of no use to anybody else, to another node, or after its grant', async t => {
    const grant = grants.mint(subject(), scope)
    const token = await tokens.issue(grant)
    const stranger = await makeClient()
    await t.rejects(tokens.verify(token, { ...request, proof: await prove(stranger, token) }), { code: 'token_refused' })
    await t.rejects(tokens.verify(token, request), { code: 'token_refused' })
    const elsewhere = await GrantTokens.open({ key: await generateInvitationKey(), grants, possession: open() })
    await t.rejects(elsewhere.verify(token, { ...request, proof: await prove(client, token) }), { code: 'token_refused' })
    grants.end(({ id }) => id === grant.id, new Error('over') as never)
    await t.rejects(tokens.verify(token, { ...request, proof: await prove(client, token) }), { code: 'token_refused' })
  })

  t.test('that ran out has to be renewed', async t => {
    const grant = grants.mint(subject(), { ...scope, validUntilMillis: Date.now() + 60_000 })
    const token = await tokens.issue({ id: grant.id, subject: grant.subject, validUntilMillis: Date.now() - 60_000 } as never)
    await t.rejects(tokens.verify(token, { ...request, proof: await prove(client, token) }), { code: 'invitation_expired' })
  })
})
