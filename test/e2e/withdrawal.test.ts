/** What a consent carried, and how it ends with it: answers and bodies that are under way, WHEP, links, recordings. */
import { once } from 'node:events'
import { request as askPlainly } from 'node:http'
import { request } from 'node:https'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { t } from 'tap'
import { LiveMember } from '../../bench/withdrawal/live-member.ts'
import { RandomSlide } from '../../bench/withdrawal/random-slide.ts'
import { SlideSender } from '../../bench/withdrawal/slide-sender.ts'
import { CASE, PlatformNode, WithdrawalWorld } from '../../bench/withdrawal/withdrawal-world.ts'
import { FacilityId } from '../../relay/wire/access.ts'
import { ForeignSdp } from '../harness/foreign-sdp.ts'
import { NodeUnderTest } from '../harness/node-under-test.ts'
import { publishParameters } from '../harness/offer.ts'
import { RawClient } from '../harness/raw-client.ts'
import type { ClientRequest, IncomingMessage } from 'node:http'
import type { Test } from 'tap'
import type { GrantedMachine } from '../../bench/withdrawal/withdrawal-world.ts'

const NEVER = new AbortController().signal
const DEADLINE_MILLIS = 20_000

/** Of 64 KiB each: more together than kernels keep of one connection. */
const SLIDE = { side: 16, tileBytes: 64 * 1024 } as const

async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = performance.now() + DEADLINE_MILLIS
  while (!(await holds())) {
    if (performance.now() > deadline) throw new Error(`waited in vain for ${what}`)
    await sleep(10)
  }
}

/** A platform with a node in this process, where a slide is. */
async function openWorld(t: Test) {
  const world = await WithdrawalWorld.open()
  t.teardown(() => world[Symbol.asyncDispose]())
  const { platform } = world
  const own = await platform.credentials('hospital-node', FacilityId.parse('hospital'))
  const file = (name: string): string => join(platform.folder, name)
  await Promise.all([writeFile(file('node.pem'), own.cert), writeFile(file('node.key'), own.key), writeFile(file('ca.pem'), own.ca)])
  const under = await NodeUnderTest.open({
    coreUrl: platform.url, nodeCertFile: file('node.pem'), nodeKeyFile: file('node.key'), platformCaFile: file('ca.pem'), registryKeyFile: platform.registryKeyFile,
    membersListenPort: 0, slideUploads: true, slideStow: true,
  })
  t.teardown(() => under[Symbol.asyncDispose]())
  const node = await PlatformNode.open({ origin: under.node.origin, stateDir: under.stateDir }, under.node.membersPort ?? 0, CASE)
  const consent = await world.sign(CASE, undefined, ['live', 'slide', 'recording', 'exchange'])
  const grant = async (name: 'scope' | 'scanner'): Promise<GrantedMachine> => {
    const machine = await node.grantMachine(await world.credentials(name), name === 'scope' ? 'microscope' : 'scanner', NEVER)
    t.teardown(() => machine.agent.destroy())
    return machine
  }
  return { world, under, node, consent, grant }
}

async function bringSlide(node: PlatformNode, scanner: GrantedMachine): Promise<RandomSlide> {
  const slide = await RandomSlide.make(SLIDE.side, SLIDE.tileBytes)
  const sender = new SlideSender(node, scanner, slide)
  await sender.begin()
  await sender.send(NEVER, 0)
  await sender.complete()
  return slide
}

/** Settles with what ended a request: a status, or `cut`. */
async function endOf(asking: ClientRequest): Promise<number | 'cut'> {
  try {
    const [response] = (await once(asking, 'response', { signal: AbortSignal.timeout(DEADLINE_MILLIS) })) as [IncomingMessage]
    for await (const _part of response as AsyncIterable<Buffer>) continue
    return response.statusCode ?? 0
  } catch (error) {
    if ((error as Error).name === 'AbortError') throw error
    return 'cut'
  }
}

async function joinAs(t: Test, node: PlatformNode, { credentials, token }: GrantedMachine): Promise<RawClient> {
  const client = await RawClient.open(`${node.membersOrigin}/#invitation=${token}`, credentials)
  t.teardown(() => client[Symbol.asyncDispose]())
  await client.ok('join', client.joinParameters())
  return client
}

