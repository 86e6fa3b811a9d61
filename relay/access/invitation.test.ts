import { mock } from 'node:test'
import { base64url, exportJWK, generateKeyPair, SignJWT } from 'jose'
import { t } from 'tap'
import { ConsultationId, MemberId } from '../wire/ids.ts'
import { generateInvitationKey, InvitationIssuer, InvitationVerifier } from './invitation.ts'
import type { Test } from 'tap'

const key = await generateInvitationKey()
const issuer = await InvitationIssuer.open(key)
const verifier = await InvitationVerifier.open(key)
const terms = {
  consultationId: ConsultationId.parse('case-1'),
  memberId: MemberId.parse('doctor'),
  role: 'viewer' as const,
  lifetimeSeconds: 60,
}

/** A whole second, and the timers, which stand still until they are told. */
function stoppedTime(t: Test): { readonly now: () => number; pass(durationMillis: number): void } {
  let time = 1_800_000_000_000
  mock.timers.enable({ apis: ['setTimeout'] })
  t.teardown(() => mock.timers.reset())
  return {
    now: () => time,
    pass(durationMillis) {
      time += durationMillis
      mock.timers.tick(durationMillis)
    },
  }
}

t.test('an invitation admits its member, in its role, to its consultation', async t => {
  const admission = await verifier.verify(await issuer.issue(terms))
  t.match(admission, { consultationId: 'case-1', memberId: 'doctor', role: 'viewer' })
  t.equal(admission.expired.aborted, false)
})

t.test('an invitation that ran out is refused as expired', async t => {
  const token = await issuer.issue({ ...terms, lifetimeSeconds: -60 })
  await t.rejects(verifier.verify(token), { code: 'invitation_expired' })
})

t.test('what is admitted within the tolerance ends when that does', async t => {
  const time = stoppedTime(t)
  const [issuer, verifier] = await Promise.all([InvitationIssuer.open(key, time.now), InvitationVerifier.open(key, time.now)])
  const token = await issuer.issue({ ...terms, lifetimeSeconds: -1 })
  time.pass(999)
  const admission = await verifier.verify(token)
  t.equal(admission.expired.aborted, false)
  time.pass(1)
  t.match(admission.expired.reason, { code: 'invitation_expired' })
  await t.rejects(verifier.verify(token), { code: 'invitation_expired' })
})

t.test('an admission tells when the invitation runs out', async t => {
  const time = stoppedTime(t)
  const [issuer, verifier] = await Promise.all([InvitationIssuer.open(key, time.now), InvitationVerifier.open(key, time.now)])
  const token = await issuer.issue(terms)
  const [admission, released] = await Promise.all([verifier.verify(token), verifier.verify(token)])
  released.release()
  time.pass(61_999)
  t.equal(admission.expired.aborted, false)
  time.pass(1)
  t.match(admission.expired.reason, { code: 'invitation_expired' })
  t.equal(released.expired.aborted, false)
})

t.test('refuses what this node did not sign', async t => {
  const good = await issuer.issue(terms)
  const [header = '', payload = '', signature = ''] = good.split('.')
  const claims = JSON.parse(new TextDecoder().decode(base64url.decode(payload))) as Record<string, unknown>
  const forged = base64url.encode(JSON.stringify({ ...claims, role: 'microscope' }))
  const stranger = await InvitationIssuer.open(await generateInvitationKey())
  const hostile: [string, string][] = [
    ['empty', ''],
    ['no token', 'hello'],
    ['changed claims', `${header}.${forged}.${signature}`],
    ['no signature', `${header}.${payload}.`],
    ['algorithm none', `${base64url.encode('{"alg":"none"}')}.${payload}.`],
    ['another key', await stranger.issue(terms)],
    ['symmetric', await new SignJWT(claims).setProtectedHeader({ alg: 'HS256' }).sign(new TextEncoder().encode(key.x ?? ''))],
  ]
  for (const [name, token] of hostile) await t.rejects(verifier.verify(token), { code: 'invitation_refused' }, name)
})

t.test('refuses claims that are not an invitation, although well signed', async t => {
  const { privateKey, publicKey } = await generateKeyPair('EdDSA', { crv: 'Ed25519', extractable: true })
  const own = await InvitationVerifier.open(await exportJWK(publicKey))
  const sign = (claims: Record<string, unknown>) =>
    new SignJWT({ aud: 'kenkyo', sub: 'a', jti: crypto.randomUUID(), exp: Math.floor(Date.now() / 1000) + 60, consultation: 'c', role: 'viewer', ...claims })
      .setProtectedHeader({ alg: 'EdDSA' })
      .sign(privateKey)
  t.ok(await own.verify(await sign({})))
  for (const claims of [{ aud: 'other' }, { role: 'owner' }, { consultation: '../x' }, { sub: '' }, { exp: undefined }, { jti: 7 }]) {
    await t.rejects(own.verify(await sign(claims)), { code: 'invitation_refused' }, JSON.stringify(claims))
  }
})

t.test('refuses a key of another kind', async t => {
  await t.rejects(InvitationVerifier.open({ kty: 'oct', k: 'AAAA' }), { code: 'bad_config' })
})
