import { randomUUID } from 'node:crypto'
import { t } from 'tap'
import { NodeUnderTest } from '../harness/node-under-test.ts'
import { publishParameters } from '../harness/offer.ts'
import { RawClient } from '../harness/raw-client.ts'
import type { RecordingSummary } from '../../relay/wire/recording.ts'
import type { Test } from 'tap'

const tokenOf = (link: string): string => new URLSearchParams(new URL(link).hash.slice(1)).get('invitation') ?? ''

/** A consultation with a viewer, a technician and a microscope that publishes and sends nothing. */
async function open(t: Test, settings = {}) {
  const under = await NodeUnderTest.open(settings)
  t.teardown(() => under[Symbol.asyncDispose]())
  const [scopeLink, viewerLink, technicianLink] = await Promise.all([under.invite('microscope', { member: 'scope' }), under.invite('viewer', { member: 'reader' }), under.invite('technician', { member: 'hands' })])
  const [scope, viewer, technician] = await Promise.all([RawClient.join(scopeLink), RawClient.join(viewerLink), RawClient.join(technicianLink)])
  await scope.ok('publish', publishParameters())
  const call = (path: string, method = 'GET', link = viewerLink): Promise<Response> =>
    fetch(`${under.node.origin}/recordings/${path}`, { method, headers: { authorization: `Bearer ${tokenOf(link)}` } })
  const list = async (link = viewerLink): Promise<RecordingSummary[]> => ((await (await call('', 'GET', link)).json()) as { recordings: RecordingSummary[] }).recordings
  return { under, scope, viewer, technician, scopeLink, viewerLink, technicianLink, call, list }
}

const isState = (state: string) => (message: { readonly type: string; readonly state?: unknown }): boolean => message.type === 'recordingChanged' && message.state === state

t.test('everybody hears of a recording, late comers too, and anyone may end it', async t => {
  const { under, scope, viewer, technician, list } = await open(t)
  t.notOk(viewer.received.some(({ type }) => type === 'recordingChanged'), 'off by default, and nothing is said')
  const { recordingId } = await viewer.ok('startRecording')
  for (const member of [scope, viewer, technician]) t.match(await member.find(isState('on')), { recordingId, by: 'reader', state: 'on' })
  await using late = await RawClient.join(await under.invite('viewer', { member: 'late' }))
  t.match(await late.find(isState('on')), { recordingId, by: 'reader' })
  t.equal(await technician.refusal('startRecording'), 'conflict')
  t.equal(await under.metric('kenkyo_recordings_on'), 1)
  t.match(await list(), [{ recordingId, state: 'recording', by: 'reader' }])
  await technician.ok('stopRecording')
  for (const member of [scope, viewer, technician, late]) await member.find(isState('off'))
  t.match(await list(), [{ recordingId, state: 'ended', fault: null }])
  t.equal(await under.metric('kenkyo_recordings_on'), 0)
  t.equal(await under.metric('kenkyo_recordings_ended_total', { outcome: 'ok' }), 1)
  await viewer.ok('stopRecording')
})

t.test('a recording is told of once a second at most', async t => {
  const { viewer } = await open(t)
  await viewer.ok('startRecording')
  await viewer.ok('stopRecording')
  t.ok(viewer.received.filter(isState('on')).length <= 2)
})

t.test('only who may asks, lists and deletes', async t => {
  const { under, scope, viewer, call, list, scopeLink } = await open(t)
  for (const type of ['startRecording', 'stopRecording', 'closeReplay']) t.equal(await scope.refusal(type), 'wrong_role', type)
  const { recordingId } = await viewer.ok('startRecording')
  t.equal((await call(String(recordingId), 'DELETE')).status, 409, 'not while it is on')
  t.equal(await viewer.refusal('openReplay', { recordingId }), 'wrong_state')
  await viewer.ok('stopRecording')
  t.equal((await call('', 'GET', scopeLink)).status, 403)
  const elsewhere = await under.invite('viewer', { consultation: 'case-2' })
  t.same(await list(elsewhere), [])
  t.equal((await call(String(recordingId), 'DELETE', elsewhere)).status, 404)
  t.equal((await call('..%2f..%2fstate', 'DELETE')).status, 400)
  t.equal((await fetch(`${under.node.origin}/recordings/`)).status, 401)
  t.equal((await call(String(recordingId), 'DELETE')).status, 204)
  t.equal((await call(String(recordingId), 'DELETE')).status, 404)
  t.same(await list(), [])
  t.equal(await under.metric('kenkyo_recording_stored_bytes'), 0)
})

t.test('what cannot be replayed is refused with a code', async t => {
  const { viewer } = await open(t)
  const { recordingId } = await viewer.ok('startRecording')
  await viewer.ok('stopRecording')
  t.equal(await viewer.refusal('openReplay', { recordingId }), 'bad_recording', 'nothing flowed')
  t.equal(await viewer.refusal('openReplay', { recordingId: randomUUID() }), 'not_found')
  t.equal(await viewer.refusal('openReplay', { recordingId: '../x' }), 'bad_message')
  const publicationId = randomUUID()
  t.equal(await viewer.refusal('controlReplay', { publicationId, isPlaying: true }), 'wrong_state')
  t.equal(await viewer.refusal('controlReplay', { publicationId, speed: 1000 }), 'bad_message')
  t.equal(await viewer.refusal('controlReplay', { publicationId, positionMillis: -1 }), 'bad_message')
  await viewer.ok('closeReplay')
})

t.test('a flood of requests is refused, and the recording goes on', async t => {
  const { viewer, technician } = await open(t)
  await technician.ok('startRecording')
  const codes = new Set<string>()
  for (let request = 0; request < 40; request++) {
    // Between refusals, so that the socket is not closed for them.
    await viewer.ok('readClock')
    const reply = await viewer.request('startRecording')
    codes.add(reply.fault?.code ?? 'ok')
  }
  t.ok(codes.has('rate_limited'))
  t.same([...codes].filter(code => code !== 'rate_limited' && code !== 'conflict'), [])
  await technician.ok('stopRecording')
})

t.test('a node whose quota is used up, or that records nothing, says so', async t => {
  const { viewer, technician } = await open(t, { recordingsQuotaBytes: 100 })
  await viewer.ok('startRecording')
  t.match(await technician.find(isState('failed')), { fault: 'quota_exceeded' })
  const none = await open(t, { recordingsQuotaBytes: 0 })
  t.equal(await none.viewer.refusal('startRecording'), 'unavailable')
  t.equal(await none.viewer.refusal('openReplay', { recordingId: randomUUID() }), 'unavailable')
})
