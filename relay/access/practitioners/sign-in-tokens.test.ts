import { createHash } from 'node:crypto'
import { decodeJwt, exportJWK, generateKeyPair, importJWK, SignJWT } from 'jose'
import { t } from 'tap'
import { FacilityId, PractitionerId } from '../../wire/access.ts'
import { Sha256 } from '../../wire/ids.ts'
import { PossessionVerifier } from '../grants/proof-of-possession.ts'
import { generateInvitationKey } from '../invitation.ts'
import { SignInTokens } from './sign-in-tokens.ts'
import type { CryptoKey, JWK } from 'jose'
import type { Possession } from '../grants/proof-of-possession.ts'
import type { Practitioner } from '../registry/registry.ts'
import type { SignInEvidence } from './sign-in-tokens.ts'

const ORIGIN = 'https://node.example'
const NOW = 1_800_000_000_000
const HOUR = 3_600_000
const DOCTOR: Practitioner = { id: PractitionerId.parse('dr-a'), facilityId: FacilityId.parse('university'), role: 'pathologist', displayName: 'A', status: 'active' }
const CARD = Sha256.parse('ab'.repeat(32))
const EVIDENCE: SignInEvidence = { practitionerId: DOCTOR.id, methods: ['sc'], certificate: CARD, holdsUntilMillis: NOW + HOUR }
const nodeKey = await generateInvitationKey()

/** A node's clock and registry, both of which may be changed. */
class FakeNode {
  nowMillis = NOW
  expiresAtMillis = NOW + HOUR
  revoked = false
  doctor: Practitioner | undefined = DOCTOR
  practitioner = (id: PractitionerId): Practitioner | undefined => (id === this.doctor?.id ? this.doctor : undefined)
  isRevoked = (): boolean => this.revoked

  openTokens(key: JWK = nodeKey): Promise<SignInTokens> {
    const now = (): number => this.nowMillis
    return SignInTokens.open({ key, registry: this, now, possession: new PossessionVerifier({ origin: () => ORIGIN, now }) })
  }
}

class Client {
  readonly #key: CryptoKey
  readonly #jwk: JWK

  private constructor(key: CryptoKey, jwk: JWK) {
    this.#key = key
    this.#jwk = jwk
  }

  static async create(): Promise<Client> {
    const { privateKey, publicKey } = await generateKeyPair('ES256')
    return new Client(privateKey, await exportJWK(publicKey))
  }

