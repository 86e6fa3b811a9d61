import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { t } from 'tap'
import { ForeignClient } from '../harness/foreign-client.ts'
import { ForeignSdp } from '../harness/foreign-sdp.ts'
import { NodeUnderTest } from '../harness/node-under-test.ts'
import { publishParameters } from '../harness/offer.ts'
import { RawClient } from '../harness/raw-client.ts'
import type { Test } from 'tap'

const SENDING = ForeignSdp.offer({ direction: 'sendonly' })
const RECEIVING = ForeignSdp.offer({ direction: 'recvonly', audio: true })
const TRICKLE = ['a=ice-ufrag:abcd', 'a=ice-pwd:abcdefghijklmnopqrstuvwx', 'm=video 9 UDP/TLS/RTP/SAVPF 108', 'a=mid:0', 'a=candidate:1 1 udp 2122260223 192.0.2.1 61764 typ host', ''].join('\r\n')
const RESTART = TRICKLE.replace('abcd', 'wxyz')

/** Checks a refusal: its status, its body, and that it gives nothing away. */
async function refused(t: Test, response: Response, status: number, code: string, name: string): Promise<void> {
  t.equal(response.status, status, name)
  t.equal(response.headers.get('content-type'), 'application/problem+json', `${name}: its body`)
  t.match(await response.json(), { status, code, title: /\w/, detail: /\w/ }, `${name}: its code`)
}

const location = (response: Response): string => response.headers.get('location') ?? ''

t.test('a WHIP session is opened, trickled to, restarted and ended as RFC 9725 says', async t => {
  await using node = await NodeUnderTest.open()
  const client = await ForeignClient.of(node, 'microscope', 'encoder')
  const opened = await client.offer('/whip', SENDING)
  t.equal(opened.status, 201)
  t.match(Object.fromEntries(opened.headers), {
    'content-type': 'application/sdp', location: /^\/whip\/sessions\/[\w-]{36}$/, etag: /^"[\w-]+"$/, 'accept-patch': 'application/trickle-ice-sdpfrag', 'access-control-allow-origin': '*',
  })
  t.match(await opened.text(), /a=ice-lite[\s\S]*a=recvonly/)
  const session = location(opened)
  const etag = opened.headers.get('etag') ?? ''

  const trickled = await client.patch(session, TRICKLE, { 'if-match': etag })
  t.equal(trickled.status, 204)
  t.equal(trickled.headers.get('etag'), null)
  t.equal((await client.patch(session, 'a=end-of-candidates', { 'if-match': etag })).status, 204)
  await refused(t, await client.patch(session, TRICKLE, {}), 428, 'bad_message', 'without If-Match')
  await refused(t, await client.patch(session, TRICKLE, { 'if-match': '"other"' }), 412, 'bad_message', 'another entity tag')
  await refused(t, await client.patch(session, 'nonsense', { 'if-match': etag }), 400, 'bad_message', 'no fragment')
  await refused(t, await client.patch(session, TRICKLE, { 'if-match': etag, 'content-type': 'application/sdp' }), 415, 'bad_message', 'another type')

  const restarted = await client.patch(session, RESTART, { 'if-match': '*' })
  t.equal(restarted.status, 200)
  t.equal(restarted.headers.get('content-type'), 'application/trickle-ice-sdpfrag')
  const fresh = restarted.headers.get('etag') ?? ''
  t.not(fresh, etag)
  t.match(await restarted.text(), /^a=ice-lite\r\n[\s\S]*a=ice-ufrag:\w+\r\na=ice-pwd:\w+/)
  await refused(t, await client.patch(session, TRICKLE, { 'if-match': etag }), 412, 'bad_message', 'the entity tag of before')
  t.equal((await client.patch(session, RESTART, { 'if-match': fresh })).status, 204)

  t.equal((await client.fetch(session)).status, 204)
  t.equal((await client.fetch(session, { method: 'DELETE', headers: { 'if-match': '"ignored"' } })).status, 200)
  await refused(t, await client.fetch(session, { method: 'DELETE' }), 404, 'not_found', 'a session that has ended')
  t.equal(node.node.health.sessions, 0)
})

