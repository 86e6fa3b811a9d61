import { randomUUID } from 'node:crypto'
import { t } from 'tap'
import { PROTOCOL_VERSION, SIGNALING_LIMITS } from '../relay/wire/signaling.ts'
import { NodeUnderTest } from './harness/node-under-test.ts'
import { DTLS_PARAMETERS, publishParameters, RTP_CAPABILITIES, SMALL_PYRAMID } from './harness/offer.ts'
import { RawClient } from './harness/raw-client.ts'

const under = await NodeUnderTest.open()
t.teardown(() => under[Symbol.asyncDispose]())
const viewerLink = await under.invite('viewer')
const microscopeLink = await under.invite('microscope', { member: 'scope' })

/** A publication that a viewer may subscribe to, with the microscope that made it. */
async function published() {
  const microscope = await RawClient.join(microscopeLink)
  const { publicationId } = await microscope.ok('publish', publishParameters())
  return { microscope, publicationId: publicationId as string }
}

t.test('publishes, subscribes and watches', async t => {
  const { microscope, publicationId } = await published()
  await using viewer = await RawClient.open(viewerLink)
  const joined = await viewer.ok('join', viewer.joinParameters())
  t.match(joined, { consultationId: 'case-1', memberId: 'someone', role: 'viewer', publication: { publicationId, source: { state: 'live' } } })
  const { transportId, iceCandidates } = await viewer.ok('createTransport')
  t.match(iceCandidates, [{ protocol: 'udp' }, { protocol: 'tcp' }])
  const { consumers, undecodable } = await viewer.ok('subscribe', { transportId, publicationId, rtpCapabilities: RTP_CAPABILITIES })
  t.same((consumers as { renditionId: string }[]).map(({ renditionId }) => renditionId).sort(), SMALL_PYRAMID.renditions.map(({ id }) => id).sort())
  t.same(undecodable, [])
  t.same(await viewer.ok('connectTransport', { transportId, dtlsParameters: DTLS_PARAMETERS }), {})
  t.same(await viewer.ok('watch', { publicationId, renditions: ['overview', 'tile-1-1'], prefetch: [] }), { flowing: ['overview', 'tile-1-1'], withheld: [] })
  t.match(await viewer.ok('restartIce', { transportId }), { iceParameters: { iceLite: true } })
  const source = { state: 'slow', framesPerSecond: 12, fault: 'encoder_slow' }
  await microscope.ok('reportSource', { publicationId, source })
  t.match(await viewer.find(({ type }) => type === 'sourceChanged'), { publicationId, source })
  await microscope[Symbol.asyncDispose]()
  t.match(await viewer.find(({ type }) => type === 'publicationChanged'), { publication: null })
  t.same(await viewer.ok('leave'), {})
  t.equal(await viewer.closed, 1000)
})

t.test('answers an offer with one recvonly section for each rendition', async t => {
  await using microscope = await RawClient.join(microscopeLink)
  const { sdp } = await microscope.ok('publish', publishParameters())
  const text = String(sdp)
  t.equal(text.match(/a=recvonly/g)?.length, 5)
  t.match(text, /a=ice-lite/)
  t.match(text, /a=setup:passive/)
  t.match(text, /a=group:BUNDLE 0 1 2 3 4/)
  t.match(text, /a=rtpmap:97 rtx\/90000/)
})

