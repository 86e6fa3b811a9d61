import { createHash, randomUUID } from 'node:crypto'
import { connect } from 'node:net'
import sharp from 'sharp'
import { t } from 'tap'
import { STILL_LIMITS } from '../../relay/wire/still.ts'
import { NodeUnderTest } from '../harness/node-under-test.ts'
import { publishParameters, SMALL_PYRAMID } from '../harness/offer.ts'
import { RawClient } from '../harness/raw-client.ts'
import type { StillSidecar, StillSummary } from '../../relay/wire/still.ts'
import type { RawMessage } from '../harness/raw-client.ts'
import type { Test } from 'tap'

const { width, height } = SMALL_PYRAMID
/** A grey ramp with two colours. */
const planes = Buffer.alloc((width * height * 3) / 2, 128)
for (let pixel = 0; pixel < width * height; pixel++) planes[pixel] = 16 + (pixel % 200)
planes.fill(90, width * height, width * height + 1000)
const sha256 = createHash('sha256').update(planes).digest('hex')
const EXACT: object = { origin: 'exact', width, height, missing: [], place: null }

const tokenOf = (link: string): string => new URLSearchParams(new URL(link).hash.slice(1)).get('invitation') ?? ''
const stillsOf = (message: RawMessage): StillSummary[] => (message as never as { stills: StillSummary[] }).stills

/** A consultation with a viewer and a microscope that does as it is told here. */
async function open(t: Test, settings = {}) {
  const under = await NodeUnderTest.open(settings)
  t.teardown(() => under[Symbol.asyncDispose]())
  const [scopeLink, viewerLink, technicianLink] = await Promise.all([under.invite('microscope', { member: 'scope' }), under.invite('viewer', { member: 'reader' }), under.invite('technician', { member: 'hands' })])
  const [scope, viewer] = await Promise.all([RawClient.join(scopeLink), RawClient.join(viewerLink)])
  const { publicationId } = await scope.ok('publish', publishParameters())
  const asked = async (rtpTimestamp: number): Promise<string> => {
    const since = scope.received.length
    const { stillId } = await viewer.ok('keepStill', { publicationId, rtpTimestamp })
    await scope.find(message => message.type === 'stillWanted' && message['stillId'] === stillId && message['rtpTimestamp'] === rtpTimestamp, since)
    return String(stillId)
  }
  const put = async (stillId: string, body: Buffer, { description = EXACT, hash = sha256, token = tokenOf(scopeLink) }: { description?: object; hash?: string; token?: string } = {}): Promise<{ status: number; code?: string }> => {
    const response = await fetch(`${under.node.origin}/stills/${stillId}/planes`, {
      method: 'PUT', body: new Uint8Array(body),
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/octet-stream', 'kenkyo-still': JSON.stringify(description), 'kenkyo-sha256': hash },
    })
    const text = await response.text()
    return { status: response.status, ...(text === '' ? {} : (JSON.parse(text) as object)) }
  }
  const get = (path: string, link = viewerLink): Promise<Response> => fetch(`${under.node.origin}/stills${path}`, { headers: { authorization: `Bearer ${tokenOf(link)}` } })
  const told = async (stillId: string, state: string): Promise<StillSummary> => {
    const message = await viewer.find(it => it.type === 'stillsChanged' && stillsOf(it).some(still => still.stillId === stillId && still.state === state))
    return stillsOf(message).find(still => still.stillId === stillId)!
  }
  return { under, scope, viewer, scopeLink, viewerLink, technicianLink, publicationId, asked, put, get, told }
}

