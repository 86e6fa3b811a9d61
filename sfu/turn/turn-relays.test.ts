import { createHmac } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { t } from 'tap'
import { ConsultationId, MemberId } from '../../relay/wire/ids.ts'
import { IceServer } from '../../relay/wire/webrtc.ts'
import { configContradictions, NodeConfig } from '../config.ts'
import { TurnRelays } from './turn-relays.ts'

const SECRET = 'a secret of at least sixteen'
const URLS = ['turns:relay.example:443?transport=tcp', 'turn:relay.example:3478']
const NOW = 1_700_000_000_000
const user = { consultationId: ConsultationId.parse('case-1'), memberId: MemberId.parse('dr-sato'), validUntilMillis: NOW + 3_600_000 }

t.test('a credential is what coturn computes from the name and the secret, and ends with the invitation', async t => {
  const [server] = new TurnRelays(URLS, SECRET).iceServersFor(user, NOW)
  t.same(IceServer.parse(server), server)
  t.same(server?.urls, URLS)
  t.equal(server?.username.split(':')[0], String((NOW + 3_600_000) / 1000))
  t.equal(server?.credential, createHmac('sha1', SECRET).update(server?.username ?? '').digest('base64'))
})

t.test('a credential is good for a day at most', async t => {
  const [server] = new TurnRelays(URLS, SECRET).iceServersFor({ ...user, validUntilMillis: NOW + 30 * 86_400_000 }, NOW)
  t.equal(server?.username.split(':')[0], String(NOW / 1000 + 86_400))
})

t.test('the name tells members apart and says nothing about them', async t => {
  const relays = new TurnRelays(URLS, SECRET)
  const nameOf = (memberId: string, consultationId = 'case-1'): string => relays.iceServersFor({ ...user, memberId: MemberId.parse(memberId), consultationId: ConsultationId.parse(consultationId) }, NOW)[0]?.username ?? ''
  t.equal(nameOf('dr-sato'), nameOf('dr-sato'))
  t.not(nameOf('dr-sato'), nameOf('dr-abe'))
  t.not(nameOf('dr-sato'), nameOf('dr-sato', 'case-2'))
  t.notMatch(nameOf('dr-sato'), /sato|case/)
})

t.test('without relays there are no servers', async t => {
  t.same(TurnRelays.open(undefined, undefined).iceServersFor(user, NOW), [])
})

t.test('a secret that is missing or short is a mistake in the configuration', async t => {
  const folder = await mkdtemp(join(tmpdir(), 'kenkyo-turn-'))
  t.teardown(() => rm(folder, { recursive: true }))
  const file = join(folder, 'secret')
  t.throws(() => TurnRelays.open(URLS, file), { code: 'bad_config' })
  await writeFile(file, 'short\n')
  t.throws(() => TurnRelays.open(URLS, file), { code: 'bad_config' })
  await writeFile(file, `${SECRET}\n`)
  t.equal(TurnRelays.open(URLS, file).iceServersFor(user, NOW).length, 1)
})

t.test('URLs are those of RFC 7065, and relays and secret come together', async t => {
  const config = (turnUrls: string) => NodeConfig.safeParse({ turnUrls, turnSecretFile: '/secret' })
  t.same(config('turns:relay.example:443?transport=tcp, turn:192.0.2.1').data?.turnUrls, ['turns:relay.example:443?transport=tcp', 'turn:192.0.2.1'])
  t.ok(config('turn:[2001:db8::1]:3478?transport=udp').success)
  for (const bad of ['', 'stun:relay.example', 'https://relay.example', 'turn:relay.example?transport=sctp', 'turn:relay.example:99999', 'turns:relay.example?transport=udp']) {
    t.notOk(config(bad).success, JSON.stringify(bad))
  }
  t.match(configContradictions(NodeConfig.parse({ turnUrls: 'turn:relay.example' })), [/turnSecretFile/])
  t.match(configContradictions(NodeConfig.parse({ turnSecretFile: '/secret' })), [/turnUrls/])
})