const UNKNOWN = randomUUID()
/** For every request type: parameters that are well-formed, for a session that has only joined. */
const WELL_FORMED: Record<string, object> = {
  join: { protocol: PROTOCOL_VERSION, invitation: 'x.y.z' },
  createTransport: {},
  connectTransport: { transportId: UNKNOWN, dtlsParameters: DTLS_PARAMETERS },
  restartIce: { transportId: UNKNOWN },
  subscribe: { transportId: UNKNOWN, publicationId: UNKNOWN, rtpCapabilities: RTP_CAPABILITIES },
  watch: { publicationId: UNKNOWN, renditions: ['overview'], prefetch: [] },
  readIceServers: {},
  publish: publishParameters(),
  openLink: { paths: [{ name: 'main' }] },
  publishLink: { pyramid: SMALL_PYRAMID, tracks: [{ flow: 1, ssrc: 1, renditionId: 'overview' }], stage: null },
  reportSource: { publicationId: UNKNOWN, source: { state: 'live', framesPerSecond: 30 } },
  reportUplink: { publicationId: UNKNOWN, bitsPerSecond: 40_000_000 },
  reportStage: { publicationId: UNKNOWN, state: { x: 0, y: 0, focus: 0, objective: '20x', isMoving: false, rtpTimestamp: null, obeyed: null } },
  claimStage: {},
  releaseStage: {},
  handOverStage: { to: UNKNOWN },
  stopStage: {},
  moveStage: { publicationId: UNKNOWN, target: { x: 10 }, rtpTimestamp: null },
  pointAtImage: { publicationId: UNKNOWN, rtpTimestamp: 1, at: { x: 1, y: 1 } },
  annotateImage: { publicationId: UNKNOWN, rtpTimestamp: 1, annotation: { id: UNKNOWN, geometry: { kind: 'point', points: [{ x: 1, y: 1 }] } } },
  removeImageAnnotation: { publicationId: UNKNOWN, id: UNKNOWN },
  readClock: {},
  reportExperience: { publicationId: UNKNOWN, framesPerSecond: 30, freezes: 0, longestFreezeMillis: 0, nativePixelRatio: 1, captureToGlassMillis: null },
  reportCapture: { publicationId: UNKNOWN, rtpTimestamp: 1, capturedAtMillis: 1_800_000_000_000 },
  reportDigests: { publicationId: UNKNOWN, windows: [{ renditionId: 'overview', window: 7, packets: 10, bytes: 1000, sha256: 'a'.repeat(64) }] },
  pointAtSlide: { slideId: UNKNOWN, at: null },
  leadSlide: { lead: null },
  readPreflight: {},
  loadTransport: { transportId: UNKNOWN, rtpCapabilities: RTP_CAPABILITIES, bitsPerSecond: 1_000_000, seconds: 2 },
  reportPreflight: { end: 'viewer', results: [{ check: 'udp', colour: 'green', figure: null, advice: 'fine' }] },
  leave: {},
}
const VIEWER_ONLY = ['createTransport', 'connectTransport', 'restartIce', 'subscribe', 'watch', 'claimStage', 'releaseStage', 'handOverStage', 'stopStage', 'moveStage', 'pointAtImage', 'annotateImage', 'removeImageAnnotation', 'readClock', 'reportExperience', 'readPreflight', 'loadTransport', 'reportPreflight', 'pointAtSlide', 'leadSlide']
const MICROSCOPE_ONLY = ['readIceServers', 'publish', 'publishLink', 'reportSource', 'reportUplink', 'reportStage', 'reportCapture', 'reportDigests']

for (const [type, parameters] of Object.entries(WELL_FORMED)) {
  t.test(`refuses a bad ${type} with a code, and lives on`, async t => {
    await using bystander = await RawClient.join(viewerLink)
    await using client = await RawClient.open(viewerLink)
    if (type !== 'join') t.equal(await client.refusal(type, parameters), 'wrong_state', 'before joining')
    t.ok(await client.ok('join', client.joinParameters()))
    t.equal(await client.refusal(type, { ...parameters, patient: 'x' }), 'bad_message', 'unknown field')
    for (const key of Object.keys(parameters)) {
      t.equal(await client.refusal(type, { ...parameters, [key]: true }), 'bad_message', `${key} of the wrong type`)
      t.equal(await client.refusal(type, { ...parameters, [key]: undefined }), 'bad_message', `${key} missing`)
    }
    client.send({ type, ...parameters, requestId: 1 })
    t.match(await client.find(({ fault }) => fault?.code === 'replayed'), { requestId: 1 }, 'replayed id')
    client.send({ type, ...parameters, requestId: -1 })
    t.match(await client.find(message => message.type === 'refused'), { fault: { code: 'bad_message' } }, 'impossible id')
    if (MICROSCOPE_ONLY.includes(type)) t.equal(await client.refusal(type, parameters), 'wrong_role')
    t.ok(await client.ok('createTransport'), 'the socket survived')
    t.ok(await bystander.ok('createTransport'), 'and nobody else noticed')
  })
}

t.test('a microscope may not ask what viewers ask', async t => {
  await using microscope = await RawClient.join(microscopeLink)
  for (const type of VIEWER_ONLY) t.equal(await microscope.refusal(type, WELL_FORMED[type]), 'wrong_role', type)
})