  async prove(node: FakeNode, token?: string): Promise<Possession> {
    const claims = { htm: 'POST', htu: `${ORIGIN}/sign-in`, iat: Math.floor(node.nowMillis / 1000), jti: crypto.randomUUID(), ...(token === undefined ? {} : { ath: createHash('sha256').update(token).digest('base64url') }) }
    const proof = await new SignJWT(claims).setProtectedHeader({ typ: 'dpop+jwt', alg: 'ES256', jwk: this.#jwk }).sign(this.#key)
    return { method: 'POST', path: '/sign-in', proof }
  }
}

const client = await Client.create()

t.test('whoever signed in and holds the key is known by facility and practice role', async t => {
  const node = new FakeNode()
  const tokens = await node.openTokens()
  const { token } = await tokens.issue(EVIDENCE, await client.prove(node))
  t.match(await tokens.verify(token, await client.prove(node, token)), { practitionerId: 'dr-a', facilityId: 'university', role: 'pathologist', methods: ['sc'], validUntilMillis: NOW + 600_000 })
})

t.test('no token is issued without a proof, and one proof makes one token', async t => {
  const node = new FakeNode()
  const tokens = await node.openTokens()
  await t.rejects(tokens.issue(EVIDENCE, { method: 'POST', path: '/sign-in' }), { code: 'token_refused' })
  const possession = await client.prove(node)
  await tokens.issue(EVIDENCE, possession)
  await t.rejects(tokens.issue(EVIDENCE, possession), { code: 'replayed' })
})

t.test('a token never outlives the certificate or the registry', async t => {
  const node = new FakeNode()
  const tokens = await node.openTokens()
  t.equal(decodeJwt((await tokens.issue({ ...EVIDENCE, holdsUntilMillis: NOW + 60_000 }, await client.prove(node))).token).exp, NOW / 1000 + 60)
  node.expiresAtMillis = NOW + 30_000
  t.equal(decodeJwt((await tokens.issue(EVIDENCE, await client.prove(node))).token).exp, NOW / 1000 + 30)
  await t.rejects(tokens.issue({ ...EVIDENCE, holdsUntilMillis: NOW - 1 }, await client.prove(node)), { code: 'certificate_refused' })
  node.expiresAtMillis = 0
  await t.rejects(tokens.issue(EVIDENCE, await client.prove(node)), { code: 'certificate_refused' })
})

t.test('a token counts no longer once what it rests on has ended', async t => {
  const ends: [string, string, (node: FakeNode) => void][] = [
    ['its time', 'sign_in_required', node => (node.nowMillis += 603_000)],
    ['the certificate', 'access_revoked', node => (node.revoked = true)],
    ['the practitioner', 'access_revoked', node => (node.doctor = undefined)],
    ['the role', 'access_revoked', node => (node.doctor = { ...DOCTOR, role: 'trainee' })],
    ['the facility', 'access_revoked', node => (node.doctor = { ...DOCTOR, facilityId: FacilityId.parse('hospital') })],
  ]
  for (const [name, code, end] of ends) {
    const node = new FakeNode()
    const tokens = await node.openTokens()
    const { token } = await tokens.issue(EVIDENCE, await client.prove(node))
    end(node)
    await t.rejects(tokens.verify(token, await client.prove(node, token)), { code }, name)
  }
})

t.test('nobody is issued a token whom the registry does not know, or with a certificate that it revoked', async t => {
  const node = new FakeNode()
  const tokens = await node.openTokens()
  await t.rejects(tokens.issue({ ...EVIDENCE, practitionerId: PractitionerId.parse('dr-b') }, await client.prove(node)), { code: 'access_revoked' })
  node.revoked = true
  await t.rejects(tokens.issue(EVIDENCE, await client.prove(node)), { code: 'access_revoked' })
})

t.test('a token of another client, node, purpose, algorithm or time is refused', async t => {
  const node = new FakeNode()
  const tokens = await node.openTokens()
  const { token } = await tokens.issue(EVIDENCE, await client.prove(node))
  await t.rejects(tokens.verify(token, await (await Client.create()).prove(node, token)), { code: 'token_refused' }, 'another client')
  await t.rejects(tokens.verify(token, await client.prove(node)), { code: 'token_refused' }, 'a proof for no token')
  const { token: elsewhere } = await (await node.openTokens(await generateInvitationKey())).issue(EVIDENCE, await client.prove(node))
  const claims = decodeJwt(token)
  const key = await importJWK(nodeKey, 'EdDSA')
  const sign = (changes: object): Promise<string> => new SignJWT({ ...claims, ...changes }).setProtectedHeader({ alg: 'EdDSA' }).sign(key)
  const [, payload = ''] = token.split('.')
  const hostile: [string, string][] = [
    ['another node', elsewhere],
    ['another purpose', await sign({ aud: 'kenkyo' })],
    ['from the future', await sign({ iat: NOW / 1000 + 60, exp: NOW / 1000 + 600 })],
    ['a role of its own', await sign({ role: 'emperor' })],
    ['without a client', await sign({ cnf: undefined })],
    ['no algorithm', `${Buffer.from('{"alg":"none"}').toString('base64url')}.${payload}.`],
    ['the public key as a secret', await new SignJWT(claims).setProtectedHeader({ alg: 'HS256' }).sign(Buffer.from(nodeKey.x ?? '', 'base64url'))],
    ['nonsense', 'a.b.c'],
  ]
  for (const [name, each] of hostile) await t.rejects(tokens.verify(each, await client.prove(node, each)), { code: 'token_refused' }, name)
  await t.rejects(tokens.verify(await sign({ iat: NOW / 1000 - 700, exp: NOW / 1000 + 100_000 }), await client.prove(node)), { code: 'sign_in_required' }, 'longer than a token may be')
})