t.test('a still that the microscope hands in is kept as it came, with PNG and sidecar, and outlives the node', async t => {
  const { scope, asked, put, get, told, technicianLink, publicationId } = await open(t)
  const stillId = await asked(4242)
  t.same(await put(stillId, planes), { status: 204 })
  t.match(await told(stillId, 'kept'), { origin: 'exact', keptBy: 'reader', rtpTimestamp: 4242, fault: null })
  const [planesBack, sidecar, png, list] = await Promise.all([
    get(`/${stillId}/planes`).then(response => response.arrayBuffer()),
    get(`/${stillId}/sidecar`, technicianLink).then(response => response.json() as Promise<StillSidecar>),
    get(`/${stillId}/png`).then(response => response.arrayBuffer()),
    get('/').then(response => response.json() as Promise<{ stills: StillSummary[] }>),
  ])
  t.ok(Buffer.from(planesBack).equals(planes), 'bit for bit')
  t.match(sidecar, { version: 1, stillId, publicationId, rtpTimestamp: 4242, keptBy: 'reader', consultationId: 'case-1', origin: 'exact', missing: [], planes: { byteLength: planes.length, sha256 }, stage: null })
  t.ok(Math.abs(Date.parse(sidecar.keptAt) - Date.now()) < 60_000)
  t.match(list.stills, [{ stillId, state: 'kept' }])
  const { data, info } = await sharp(Buffer.from(png)).raw().toBuffer({ resolveWithObject: true })
  t.match(info, { width, height, channels: 3 })
  const luma = planes[width * 100 + 7]!
  t.equal(data[3 * (width * 100 + 7) + 1], Math.round(((luma - 16) * 255) / 219), 'grey where there is no colour')
  await scope[Symbol.asyncDispose]()
  t.equal((await get('/')).status, 200)
})

t.test('who comes later is told of the stills there are, and a frame that is kept is not asked for again', async t => {
  const { under, asked, put, told, viewer, publicationId } = await open(t)
  const stillId = await asked(1)
  await put(stillId, planes)
  await told(stillId, 'kept')
  t.equal((await viewer.ok('keepStill', { publicationId, rtpTimestamp: 1 }))['stillId'], stillId)
  await using late = await RawClient.join(await under.invite('technician', { member: 'late' }))
  const message = await late.find(({ type }) => type === 'stillsChanged')
  t.match(stillsOf(message), [{ stillId, state: 'kept' }])
})

t.test('the microscope says why a frame cannot be had, and everybody hears it', async t => {
  const { scope, asked, told, put } = await open(t)
  for (const fault of ['not_found', 'out_of_range'] as const) {
    const stillId = await asked(fault.length)
    await scope.ok('reportStill', { stillId, fault })
    t.match(await told(stillId, 'failed'), { fault })
    t.same(await put(stillId, planes), { status: 409, code: 'wrong_state' })
  }
  await scope.ok('reportStill', { stillId: randomUUID(), fault: 'not_found' })
})

t.test('planes that are not what they should be are refused, and the still has failed', async t => {
  const { asked, put, told, get } = await open(t)
  const wrong: readonly [string, Parameters<typeof put>[1], Parameters<typeof put>[2], number][] = [
    ['hash_mismatch', planes, { hash: '0'.repeat(64) }, 422],
    ['bad_message', planes.subarray(2), {}, 400],
    ['bad_message', Buffer.concat([planes, planes]), {}, 400],
    ['bad_message', planes, { description: { ...EXACT, width: width / 2 } }, 400],
  ]
  for (const [index, [code, body, options, status]] of wrong.entries()) {
    const stillId = await asked(100 + index)
    t.same(await put(stillId, body, options), { status, code })
    t.match(await told(stillId, 'failed'), { fault: code })
    t.equal((await get(`/${stillId}/planes`)).status, 404)
  }
  const stillId = await asked(200)
  t.same(await put(stillId, planes, { description: { origin: 'exact' } }), { status: 400, code: 'bad_message' })
  t.same(await put(stillId, planes, { hash: 'x' }), { status: 400, code: 'bad_message' })
  t.same(await put(stillId, planes), { status: 204 }, 'what was no upload at all did no harm')
})