t.test('a withdrawal cuts answers and bodies that are under way', async t => {
  const { world, node, consent, grant } = await openWorld(t)
  const scanner = await grant('scanner')
  const slide = await bringSlide(node, scanner)
  const doctor = await node.grantPerson(await node.signIn('doctor'), 'doctor', NEVER)

  const url = `${node.origin}/dicomweb/studies`
  const found = await fetch(url, { headers: await doctor.person.headers('GET', url, doctor.token) })
  const [study] = (await found.json()) as Record<string, { Value: string[] }>[]
  const wado = `${url}/${study?.['0020000D']?.Value[0] ?? ''}`
  const reading = askPlainly(wado, { agent: false, headers: { ...(await doctor.person.headers('GET', wado, doctor.token)), accept: 'multipart/related; type="application/dicom"; transfer-syntax=*' } })
  reading.end()
  const [answer] = (await once(reading, 'response', { signal: AbortSignal.timeout(DEADLINE_MILLIS) })) as [IncomingMessage]
  t.equal(answer.statusCode, 200)

  const send = (method: string, path: string, headers: Record<string, string | number>): ClientRequest => request(`${node.membersOrigin}${path}`, {
    method, agent: false, cert: scanner.credentials.cert, key: scanner.credentials.key, ca: scanner.credentials.ca, headers: { ...headers, authorization: `Bearer ${scanner.token}` },
  })
  /** Begins a body and leaves it open. */
  const begin = async (method: string, path: string, headers: Record<string, string | number>, first = 'x'): Promise<Promise<number | 'cut'>[]> => {
    const asking = send(method, path, { ...headers, expect: '100-continue' })
    const ending = endOf(asking)
    asking.flushHeaders()
    await once(asking, 'continue', { signal: AbortSignal.timeout(DEADLINE_MILLIS) })
    asking.write(first)
    return [ending]
  }
  const created = send('POST', '/uploads', { 'tus-resumable': '1.0.0', 'upload-length': 1000 })
  created.end()
  const [upload] = (await once(created, 'response')) as [IncomingMessage]
  const fresh = await RandomSlide.make(2, 64 * 1024)
  const sender = new SlideSender(node, scanner, fresh)
  await sender.begin()
  const chunk = fresh.level.index.chunk(0)
  const chunkLength = (await fresh.preparation.readChunk(fresh.level, 0)).length
  const { serial } = JSON.parse((await node.askAsMachine(scanner.agent, scanner.token, 'GET', `/slides/${fresh.slideId}/wanted?after=0`, {})).body.toString()) as { serial: number }
  const asking = send('GET', `/slides/${fresh.slideId}/wanted?after=${serial}`, {})
  const wanted = endOf(asking)
  asking.end()
  const boundary = 'multipart/related; type="application/dicom"; boundary=xyz'
  const underWay = {
    tus: (await begin('PATCH', new URL(upload.headers.location ?? '', node.membersOrigin).pathname, { 'tus-resumable': '1.0.0', 'upload-offset': 0, 'content-type': 'application/offset+octet-stream', 'content-length': 1000 }))[0],
    stow: (await begin('POST', '/dicomweb/studies', { 'content-type': boundary, 'content-length': 1000 }, '--xyz\r\ncontent-type: application/dicom\r\n\r\n'))[0],
    chunk: (await begin('PUT', `/slides/${fresh.slideId}/chunks/${chunk.sha256}`, { 'content-type': 'application/octet-stream', 'content-length': chunkLength }))[0],
    wanted,
  }
  // All of that has been admitted before what comes after it.
  for (let round = 0; round < 20; round++) await fetch(`${node.origin}/access`)

  await world.withdraw(consent)
  for (const [name, ending] of Object.entries(underWay)) t.equal(await ending, 'cut', name)
  let bytes = 0
  await t.rejects((async () => {
    for await (const part of answer as AsyncIterable<Buffer>) bytes += part.length
  })(), 'the slide does not come to its end')
  t.ok(bytes < SLIDE.side ** 2 * SLIDE.tileBytes, `${bytes} bytes came`)
  const tile = `${node.origin}/slides/${slide.slideId}/tiles/0/0/0`
  const refused = await fetch(tile, { headers: await doctor.person.headers('GET', tile, doctor.token) })
  t.ok(refused.status === 401 || refused.status === 403, String(refused.status))
})

t.test('a withdrawal ends WHEP, links and sessions', async t => {
  const { world, under, node, consent, grant } = await openWorld(t)
  const microscope = await joinAs(t, node, await grant('scope'))
  await microscope.ok('publish', publishParameters())
  const scanner = await joinAs(t, node, await grant('scanner'))
  await scanner.ok('openLink', { paths: [{ name: 'first' }] })
  const doctor = await node.grantPerson(await node.signIn('doctor'), 'doctor', NEVER)
  const url = `${node.origin}/whep`
  const opened = await fetch(url, { method: 'POST', body: ForeignSdp.offer({ direction: 'recvonly' }), headers: { ...(await doctor.person.headers('POST', url, doctor.token)), 'content-type': 'application/sdp' } })
  t.equal(opened.status, 201, 'by a token that is bound to a key')
  t.equal(under.node.health.sessions, 3)
  await world.withdraw(consent)
  for (const client of [microscope, scanner]) t.match(await client.find(({ type }) => type === 'closing'), { fault: { code: 'consent_withdrawn' } })
  await until('everybody to have left', () => under.node.health.sessions === 0 && under.node.health.consultations === 0)
  const session = new URL(opened.headers.get('location') ?? '', node.origin).href
  const again = await fetch(session, { method: 'PATCH', headers: { ...(await doctor.person.headers('PATCH', session, doctor.token)), 'content-type': 'application/trickle-ice-sdpfrag', 'if-match': '*' } })
  t.equal(again.status, 401)
})

t.test('a recording ends when the last who may record loses that, though others watch on', async t => {
  const { world, under, node, consent } = await openWorld(t)
  const doctor = await node.signIn('doctor')
  const first = await LiveMember.join(node, await node.grantPerson(doctor, 'doctor', NEVER))
  t.teardown(() => first[Symbol.dispose]())
  await first.signaling.request('startRecording', {})
  t.equal(await under.metric('kenkyo_recordings_on'), 1)
  await world.sign(CASE, undefined, ['live', 'slide'])
  await world.withdraw(consent)
  t.match(await first.signaling.closed, { code: 'consent_withdrawn' })
  const second = await LiveMember.join(node, await node.grantPerson(doctor, 'doctor', NEVER))
  t.teardown(() => second[Symbol.dispose]())
  await t.rejects(second.signaling.request('startRecording', {}), { code: 'policy_refused' })
  await until('the recording to end', async () => (await under.metric('kenkyo_recordings_on')) === 0)
})