t.test('a technician may ask what viewers ask, but nothing of slides', async t => {
  await using technician = await RawClient.open(await under.invite('technician', { member: 'hands' }))
  t.match(await technician.ok('join', technician.joinParameters()), { memberId: 'hands', role: 'technician', colour: Number })
  t.match(await technician.find(({ type }) => type === 'membersChanged'), { members: [{ memberId: 'hands', role: 'technician' }] })
  for (const type of ['pointAtSlide', 'leadSlide', ...MICROSCOPE_ONLY]) t.equal(await technician.refusal(type, WELL_FORMED[type]), 'wrong_role', type)
  t.ok(await technician.ok('createTransport'))
  t.ok(await technician.ok('readClock'))
})

t.test('tells viewers who came and who left', async t => {
  await using viewer = await RawClient.join(viewerLink)
  const microscope = await RawClient.join(microscopeLink)
  const names = (message: { type: string }): string[] => (message as unknown as { members: { memberId: string }[] }).members.map(({ memberId }) => memberId)
  t.ok(await viewer.find(message => message.type === 'membersChanged' && names(message).includes('scope')))
  const since = viewer.received.length
  await microscope[Symbol.asyncDispose]()
  t.ok(await viewer.find(message => message.type === 'membersChanged' && !names(message).includes('scope'), since))
})

t.test('refuses what is not a message at all', async t => {
  await using client = await RawClient.join(viewerLink)
  for (const frame of ['', 'null', '[]', '{', '{"type":"toString","requestId":1}', '{"type":null}', '"join"', '\u0000']) {
    const since = client.received.length
    client.send(frame)
    const { fault } = await client.find(({ type, ok }) => type === 'refused' || ok === false, since)
    t.equal(fault?.code, 'bad_message', JSON.stringify(frame))
  }
  const since = client.received.length
  client.send(new Uint8Array([1, 2, 3]))
  t.match(await client.find(({ type }) => type === 'refused', since), { fault: { code: 'bad_message' } }, 'binary')
  t.ok(await client.ok('createTransport'))
})

t.test('closes on a message larger than the limit', async t => {
  await using client = await RawClient.join(viewerLink)
  client.send('x'.repeat(SIGNALING_LIMITS.messageSizeBytes + 1))
  t.equal(await client.closed, 1009)
})

t.test('closes after too many refused messages in a row', async t => {
  await using client = await RawClient.join(viewerLink)
  for (let i = 0; i < SIGNALING_LIMITS.consecutiveFaults; i++) client.send('junk')
  t.match(await client.find(({ type }) => type === 'closing'), { fault: { code: 'bad_message' } })
  t.equal(await client.closed, 1008)
})

t.test('limits the rate of one socket only', async t => {
  await using flood = await RawClient.join(viewerLink)
  await using calm = await RawClient.join(viewerLink)
  for (let i = 0; i < SIGNALING_LIMITS.requestBurst + 50; i++) flood.send({ type: 'restartIce', transportId: UNKNOWN, requestId: 1000 + i })
  await flood.find(({ fault }) => fault?.code === 'rate_limited' || fault?.code === 'overloaded')
  t.ok(await calm.ok('createTransport'))
})

t.test('knows expired, forged and foreign invitations', async t => {
  const expired = await RawClient.open(await under.invite('viewer', { lifetimeSeconds: -60 }))
  t.equal(await expired.refusal('join', expired.joinParameters()), 'invitation_expired')
  t.equal(await expired.refusal('join', { protocol: PROTOCOL_VERSION, invitation: 'a.b.c' }), 'invitation_refused')
  t.equal(await expired.refusal('join', { protocol: 99, invitation: 'a.b.c' }), 'bad_message')
  await expired[Symbol.asyncDispose]()
  await using stranger = await NodeUnderTest.open()
  const foreign = await RawClient.open(viewerLink)
  const token = new URLSearchParams(new URL(await stranger.invite('viewer')).hash.slice(1)).get('invitation')
  t.equal(await foreign.refusal('join', { protocol: PROTOCOL_VERSION, invitation: token }), 'invitation_refused')
  await foreign[Symbol.asyncDispose]()
})

t.test('ends a session the moment its invitation does', async t => {
  const client = await RawClient.join(await under.invite('viewer', { lifetimeSeconds: 2 }))
  t.match(await client.find(({ type }) => type === 'closing'), { fault: { code: 'invitation_expired' } })
  t.equal(await client.closed, 1008)
})