t.test('who is not invited, or to something else, stays outside', async t => {
  await using node = await NodeUnderTest.open()
  const microscope = await ForeignClient.of(node, 'microscope', 'encoder')
  const viewer = await ForeignClient.of(node, 'viewer', 'watcher')
  for (const authorization of ['', 'Basic eDp5', 'Bearer', 'Bearer a.b.c']) {
    const response = await microscope.offer('/whip', SENDING, { authorization })
    t.equal(response.headers.get('www-authenticate'), 'Bearer')
    await refused(t, response, 401, 'invitation_refused', `with ${JSON.stringify(authorization)}`)
  }
  await refused(t, await microscope.offer('/whep', RECEIVING), 403, 'wrong_role', 'a microscope that watches')
  await refused(t, await viewer.offer('/whip', SENDING), 403, 'wrong_role', 'a viewer that publishes')
  const session = location(await microscope.offer('/whip', SENDING))
  const other = await ForeignClient.of(node, 'microscope', 'encoder', 'case-2')
  await refused(t, await other.fetch(session, { method: 'DELETE' }), 403, 'grant_refused', "another consultation's session")
  await refused(t, await microscope.fetch(session, { method: 'DELETE', headers: { authorization: '' } }), 401, 'invitation_refused', 'without an invitation')
  await refused(t, await viewer.fetch(session.replace('whip', 'whep'), { method: 'DELETE' }), 404, 'not_found', 'by the other door')
  await refused(t, await microscope.fetch('/whip/sessions/unknown', { method: 'DELETE' }), 404, 'not_found', 'an unknown session')
})

t.test('refuses bodies, types and methods that it does not know', async t => {
  await using node = await NodeUnderTest.open()
  const client = await ForeignClient.of(node, 'microscope', 'encoder')
  await refused(t, await client.offer('/whip', SENDING, { 'content-type': 'application/json' }), 415, 'bad_message', 'JSON')
  await refused(t, await client.offer('/whip', SENDING, { accept: 'text/html' }), 406, 'bad_message', 'an answer in HTML')
  t.equal((await client.offer('/whip', SENDING, { 'content-type': 'application/sdp; charset=utf-8', accept: 'application/sdp, */*;q=0.1' })).status, 201)
  await refused(t, await client.offer('/whip', ''), 400, 'bad_message', 'nothing')
  await refused(t, await client.offer('/whip', 'hello'), 400, 'bad_message', 'no SDP')
  await refused(t, await client.offer('/whip', 'v=0\r\n'.repeat(20_000)), 413, 'bad_message', 'too much')
  await refused(t, await client.offer('/whip', ForeignSdp.offer({ direction: 'sendonly', codecs: ['a=rtpmap:96 VP8/90000'], payloads: '96' })), 422, 'unsupported_media', 'no usable codec')
  await refused(t, await client.offer('/whip', RECEIVING), 422, 'unsupported_media', 'nothing that sends')
  for (const method of ['PUT', 'PATCH', 'DELETE']) {
    const response = await client.fetch('/whip', { method, body: method === 'DELETE' ? null : 'x', headers: { 'content-type': 'application/sdp' } })
    t.match(response.headers.get('allow'), 'POST')
    await refused(t, response, 405, 'bad_message', method)
  }
  await refused(t, await client.offer('/whip/sessions/some', SENDING), 405, 'bad_message', 'an offer to a session')
  for (const path of ['/whip', '/whep']) {
    const options = await client.fetch(path, { method: 'OPTIONS', headers: { authorization: '', origin: 'https://elsewhere.example', 'access-control-request-method': 'POST' } })
    t.equal(options.status, 200)
    t.match(Object.fromEntries(options.headers), {
      'accept-post': 'application/sdp', 'access-control-allow-origin': '*', 'access-control-allow-headers': /Authorization/, 'access-control-allow-methods': /POST/, 'access-control-expose-headers': /Location/,
    })
    t.equal((await client.fetch(path)).status, 204)
  }
  t.match(Object.fromEntries((await client.fetch('/whip/sessions/some', { method: 'OPTIONS' })).headers), { 'accept-patch': 'application/trickle-ice-sdpfrag', 'access-control-allow-methods': /PATCH/ })
})

