import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { request } from 'node:https'
import { tmpdir } from 'node:os'
import { connect } from 'node:tls'
import { join } from 'node:path'
import { decodeJwt, exportJWK, generateKeyPair, SignJWT } from 'jose'
import { t } from 'tap'
import { PossessionVerifier } from '../../relay/access/grants/proof-of-possession.ts'
import { generateInvitationKey } from '../../relay/access/invitation.ts'
import { KEY_PURPOSES, thumbprintOf } from '../../relay/access/pki/certificate.ts'
import { SignInTokens } from '../../relay/access/practitioners/sign-in-tokens.ts'
import { systemClock } from '../../relay/runtime/clock.ts'
import { createLogger } from '../../relay/runtime/log.ts'
import { FacilityId, PractitionerId } from '../../relay/wire/access.ts'
import { actor, attributes, CardIssuer } from '../../test/harness/hpki-card.ts'
import { dersIn, LooseCa } from '../../test/harness/test-ca.ts'
import { SignInDesk } from './sign-in-desk.ts'
import { SignInLimiter } from './sign-in-limiter.ts'
import { SignInDoor } from './sign-in-door.ts'
import type { SignInDoorOptions } from './sign-in-door.ts'
import type { Card } from '../../test/harness/hpki-card.ts'
import type { AuditEventInput } from '../../relay/wire/audit-event.ts'
import type { Practitioner } from '../../relay/access/registry/registry.ts'

const PAGE = 'https://node.example'
const DOCTOR: Practitioner = { id: PractitionerId.parse('dr-a'), facilityId: FacilityId.parse('university'), role: 'pathologist', displayName: 'A', status: 'active' }
const issuer = await CardIssuer.create()
const good = await issuer.issue()
const { privateKey, publicKey } = await generateKeyPair('ES256')
const jwk = await exportJWK(publicKey)

const folder = await mkdtemp(join(tmpdir(), 'kenkyo-sign-in-'))
const file = (name: string): string => join(folder, name)
const own = await (await LooseCa.create()).member({ purposes: [KEY_PURPOSES.serverAuth], names: [{ type: 'dns', value: 'localhost' }] })
await Promise.all([writeFile(file('cert.pem'), own.cert), writeFile(file('key.pem'), own.key), writeFile(file('ca.pem'), issuer.pem), writeFile(file('crl.pem'), await issuer.crl([]))])
const revoked = new Set<string>()
const known = new Map<string, Practitioner>([[thumbprintOf(good.der), DOCTOR]])
const events: AuditEventInput[] = []
const registry = { practitioner: () => DOCTOR, isRevoked: (thumbprint: string) => revoked.has(thumbprint), expiresAtMillis: Date.now() + 3_600_000 }
const tokens = await SignInTokens.open({ key: await generateInvitationKey(), registry, possession: new PossessionVerifier({ origin: () => PAGE }) })
const log = createLogger({ level: 'silent', program: 'node' })
const facility = { id: DOCTOR.facilityId, displayName: 'University', status: 'active' as const }
const record = async (event: AuditEventInput): Promise<void> => void events.push(event)
const desk = new SignInDesk({ tokens, registry: { facility: () => facility }, audit: { record }, log })
const PLENTY = { perSecond: 1000, burst: 1000 }
const limits = { perAddress: PLENTY, overall: PLENTY }
const options: SignInDoorOptions = {
  host: '127.0.0.1', port: 0, certFile: file('cert.pem'), keyFile: file('key.pem'), caFile: file('ca.pem'), crlFile: file('crl.pem'), pageOrigin: PAGE,
  registry: { practitionerWith: thumbprint => known.get(thumbprint) }, desk, limiter: new SignInLimiter(systemClock.now(), limits), log,
}
const door = await SignInDoor.open(options)
t.teardown(async () => {
  await door.close()
  await rm(folder, { recursive: true, force: true })
})