t.test('refuses offers that this node could not forward, and keeps the earlier publication', async t => {
  const { microscope, publicationId } = await published()
  const good = publishParameters()
  const hostile: [string, object, string][] = [
    ['not SDP', { ...good, sdp: 'hello' }, 'unsupported_media'],
    ['no fingerprint', { ...good, sdp: good.sdp.replaceAll(/a=fingerprint.*\r\n/g, '') }, 'unsupported_media'],
    ['another codec', { ...good, sdp: good.sdp.replaceAll('H264/', 'H265/') }, 'unsupported_media'],
    ['no SSRC', { ...good, sdp: good.sdp.replaceAll(/a=ssrc.*\r\n/g, '') }, 'unsupported_media'],
    ['receive only', { ...good, sdp: good.sdp.replaceAll('a=sendonly', 'a=recvonly') }, 'unsupported_media'],
    ['doubled SSRC', { ...good, sdp: good.sdp.replaceAll(/a=ssrc-group.*\r\n/g, '').replaceAll(/ssrc:\d+/g, 'ssrc:5') }, 'unsupported_media'],
    ['a missing track', { ...good, tracks: good.tracks.slice(1) }, 'bad_message'],
    ['an unknown mid', { ...good, tracks: good.tracks.map(track => ({ ...track, mid: `x${track.mid}` })) }, 'bad_message'],
    ['a doubled mid', { ...good, tracks: good.tracks.map(track => ({ ...track, mid: '0' })) }, 'bad_message'],
  ]
  for (const [name, parameters, code] of hostile) t.equal(await microscope.refusal('publish', parameters), code, name)
  await using viewer = await RawClient.open(viewerLink)
  t.match(await viewer.ok('join', viewer.joinParameters()), { publication: { publicationId } })
  await microscope[Symbol.asyncDispose]()
})

t.test('lets one microscope in, and the same one again', async t => {
  const first = await RawClient.join(microscopeLink)
  const other = await RawClient.open(await under.invite('microscope', { member: 'other-scope' }))
  t.equal(await other.refusal('join', other.joinParameters()), 'conflict')
  await other[Symbol.asyncDispose]()
  await using again = await RawClient.join(microscopeLink)
  t.match(await first.find(({ type }) => type === 'closing'), { fault: { code: 'conflict' } })
  t.ok(await again.ok('publish', publishParameters()))
})

t.test('refuses watching what is not offered, and what is over', async t => {
  const { microscope, publicationId } = await published()
  await using viewer = await RawClient.join(viewerLink)
  t.equal(await viewer.refusal('watch', { publicationId, renditions: ['overview'], prefetch: [] }), 'wrong_state')
  const { transportId } = await viewer.ok('createTransport')
  t.equal(await viewer.refusal('subscribe', { transportId: UNKNOWN, publicationId, rtpCapabilities: RTP_CAPABILITIES }), 'not_found')
  t.equal(await viewer.refusal('subscribe', { transportId, publicationId: UNKNOWN, rtpCapabilities: RTP_CAPABILITIES }), 'wrong_state')
  await viewer.ok('subscribe', { transportId, publicationId, rtpCapabilities: RTP_CAPABILITIES })
  t.equal(await viewer.refusal('subscribe', { transportId, publicationId, rtpCapabilities: RTP_CAPABILITIES }), 'wrong_state')
  t.equal(await viewer.refusal('watch', { publicationId, renditions: ['tile-7-7'], prefetch: [] }), 'not_found')
  await microscope[Symbol.asyncDispose]()
  await viewer.find(({ type }) => type === 'publicationChanged')
  t.equal(await viewer.refusal('watch', { publicationId, renditions: ['overview'], prefetch: [] }), 'wrong_state')
})

/** A viewer that has subscribed and may watch. */
async function subscribed(publicationId: string) {
  const viewer = await RawClient.join(viewerLink)
  const { transportId } = await viewer.ok('createTransport')
  await viewer.ok('subscribe', { transportId, publicationId, rtpCapabilities: RTP_CAPABILITIES })
  return viewer
}