t.test('there is one microscope: another one is refused, the same one replaces itself', async t => {
  await using node = await NodeUnderTest.open()
  const first = await ForeignClient.of(node, 'microscope', 'encoder')
  const session = location(await first.offer('/whip', SENDING))
  const second = await ForeignClient.of(node, 'microscope', 'another')
  const response = await second.offer('/whip', SENDING)
  t.ok(Number(response.headers.get('retry-after')) > 0)
  await refused(t, response, 409, 'conflict', 'another microscope')
  const replacing = await first.offer('/whip', SENDING)
  t.equal(replacing.status, 201)
  await refused(t, await first.fetch(session), 404, 'not_found', 'the session of before')
  await using agent = await RawClient.open(await node.invite('microscope', { member: 'agent' }))
  t.equal(await agent.refusal('join', agent.joinParameters()), 'conflict', 'by signaling too')
  t.equal(node.node.health.sessions, 1)
})

t.test('WHEP answers while something is published, and its session ends with that', async t => {
  await using node = await NodeUnderTest.open()
  const client = await ForeignClient.of(node, 'viewer', 'watcher')
  const early = await client.offer('/whep', RECEIVING)
  t.ok(Number(early.headers.get('retry-after')) > 0)
  await refused(t, early, 409, 'wrong_state', 'nothing is published')
  t.equal(node.node.health.consultations, 0, 'and no consultation is left behind')
  await using microscope = await RawClient.join(await node.invite('microscope'))
  await microscope.ok('publish', publishParameters())
  await refused(t, await client.offer('/whep?rendition=whole', RECEIVING), 404, 'not_found', 'no such rendition')
  await refused(t, await client.offer('/whep?rendition=tile-0-0', RECEIVING), 400, 'bad_message', 'a rendition that is not offered by this door')
  await refused(t, await client.offer('/whep', ForeignSdp.offer({ direction: 'recvonly', codecs: ['a=rtpmap:96 VP9/90000'], payloads: '96' })), 422, 'unsupported_media', 'no usable codec')
  t.equal(node.node.health.sessions, 1, 'who was refused is not there')
  const opened = await client.offer('/whep', RECEIVING)
  t.equal(opened.status, 201)
  const answer = await opened.text()
  t.match(answer, /m=audio 0 /, 'audio is refused')
  t.match(answer, /m=video 9 UDP\/TLS\/RTP\/SAVPF 108 109[\s\S]*a=sendonly[\s\S]*a=ssrc-group:FID/, "the picture comes under the client's numbers")
  const demand = await microscope.find(({ type, demand }) => type === 'demandChanged' && JSON.stringify(demand).includes('"cadence":"full"'))
  t.match(demand['demand'], { renditions: [{ renditionId: 'overview', cadence: 'full' }] }, 'and the microscope is asked for it')
  t.equal(node.node.health.sessions, 2)
  await microscope.ok('leave')
  await refused(t, await client.fetch(location(opened)), 404, 'not_found', 'a session whose publication is over')
})