t.test('an agent that dies half-way leaves nothing but the reason', async t => {
  const { under, asked, told, scopeLink, get } = await open(t)
  const stillId = await asked(1)
  const { hostname, port } = new URL(under.node.origin)
  const socket = connect(Number(port), hostname)
  socket.write([`PUT /stills/${stillId}/planes HTTP/1.1`, 'host: node', `authorization: Bearer ${tokenOf(scopeLink)}`, 'content-type: application/octet-stream',
    `content-length: ${planes.length}`, `kenkyo-still: ${JSON.stringify(EXACT)}`, `kenkyo-sha256: ${sha256}`, '', ''].join('\r\n'))
  socket.write(planes.subarray(0, 5000))
  await told(stillId, 'arriving')
  socket.destroy()
  t.match(await told(stillId, 'failed'), { fault: 'unavailable' })
  t.equal((await get(`/${stillId}/sidecar`)).status, 404)
})

t.test('a microscope that leaves does not keep anybody waiting', async t => {
  const { scope, asked, told } = await open(t)
  const stillId = await asked(1)
  await scope[Symbol.asyncDispose]()
  t.match(await told(stillId, 'failed'), { fault: 'unavailable' })
})

t.test('only who may asks, hands in and looks', async t => {
  const { under, scope, viewer, asked, put, get, scopeLink, viewerLink, publicationId } = await open(t)
  t.equal(await scope.refusal('keepStill', { publicationId, rtpTimestamp: 1 }), 'wrong_role')
  t.equal(await viewer.refusal('reportStill', { stillId: randomUUID(), fault: 'not_found' }), 'wrong_role')
  t.equal(await viewer.refusal('keepStill', { publicationId: randomUUID(), rtpTimestamp: 1 }), 'wrong_state')
  t.equal(await viewer.refusal('keepStill', { publicationId, rtpTimestamp: -1 }), 'bad_message')
  const stillId = await asked(9)
  t.same(await put(stillId, planes, { token: tokenOf(viewerLink) }), { status: 403, code: 'grant_refused' })
  t.same(await put(stillId, planes, { token: 'a.b.c' }), { status: 401, code: 'invitation_refused' })
  t.same(await put(randomUUID(), planes), { status: 404, code: 'not_found' })
  const elsewhere = await under.invite('microscope', { member: 'scope', consultation: 'case-2' })
  t.same(await put(stillId, planes, { token: tokenOf(elsewhere) }), { status: 404, code: 'not_found' })
  t.same(await put(stillId, planes), { status: 204 })
  t.equal((await get(`/${stillId}/planes`, scopeLink)).status, 403)
  t.equal((await get(`/${stillId}/planes`, await under.invite('viewer', { consultation: 'case-2' }))).status, 404)
  t.equal((await get(`/${stillId}/passwd`)).status, 400)
  t.equal((await get('/..%2f..%2fstate/planes')).status, 400)
})

t.test('a thousand requests ask the microscope a few times', async t => {
  const { scope, viewer, publicationId } = await open(t)
  const since = scope.received.length
  const outcomes = new Map<string, number>()
  for (let frame = 0; frame < 1000; frame++) {
    const reply = await viewer.request('keepStill', { publicationId, rtpTimestamp: frame }).catch(() => undefined)
    const outcome = reply === undefined ? 'closed' : (reply.fault?.code ?? 'ok')
    outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1)
    if (outcome === 'closed') break
  }
  t.equal(outcomes.get('ok'), STILL_LIMITS.pending)
  t.ok(scope.received.slice(since).filter(({ type }) => type === 'stillWanted').length <= STILL_LIMITS.pending)
  t.notOk(outcomes.has('internal'), [...outcomes.keys()].join())
})

t.test('a node whose quota is used up says so', async t => {
  const { asked, put, told } = await open(t, { stillsQuotaBytes: planes.length })
  const stillId = await asked(1)
  t.same(await put(stillId, planes), { status: 507, code: 'quota_exceeded' })
  t.match(await told(stillId, 'failed'), { fault: 'quota_exceeded' })
})

t.test('a node that keeps none says so', async t => {
  const { viewer, publicationId, get } = await open(t, { stillsQuotaBytes: 0 })
  t.equal(await viewer.refusal('keepStill', { publicationId, rtpTimestamp: 1 }), 'unavailable')
  t.equal((await get('/')).status, 404)
})