t.test('tells the microscope the union of what is watched, and nothing but a thin overview when nobody does', async t => {
  const { microscope, publicationId } = await published()
  const demand = (wanted: readonly string[], since = 0) => microscope.find(message => {
    if (message['type'] !== 'demandChanged' || message['publicationId'] !== publicationId) return false
    const { renditions } = message['demand'] as { renditions: { renditionId: string; cadence: string }[] }
    return renditions.map(({ renditionId, cadence }) => `${renditionId} ${cadence}`).sort().join() === wanted.join()
  }, since)
  t.match(await demand(['overview key']), { demand: { woken: [] } })
  const one = await subscribed(publicationId)
  const other = await subscribed(publicationId)
  await one.ok('watch', { publicationId, renditions: ['tile-0-0', 'overview'], prefetch: ['tile-1-0'] })
  t.ok(await demand(['overview full', 'tile-0-0 full', 'tile-1-0 full']))
  await other.ok('watch', { publicationId, renditions: ['tile-1-1', 'overview'], prefetch: [] })
  t.match(await demand(['overview full', 'tile-0-0 full', 'tile-1-0 full', 'tile-1-1 full']), { demand: { woken: ['tile-1-1'] } })
  await one[Symbol.asyncDispose]()
  t.ok(await demand(['overview full', 'tile-1-1 full']), 'what only one watched goes with it')
  const heard = microscope.received.length
  await other[Symbol.asyncDispose]()
  t.ok(await demand(['overview key'], heard))
  await microscope[Symbol.asyncDispose]()
})

t.test('refuses lines that cannot be, and withholds for those that are narrow, from nobody else', async t => {
  const { microscope, publicationId } = await published()
  await using narrow = await subscribed(publicationId)
  await using wide = await subscribed(publicationId)
  const all = SMALL_PYRAMID.renditions.map(({ id }) => id)
  for (const rate of [0, -1, 99_999, 10e12, 1.5e6 + 0.5, '1e6']) {
    t.equal(await narrow.refusal('watch', { publicationId, renditions: all, prefetch: [], downlinkBitsPerSecond: rate }), 'bad_message', `a downlink of ${rate}`)
    t.equal(await microscope.refusal('reportUplink', { publicationId, bitsPerSecond: rate }), 'bad_message', `an uplink of ${rate}`)
  }
  const flow = await narrow.ok('watch', { publicationId, renditions: all, prefetch: [], downlinkBitsPerSecond: 100_000 })
  t.same(new Set(flow['flowing'] as string[]), new Set(['overview', 'tile-0-0']))
  t.equal((flow['withheld'] as unknown[]).length, 3)
  const wideFlow = await wide.ok('watch', { publicationId, renditions: all, prefetch: [] })
  t.same([new Set(wideFlow['flowing'] as string[]), wideFlow['withheld']], [new Set(all), []])
  await microscope.ok('reportUplink', { publicationId, bitsPerSecond: 100_000 })
  const changed = await wide.find(({ type }) => type === 'flowChanged')
  t.same(new Set((changed['withheld'] as { cause: string }[]).map(({ cause }) => cause)), new Set(['uplink']))
  await microscope[Symbol.asyncDispose]()
})

t.test('refuses what no viewer can have seen, and takes what one may have', async t => {
  const { microscope, publicationId } = await published()
  await using viewer = await RawClient.join(viewerLink)
  const seen = { ...WELL_FORMED['reportExperience'], publicationId }
  const impossible: [string, unknown][] = [
    ['framesPerSecond', -1], ['framesPerSecond', 1001], ['framesPerSecond', null], ['freezes', -1], ['freezes', 0.5], ['freezes', 1001],
    ['longestFreezeMillis', -1], ['longestFreezeMillis', 1e9], ['nativePixelRatio', 1.01], ['nativePixelRatio', -0.01],
    ['captureToGlassMillis', 100], ['captureToGlassMillis', { p50: 1 }], ['captureToGlassMillis', { p50: -1, p95: 1 }],
    ['captureToGlassMillis', { p50: 2, p95: 1 }], ['captureToGlassMillis', { p50: 1, p95: 1e6 }],
  ]
  for (const [key, value] of impossible) t.equal(await viewer.refusal('reportExperience', { ...seen, [key]: value }), 'bad_message', `${key}: ${JSON.stringify(value)}`)
  t.same(await viewer.ok('reportExperience', seen), {})
  t.same(await viewer.ok('reportExperience', { ...seen, captureToGlassMillis: { p50: 0, p95: 0 } }), {})
  t.equal(await viewer.refusal('reportExperience', { ...seen, publicationId: UNKNOWN }), 'wrong_state', 'of another publication')
  await microscope[Symbol.asyncDispose]()
  await viewer.find(({ type }) => type === 'publicationChanged')
  t.equal(await viewer.refusal('reportExperience', seen), 'wrong_state', 'of one that is over')
})