t.test('clients with other numbers share a node, each with its own', async t => {
  await using node = await NodeUnderTest.open()
  await using microscope = await RawClient.join(await node.invite('microscope'))
  await microscope.ok('publish', publishParameters())
  for (const [payload, rtx] of [[96, 97], [96, 97], [127, 100], [39, 40], [100, 101], [101, 100]] as const) {
    const codecs = [`a=rtpmap:${payload} H264/90000`, `a=fmtp:${payload} packetization-mode=1;profile-level-id=42e01f`, `a=rtcp-fb:${payload} nack`, `a=rtpmap:${rtx} rtx/90000`, `a=fmtp:${rtx} apt=${payload}`]
    const client = await ForeignClient.of(node, 'viewer', `watcher-${payload}-${rtx}`)
    const answer = await (await client.offer('/whep', ForeignSdp.offer({ direction: 'recvonly', codecs, payloads: `${payload} ${rtx}` }))).text()
    // A number outside of those that mediasoup hands out can be that of the picture, not that of RTX.
    t.match(answer, rtx >= 96 ? `SAVPF ${payload} ${rtx}\r\n` : `SAVPF ${payload}\r\n`, `${payload} with RTX ${rtx}`)
  }
})

t.test('without a worker a client is told to come again', async t => {
  await using node = await NodeUnderTest.open()
  const client = await ForeignClient.of(node, 'microscope', 'encoder')
  const opened = await client.offer('/whip', SENDING)
  const [pid] = node.node.workerPids
  process.kill(pid ?? 0, 'SIGKILL')
  let response = await client.offer('/whip', SENDING)
  const deadline = performance.now() + 5000
  // The node hears of the death a moment later.
  while (response.status !== 503 && performance.now() < deadline) response = await client.offer('/whip', SENDING)
  t.ok(Number(response.headers.get('retry-after')) > 0)
  t.match(await response.json(), { code: 'unavailable' })
  t.equal((await client.fetch(location(opened))).status, 404)
})

t.test('a session ends with its invitation', async t => {
  await using node = await NodeUnderTest.open()
  const client = new ForeignClient(await node.invite('microscope', { lifetimeSeconds: 1 }))
  const opened = await client.offer('/whip', SENDING)
  t.equal(opened.status, 201)
  const deadline = performance.now() + 10_000
  while (node.node.health.sessions > 0 && performance.now() < deadline) await new Promise(resolve => setImmediate(resolve))
  t.equal(node.node.health.sessions, 0)
  await refused(t, await client.offer('/whip', SENDING), 401, 'invitation_expired', 'the same invitation')
})

t.test('names the relays that a client may use, with its own credentials', async t => {
  const turnSecretFile = join(t.testdir(), 'secret')
  writeFileSync(turnSecretFile, 'a-secret-of-sufficient-length-0123456789', { mode: 0o600 })
  // As a flag gives it.
  const turnUrls = 'turns:turn.example:443?transport=tcp' as unknown as string[]
  await using node = await NodeUnderTest.open({ turnUrls, turnSecretFile })
  const opened = await (await ForeignClient.of(node, 'microscope', 'encoder')).offer('/whip', SENDING)
  t.match(opened.headers.get('link'), /^<turns:turn\.example:443\?transport=tcp>; rel="ice-server"; username="\d+:[\w-]+"; credential="[\w+/=]+"; credential-type="password"$/)
})

t.test('a member that makes too many offers is held up, and nobody else', async t => {
  await using node = await NodeUnderTest.open()
  const [eager, other] = [await ForeignClient.of(node, 'microscope', 'eager', 'case-1'), await ForeignClient.of(node, 'microscope', 'other', 'case-2')]
  const answers = await Promise.all(Array.from({ length: 60 }, () => eager.offer('/whip', 'hello')))
  const late = answers.filter(({ status }) => status === 429)
  t.ok(late.length > 0 && late.length < 60, `${late.length} of 60`)
  await refused(t, late[0]!, 429, 'rate_limited', 'too many offers')
  t.ok(Number(late[0]?.headers.get('retry-after')) > 0)
  t.equal((await other.offer('/whip', SENDING)).status, 201)
})