const prove = (origin = door.origin): Promise<string> =>
  new SignJWT({ htm: 'POST', htu: `${origin}/sign-in`, iat: Math.floor(Date.now() / 1000), jti: crypto.randomUUID() }).setProtectedHeader({ typ: 'dpop+jwt', alg: 'ES256', jwk }).sign(privateKey)

interface Asked {
  readonly method?: string
  readonly maxVersion?: 'TLSv1.2' | 'TLSv1.3'
  readonly origin?: string
}

interface Answer {
  readonly status: number
  readonly body: { code?: string; token?: string; facilityName?: string }
  readonly allowed: string | undefined
}

async function ask(card: Card | undefined, headers: Record<string, string> = {}, { method = 'POST', maxVersion = 'TLSv1.3', origin = door.origin }: Asked = {}): Promise<Answer> {
  const all = { origin: PAGE, dpop: await prove(), ...headers }
  return new Promise((resolve, reject) => {
    const asked = request(`${origin}/sign-in`, { method, headers: all, agent: false, rejectUnauthorized: false, maxVersion, signal: AbortSignal.timeout(20_000), ...(card === undefined ? {} : { cert: card.certPem, key: card.keyPem }) }, response => {
      let text = ''
      response.setEncoding('utf8').on('data', (part: string) => (text += part))
      response.once('end', () => resolve({ status: response.statusCode ?? 0, body: text === '' ? {} : (JSON.parse(text) as Answer['body']), allowed: response.headers['access-control-allow-origin'] }))
    })
    asked.once('error', reject)
    asked.end()
  })
}

t.test('a doctor signs in with a card that the registry names', async t => {
  const { status, body, allowed } = await ask(good)
  t.equal(status, 200)
  t.equal(allowed, PAGE)
  t.match(body, { practitionerId: 'dr-a', displayName: 'A', facilityName: 'University', role: 'pathologist', methods: ['sc'] })
  t.match(events.at(-1), { kind: 'sign_in', method: 'hpki', actor: { practitionerId: 'dr-a', facilityId: 'university' }, outcome: 'ok' })
  t.match(decodeJwt(body.token ?? ''), { sub: 'dr-a', role: 'pathologist', amr: ['sc'], certificate: thumbprintOf(good.der) })
})

t.test('a card that is not the registered one, or not good, is refused', async t => {
  const other = await CardIssuer.create()
  const hostile: [string, Card | undefined][] = [
    ['no card', undefined],
    ['another card of the same name', await issuer.issue()],
    ['a card of another authority of the same name', await other.issue()],
    ['signed by itself', await issuer.issue({ signsItself: true })],
    ['expired', await issuer.issue({ notBefore: new Date(Date.now() - 7_200_000), notAfter: new Date(Date.now() - 3_600_000) })],
    ['not yet valid', await issuer.issue({ notBefore: new Date(Date.now() + 3_600_000) })],
    ['for servers', await issuer.issue({ purposes: ['1.3.6.1.5.5.7.3.1'] })],
    ['for signing documents', await issuer.issue({ policies: ['1.2.392.100495.1.5.1.1.3.1'] })],
    ['no profession', await issuer.issue({ attributes: null })],
    ['a profession that is none', await issuer.issue({ attributes: attributes([actor('Patient')]) })],
    ['two common names', await issuer.issue({ subject: [{ CN: ['Test Doctor'] }, { CN: ['dr-a'] }] })],
    ['a NUL in its name', await issuer.issue({ subject: [{ CN: ['Test Doctor\u0000x'] }] })],
    ['a name of a machine', await issuer.issue({ names: [{ type: 'url', value: 'spiffe://dr-a@evil/x' }] })],
  ]
  // Named in the registry or not: what makes them bad has to suffice, except where the name is all.
  for (const [name, card] of hostile) if (card !== undefined && !name.startsWith('another card')) known.set(thumbprintOf(card.der), DOCTOR)
  for (const [name, card] of hostile) t.match(await ask(card), { status: 403, body: { code: 'certificate_refused' } }, name)
  t.match(events.at(-1), { kind: 'sign_in', actor: {}, outcome: 'certificate_refused' })
})