t.test('tells viewers its clock', async t => {
  await using viewer = await RawClient.join(viewerLink)
  const before = performance.timeOrigin + performance.now()
  const { nodeTimeMillis } = await viewer.ok('readClock')
  const after = performance.timeOrigin + performance.now()
  t.ok(before <= (nodeTimeMillis as number) && (nodeTimeMillis as number) <= after)
})

t.test('passes on when an image was captured only where the clock is known', async t => {
  const { microscope, publicationId } = await published()
  await using viewer = await RawClient.join(viewerLink)
  for (const [key, value] of [['rtpTimestamp', -1], ['rtpTimestamp', 2 ** 32], ['rtpTimestamp', 0.5], ['capturedAtMillis', -1], ['capturedAtMillis', 1e17]] as const) {
    t.equal(await microscope.refusal('reportCapture', { ...WELL_FORMED['reportCapture'], publicationId, [key]: value }), 'bad_message', `${key}: ${value}`)
  }
  t.same(await microscope.ok('reportCapture', { publicationId, rtpTimestamp: 1, capturedAtMillis: Date.now() }), {})
  t.equal(await microscope.refusal('reportCapture', { publicationId: UNKNOWN, rtpTimestamp: 1, capturedAtMillis: Date.now() }), 'wrong_state')
  await viewer.ok('readClock')
  t.notOk(viewer.received.some(({ type }) => type === 'captureClock'), 'this microscope sent no media from anywhere')
  await microscope[Symbol.asyncDispose]()
})

t.test('a viewer that changes its mind all the time is slowed down, and nobody else notices', async t => {
  const { microscope, publicationId } = await published()
  await using restless = await subscribed(publicationId)
  await using calm = await subscribed(publicationId)
  await calm.ok('watch', { publicationId, renditions: ['tile-0-0', 'overview'], prefetch: [] })
  const all = SMALL_PYRAMID.renditions.map(({ id }) => id)
  const answers = await Promise.all(
    Array.from({ length: 2 * SIGNALING_LIMITS.requestBurst }, (_, turn) =>
      restless.request('watch', { publicationId, renditions: turn % 2 === 0 ? all : [], prefetch: [] }).then(({ ok }) => (ok === true ? 'ok' : 'refused'), () => 'cut off'),
    ),
  )
  t.ok(answers.some(answer => answer !== 'ok'), 'most of it is refused')
  t.match(await calm.ok('watch', { publicationId, renditions: ['tile-0-0', 'overview'], prefetch: [] }), { withheld: [] })
  t.notOk(calm.received.some(({ type }) => type === 'flowChanged'))
  await microscope[Symbol.asyncDispose]()
})

t.test('says which renditions a viewer cannot decode', async t => {
  const { microscope, publicationId } = await published()
  await using viewer = await RawClient.join(viewerLink)
  const { transportId } = await viewer.ok('createTransport')
  const onlyVp9 = { ...RTP_CAPABILITIES, codecs: RTP_CAPABILITIES.codecs.slice(2) }
  const { consumers, undecodable } = await viewer.ok('subscribe', { transportId, publicationId, rtpCapabilities: onlyVp9 })
  t.same(consumers, [])
  t.equal((undecodable as string[]).length, 5)
  await microscope[Symbol.asyncDispose]()
})

t.test('welcomes only pages of its own origin', async t => {
  const { WebSocket } = await import('ws')
  for (const [path, origin, status] of [['/signaling', 'http://evil.example', 403], ['/other', undefined, 404]] as const) {
    const socket = new WebSocket(`${under.node.origin.replace('http', 'ws')}${path}`, origin === undefined ? {} : { origin })
    const response = await new Promise<number>((resolve, reject) => {
      socket.once('unexpected-response', (_request, answer) => resolve(answer.statusCode ?? 0))
      socket.once('open', () => reject(new Error('accepted')))
    })
    t.equal(response, status)
    socket.on('error', () => undefined)
    socket.terminate()
  }
})
