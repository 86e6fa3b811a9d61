import { mkdtemp, rm } from 'node:fs/promises'
import { existsSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { exportJWK, generateKeyPair } from 'jose'
import { t } from 'tap'
import { Upload } from 'tus-js-client'
import { SMALL_SLIDE, writeSyntheticSlide } from '../../bench/slides/synthetic-slide.ts'
import { systemClock } from '../../relay/runtime/clock.ts'
import { openSigningKey } from '../../relay/slides/manifest/heads.ts'
import { SlidePreparation } from '../../relay/slides/manifest/slide-preparation.ts'
import { HttpDoor } from '../../relay/slides/transfer/http-door.ts'
import { HttpsCarrier } from '../../relay/slides/transfer/https-carrier.ts'
import { SlideSender } from '../../relay/slides/transfer/slide-sender.ts'
import { SlideId } from '../../relay/wire/ids.ts'
import { NodeUnderTest } from '../harness/node-under-test.ts'
import { RawClient } from '../harness/raw-client.ts'
import type { SlideLevel } from '../../relay/wire/slide.ts'

const tokenOf = (link: string): string => new URLSearchParams(new URL(link).hash.slice(1)).get('invitation') ?? ''
const level: SlideLevel = { width: 3000, height: 2000, tileWidth: 256, tileHeight: 256, encoding: { compression: 'jpeg', photometric: 'ycbcr', tables: '' }, isMade: false }
const slideId = SlideId.parse('5f0f1bc8-3cb7-4a38-9d6b-0bb1a2c5ad11')

async function send(origin: string, token: string): Promise<void> {
  const key = await openSigningKey(await exportJWK((await generateKeyPair('EdDSA', { extractable: true })).privateKey))
  const structure = { version: 1, slideId, format: 'tiff', pseudonym: 'ABCD-1234', micronsPerPixel: null, objectivePower: null, levels: [level], removed: [] } as const
  const readTile = (_level: number, { column, row }: { column: number; row: number }): Promise<Buffer> => Promise.resolve(Buffer.alloc(9000, `${column}/${row}`))
  await using slide = new SlidePreparation({ structure: { ...structure, levels: [level], removed: [] }, key, tiles: { readTile, [Symbol.asyncDispose]: () => Promise.resolve() } })
  using door = new HttpDoor({ origin, token })
  await using carrier = new HttpsCarrier({ origin, token }, { clock: systemClock })
  await new SlideSender({ slide, door, carrier, clock: systemClock }).run(AbortSignal.timeout(20_000))
}

t.test('a running node takes a slide, tells its viewers, counts it, and has it still after a restart', async t => {
  const slidesDir = await mkdtemp(join(tmpdir(), 'kenkyo-slides-'))
  t.teardown(async () => {
    for (const directory of [slidesDir, `${slidesDir}-stowed`]) await rm(directory, { recursive: true, force: true })
  })
  const read = async (node: NodeUnderTest): Promise<{ state: string; bytesHere: number }[]> => {
    const answer = await fetch(`${node.node.origin}/slides`, { headers: { authorization: `Bearer ${tokenOf(await node.invite('viewer'))}` } })
    t.match(answer.headers.get('content-security-policy'), /default-src 'self'/)
    return ((await answer.json()) as { slides: { state: string; bytesHere: number }[] }).slides
  }
  {
    await using node = await NodeUnderTest.open({ links: false, slidesDir })
    await using viewer = await RawClient.join(await node.invite('viewer'))
    const scanner = await node.invite('scanner', { member: 'scanner-1' })
    await send(node.node.origin, tokenOf(scanner))
    await viewer.find(({ type, slides }) => type === 'slidesChanged' && (slides as { state: string }[])[0]?.state === 'complete')
    t.ok((await node.metric('kenkyo_slide_chunks_total', { outcome: 'stored' })) > 0)
    t.ok((await node.metric('kenkyo_slide_commit_chunks_sum')) === (await node.metric('kenkyo_slide_chunks_total', { outcome: 'stored' })), 'every chunk was in one commit')
    t.ok((await node.metric('kenkyo_slide_bytes')) >= (await node.metric('kenkyo_slide_arrived_bytes_total')))
    t.match(await read(node), [{ state: 'complete' }])
  }
  await using node = await NodeUnderTest.open({ links: false, slidesDir })
  const slides = await read(node)
  t.match(slides, [{ slideId, state: 'complete', levels: 1 }])
  t.equal(slides[0]!.bytesHere, 96 * 9000)
  const tile = await fetch(`${node.node.origin}/slides/${slideId}/tiles/0/3/2`, { headers: { authorization: `Bearer ${tokenOf(await node.invite('viewer'))}` } })
  t.same([tile.status, Buffer.from(await tile.arrayBuffer())], [200, Buffer.alloc(9000, '3/2')])
})

t.test('a scanner may join, and ask for nothing that belongs to other roles', async t => {
  await using node = await NodeUnderTest.open({ links: false })
  await using scanner = await RawClient.join(await node.invite('scanner'))
  t.equal(node.node.health.sessions, 1)
  t.equal(await scanner.refusal('createTransport', {}), 'wrong_role')
  t.equal(await scanner.refusal('readClock', {}), 'wrong_role')
  t.equal(await scanner.refusal('openLink', { paths: [{ name: 'main' }] }), 'unavailable')
})

t.test('a file that is uploaded by tus becomes a slide without names, where that is allowed', async t => {
  const slidesDir = await mkdtemp(join(tmpdir(), 'kenkyo-slides-'))
  t.teardown(async () => {
    for (const directory of [slidesDir, `${slidesDir}-stowed`, `${slidesDir}-uploads`]) await rm(directory, { recursive: true, force: true })
  })
  await using node = await NodeUnderTest.open({ links: false, slidesDir, slideUploads: true })
  const path = join(t.testdir(), 'YAMADA-TARO.svs')
  await writeSyntheticSlide(path, { ...SMALL_SLIDE, width: 1000, height: 700 })
  const headers = { authorization: `Bearer ${tokenOf(await node.invite('scanner'))}` }
  const url = await new Promise<string>((resolve, reject) => {
    const upload = new Upload(readFileSync(path), { endpoint: `${node.node.origin}/uploads`, headers, retryDelays: null, onError: reject, onSuccess: () => resolve(upload.url ?? '') })
    upload.start()
  })
  const deadline = performance.now() + 20_000
  let state: { state: string; slideId?: string; code?: string } = { state: 'receiving' }
  while (!['imported', 'failed'].includes(state.state) && performance.now() < deadline) state = (await (await fetch(url, { headers })).json()) as typeof state
  t.match(state, { state: 'imported', slideId: /^[0-9a-f-]{36}$/ })
  const viewer = { authorization: `Bearer ${tokenOf(await node.invite('viewer'))}` }
  const text = await (await fetch(`${node.node.origin}/slides`, { headers: viewer })).text()
  t.match(JSON.parse(text), { slides: [{ slideId: state.slideId, state: 'complete' }] })
  t.notMatch(text, /YAMADA/)
  t.not((await fetch(`${node.node.origin}/uploads`, { method: 'POST', headers: { ...viewer, 'tus-resumable': '1.0.0', 'upload-length': '5' } })).status, 201)
})

t.test('nothing with names in it is taken in by default, and what an earlier run took in is deleted', async t => {
  const slidesDir = await mkdtemp(join(tmpdir(), 'kenkyo-slides-'))
  const left = [`${slidesDir}-stowed`, `${slidesDir}-uploads`]
  t.teardown(async () => {
    for (const directory of [slidesDir, ...left]) await rm(directory, { recursive: true, force: true })
  })
  const statusOf = async (node: NodeUnderTest, path: string, headers: Record<string, string>): Promise<number> => {
    const authorization = `Bearer ${tokenOf(await node.invite('scanner'))}`
    return (await fetch(`${node.node.origin}${path}`, { method: 'POST', headers: { authorization, ...headers } })).status
  }
  for (const isOn of [true, false]) {
    await using node = await NodeUnderTest.open({ links: false, slidesDir, slideUploads: isOn, slideStow: isOn })
    t.equal(await statusOf(node, '/uploads', { 'tus-resumable': '1.0.0', 'upload-length': '5' }), isOn ? 201 : 404)
    t.equal((await statusOf(node, '/dicomweb/studies', { 'content-type': 'multipart/related; type="application/dicom"; boundary=b' })) === 404, !isOn)
    t.same(left.map(directory => existsSync(directory)), [isOn, isOn])
  }
})

t.test('without slides there are no routes, and no scanner is admitted', async t => {
  await using node = await NodeUnderTest.open({ links: false, slides: false })
  const answer = await fetch(`${node.node.origin}/slides`, { headers: { authorization: `Bearer ${tokenOf(await node.invite('viewer'))}` } })
  t.equal(answer.status, 404)
  await using scanner = await RawClient.open(await node.invite('scanner'))
  t.equal(await scanner.refusal('join', scanner.joinParameters()), 'unavailable')
})