t.test('a card that its authority revoked is refused', async t => {
  const lost = await issuer.issue()
  known.set(thumbprintOf(lost.der), DOCTOR)
  t.match(await ask(lost), { status: 200 })
  await writeFile(file('crl.pem'), await issuer.crl([lost]))
  t.match(await ask(lost), { status: 403, body: { code: 'certificate_refused' } })
  await writeFile(file('crl.pem'), await issuer.crl([]))
  t.match(await ask(lost), { status: 200 })
})

t.test('a certificate that was renewed is shown without a restart, and cards are asked for as before', async t => {
  const renewing = await SignInDoor.open({ ...options, reloadMillis: 20 })
  t.teardown(() => renewing.close())
  const renewed = await (await LooseCa.create()).member({ purposes: [KEY_PURPOSES.serverAuth], names: [{ type: 'dns', value: 'localhost' }] })
  const [der = Buffer.alloc(0)] = dersIn(renewed.cert)
  await Promise.all([writeFile(file('cert.pem'), renewed.cert), writeFile(file('key.pem'), renewed.key)])
  const deadline = performance.now() + 20_000
  for (;;) {
    const socket = connect({ port: Number(new URL(renewing.origin).port), host: '127.0.0.1', rejectUnauthorized: false })
    await once(socket, 'secureConnect')
    const shown = socket.getPeerX509Certificate()?.raw
    socket.destroy()
    if (shown?.equals(der) === true) break
    if (performance.now() > deadline) throw new Error('waited in vain for the renewed certificate')
  }
  t.match(await ask(good, { dpop: await prove(renewing.origin) }, { origin: renewing.origin }), { status: 200 })
})

t.test('who tries too often waits', async t => {
  const limiter = new SignInLimiter(systemClock.now(), { ...limits, perAddress: { perSecond: 0.001, burst: 1 } })
  const strict = await SignInDoor.open({ ...options, limiter })
  t.teardown(() => strict.close())
  t.match(await ask(good, { dpop: await prove(strict.origin) }, { origin: strict.origin }), { status: 200 })
  t.match(await ask(good, { dpop: await prove(strict.origin) }, { origin: strict.origin }), { status: 429, body: { code: 'rate_limited' } })
})

t.test('a card that the registry revoked is refused', async t => {
  revoked.add(thumbprintOf(good.der))
  t.match(await ask(good), { status: 403, body: { code: 'access_revoked' } })
  revoked.clear()
})

t.test('no page of another origin signs in, and none reads an answer', async t => {
  for (const origin of ['https://evil.example', 'null', `${PAGE}.evil.example`]) {
    const { body, allowed } = await ask(good, { origin })
    t.match({ code: body.code, allowed }, { code: 'policy_refused', allowed: undefined }, origin)
  }
  t.match(await ask(undefined, {}, { method: 'OPTIONS' }), { status: 204, allowed: PAGE }, 'a browser may ask whether it may')
})

t.test('no token without a proof of this door, and no TLS before 1.3', async t => {
  t.match(await ask(good, { dpop: 'a.b.c' }), { status: 401, body: { code: 'token_refused' } })
  const elsewhere = await new SignJWT({ htm: 'POST', htu: `${PAGE}/sign-in`, iat: Math.floor(Date.now() / 1000), jti: crypto.randomUUID() }).setProtectedHeader({ typ: 'dpop+jwt', alg: 'ES256', jwk }).sign(privateKey)
  t.match(await ask(good, { dpop: elsewhere }), { status: 401, body: { code: 'token_refused' } })
  await t.rejects(ask(good, {}, { maxVersion: 'TLSv1.2' }))
})
