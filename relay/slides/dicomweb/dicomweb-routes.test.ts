import { mkdtemp, readdir, readFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fastify from 'fastify'
import { t } from 'tap'
import { openDicomSlide } from '../formats/dicom-slide.ts'
import { RelayFault } from '../../wire/fault.ts'
import { bytes, millis } from '../../wire/units.ts'
import { FakeSlides } from '../../../test/fakes/fake-slides.ts'
import { paintSparsely, paintTile, smallSlide } from '../../../test/dicom/painted-slide.ts'
import { writeInstance, instanceOf } from './dicom-writer.ts'
import { dicomwebRoutes } from './dicomweb-routes.ts'
import { derivedUid, slideIdOfStudy, studyUidOf } from './dicom-uids.ts'
import { isWildcardMatch } from './query.ts'
import { StowFolder } from './stow-folder.ts'
import type { Test } from 'tap'
import type { FastifyInstance } from 'fastify'
import type { Clock } from '../../runtime/clock.ts'
import type { ConsultationId, MemberId, SlideId } from '../../wire/ids.ts'
import type { PaintTile } from '../../../test/fakes/fake-slides.ts'
import type { Authorise } from './dicomweb-routes.ts'

const SLIDE = '3f2504e0-4f89-41d3-9a0c-0305e82c3301' as SlideId
const STUDY = `/studies/${studyUidOf(SLIDE)}`
const SERIES = `${STUDY}/series/${derivedUid(SLIDE, 'series')}`
const INSTANCE = `${SERIES}/instances/${derivedUid(SLIDE, 'level-0')}`
const UPLOADER = { consultationId: 'case-1' as ConsultationId, memberId: 'scanner-1' as MemberId }
const BOUNDARY = 'between-the-parts'

interface Setup {
  readonly app: FastifyInstance
  readonly slides: FakeSlides
  readonly folder: StowFolder
  readonly directory: string
  readonly clock: Clock & { at: number }
}

interface SetupOptions {
  readonly paint?: PaintTile
  readonly authorise?: Authorise
  readonly identities?: 'strip' | 'refuse'
  readonly instanceBytes?: number
}

async function setup(t: Test, { paint = paintTile, authorise = () => Promise.resolve(() => true), identities = 'strip', instanceBytes = 1e6 }: SetupOptions = {}): Promise<Setup> {
  const slides = new FakeSlides()
  await slides.add(smallSlide(), paint)
  const directory = await mkdtemp(join(tmpdir(), 'stow-'))
  const clock = { at: 0, now: () => millis(clock.at), sleep: () => Promise.reject(new Error('nothing waits')) }
  const folder = await StowFolder.open({ directory, clock, identities, limits: { instanceBytes: bytes(instanceBytes), totalBytes: bytes(4e6), series: 2, instancesPerSeries: 4 } })
  const app = fastify({ logger: false })
  await app.register(dicomwebRoutes, { slides, authorise, publicUrl: 'https://node.example/dicomweb', sink: () => Promise.resolve(folder.sinkOf(UPLOADER)), limits: { parts: 8, bytes: 4e6 } })
  t.teardown(() => app.close())
  return { app, slides, folder, directory, clock }
}

async function fileOf(slides: FakeSlides, level: number): Promise<Buffer> {
  const parts: Uint8Array[] = []
  for await (const part of writeInstance(slides, instanceOf(slides, slides.slide(SLIDE)!, level)!)) parts.push(part)
  return Buffer.concat(parts)
}

const multipart = (files: readonly Buffer[], type = 'application/dicom'): Buffer =>
  Buffer.concat([...files.flatMap(file => [Buffer.from(`--${BOUNDARY}\r\nContent-Type: ${type}\r\n\r\n`), file, Buffer.from('\r\n')]), Buffer.from(`--${BOUNDARY}--\r\n`)])

const post = (app: FastifyInstance, payload: Buffer, url = '/studies', type = 'application/dicom') =>
  app.inject({ method: 'POST', url, payload, headers: { 'content-type': `multipart/related; type="${type}"; boundary=${BOUNDARY}` } })

type Json = Record<string, { readonly vr: string; readonly Value?: readonly unknown[] }>

t.test('a study UID leads back to its slide, and no other UID does', async t => {
  t.equal(slideIdOfStudy(studyUidOf(SLIDE)), SLIDE)
  for (const uid of ['1.2.3', '2.25.', '2.25.00', `2.25.${'9'.repeat(39)}`, '2.25.1/..']) t.equal(slideIdOfStudy(uid), undefined, uid)
})

t.test('a search finds by pseudonym, by date range and by wildcard, and pages', async t => {
  const { app } = await setup(t)
  const found = async (url: string): Promise<Json[]> => {
    const response = await app.inject(url)
    return response.statusCode === 204 ? [] : response.json<Json[]>()
  }
  const [study] = await found('/studies?PatientID=CASE-7Q2K')
  t.match(study, { '00100010': { vr: 'PN', Value: [{ Alphabetic: 'CASE-7Q2K' }] }, '0020000D': { Value: [studyUidOf(SLIDE)] }, '00201208': { vr: 'IS', Value: [2] }, '00100030': { vr: 'DA' } })
  t.notOk('Value' in study!['00100030']!, 'no date of birth')
  t.equal((await found('/studies?PatientName=case*')).length, 1)
  t.equal((await found('/studies?StudyDate=20260501-20260531')).length, 1)
  t.equal((await found('/studies?StudyDate=20260507-')).length, 0)
  t.equal((await found('/studies?00100020=OTHER')).length, 0)
  t.equal((await found('/series?Modality=SM')).length, 1)
  const instances = await found(`${STUDY}/instances`)
  t.same(instances.map(one => [one['00200013']?.Value, one['00280008']?.Value]), [[[1], [15]], [[2], [2]]])
  t.same((await found('/instances?limit=1&offset=1')).map(one => one['00200013']?.Value), [[2]])
  t.match((await app.inject('/instances?limit=1')).headers['warning'], /additional results/)
})

t.test('a search by what nobody searches by, or with another type than JSON, is refused', async t => {
  const { app } = await setup(t)
  for (const url of ['/studies?PatientAddress=x', '/studies?limit=-1', '/studies?__proto__=x', '/studies?SOPInstanceUID=1.2']) t.equal((await app.inject(url)).statusCode, 400, url)
  t.equal((await app.inject({ url: '/studies', headers: { accept: 'multipart/related; type="application/dicom+xml"' } })).statusCode, 406)
  t.equal((await app.inject('/studies/1.2.3/series')).statusCode, 404)
})

t.test('a wildcard match is linear in a pattern of many stars', async t => {
  t.ok(isWildcardMatch('CASE-7Q2K', 'C*7?2K', false))
  t.notOk(isWildcardMatch('a'.repeat(64), `${'*a'.repeat(500)}b`, false))
})

t.test('an instance comes as one file or as parts, and is a slide whose tiles are the stored ones', async t => {
  const { app, slides } = await setup(t)
  const single = await app.inject({ url: INSTANCE, headers: { accept: 'application/dicom' } })
  t.equal(single.headers['content-type'], 'application/dicom; transfer-syntax=1.2.840.10008.1.2.4.50')
  const parts = await app.inject(SERIES)
  t.match(parts.headers['content-type'], /^multipart\/related; type="application\/dicom"; boundary=/)
  t.ok(parts.rawPayload.includes(single.rawPayload))
  t.equal((await app.inject({ url: INSTANCE, headers: { accept: 'multipart/related; type="application/dicom"; transfer-syntax=1.2.840.10008.1.2.1' } })).statusCode, 406)
  t.ok(single.rawPayload.includes((await slides.readTile(SLIDE, 0, { column: 4, row: 2 })).subarray(-40)))
})

t.test('metadata has what frames are and no pixels', async t => {
  const { app } = await setup(t)
  const response = await app.inject(`${INSTANCE}/metadata`)
  t.equal(response.headers['content-type'], 'application/dicom+json')
  const [metadata] = response.json<Json[]>()
  t.match(metadata, { '00080016': { Value: ['1.2.840.10008.5.1.4.1.1.77.1.6'] }, '00480006': { vr: 'UL', Value: [300] }, '00209311': { Value: ['TILED_FULL'] }, '00120062': { Value: ['YES'] } })
  t.notOk('7FE00010' in metadata!)
  t.equal((await app.inject(`${SERIES}/metadata`)).json<Json[]>().length, 2)
})

t.test('frames come as parts, one alone as it is, and a rendered frame is a JPEG', async t => {
  const { app } = await setup(t)
  const frames = await app.inject(`${INSTANCE}/frames/1,15`)
  t.match(frames.headers['content-type'], /^multipart\/related; type="image\/jpeg"/)
  const last = await app.inject({ url: `${INSTANCE}/frames/15`, headers: { accept: 'image/jpeg' } })
  t.equal(last.rawPayload.readUInt16BE(0), 0xffd8)
  t.ok(frames.rawPayload.includes(last.rawPayload))
  t.same((await app.inject({ url: `${INSTANCE}/frames/15/rendered` })).rawPayload, last.rawPayload)
  for (const [list, status] of [['16', 404], ['0', 400], ['1,,2', 400], ['1e1', 400]] as const) t.equal((await app.inject(`${INSTANCE}/frames/${list}`)).statusCode, status, list)
  t.equal((await app.inject({ url: `${INSTANCE}/frames/1`, headers: { accept: 'multipart/related; type="application/octet-stream"' } })).statusCode, 406)
})

t.test('a level with tiles left out is sparse, its frames counted without them', async t => {
  const { app } = await setup(t, { paint: paintSparsely })
  const [metadata] = (await app.inject(`${INSTANCE}/metadata`)).json<Json[]>()
  t.match(metadata, { '00209311': { Value: ['TILED_SPARSE'] }, '00280008': { Value: [10] } })
  t.equal(metadata!['52009230']!.Value!.length, 10)
  t.equal((await app.inject(`${INSTANCE}/frames/11`)).statusCode, 404)
})

t.test('who may not see a slide finds nothing and is not told that it is there', async t => {
  const { app } = await setup(t, { authorise: () => Promise.resolve(() => false) })
  t.equal((await app.inject('/studies')).statusCode, 204)
  for (const url of [STUDY, `${SERIES}/metadata`, `${INSTANCE}/frames/1`, `${STUDY}/series`]) t.equal((await app.inject(url)).statusCode, 404, url)
  const { app: closed } = await setup(t, { authorise: () => Promise.reject(new RelayFault('grant_refused', 'no')) })
  for (const url of ['/studies', INSTANCE]) t.equal((await closed.inject(url)).statusCode, 403, url)
  t.equal((await post(closed, multipart([]))).statusCode, 403)
})

t.test('uploaded instances become a slide when nothing more comes', async t => {
  const { app, slides, folder, clock } = await setup(t, { paint: paintSparsely })
  const first = await post(app, multipart([await fileOf(slides, 0)]), STUDY)
  t.equal(first.statusCode, 200)
  t.match(first.json(), { '00081199': { Value: [{ '00081155': { Value: [derivedUid(SLIDE, 'level-0')] } }] } })
  clock.at = 9000
  t.equal((await post(app, multipart([await fileOf(slides, 1)]))).statusCode, 200)
  clock.at = 12_000
  t.same(folder.settled(millis(10_000)), [])
  clock.at = 19_000
  const [series] = folder.settled(millis(10_000))
  t.equal(series?.instances, 2)
  await using slide = await openDicomSlide(series!.directory)
  t.same(slide.levels.map(({ width }) => width), [300, 75])
  t.equal((await slide.readTile(0, 2, 0)).length, 0)
  t.ok((await slide.readTile(0, 1, 0)).includes((await slides.readTile(SLIDE, 0, { column: 1, row: 0 })).subarray(-40)))
  await folder.discard(series!)
  t.same(folder.settled(millis(0)), [])
})

t.test('a series keeps its slide id and whose it is over a restart, apart from the same series of another', async t => {
  const { slides, folder, directory, clock } = await setup(t)
  const file = await fileOf(slides, 1)
  const other = { ...UPLOADER, consultationId: 'case-2' as ConsultationId }
  const take = async (uploader: typeof UPLOADER): Promise<unknown> => (await folder.sinkOf(uploader).take((async function* () { yield file })(), undefined)).failure
  t.same([await take(UPLOADER), await take(other)], [undefined, undefined])
  const [before, after] = [folder.settled(millis(0)), (await StowFolder.open({ directory, clock, identities: 'strip', limits: { instanceBytes: bytes(1e6), totalBytes: bytes(4e6), series: 2, instancesPerSeries: 4 } })).settled(millis(0))]
  t.same(after.toSorted((a, b) => a.slideId.localeCompare(b.slideId)), before.toSorted((a, b) => a.slideId.localeCompare(b.slideId)))
  t.same(before.map(({ consultationId }) => consultationId), ['case-1', 'case-2'])
  folder.seal(before[0]!)
  t.equal(await take(UPLOADER), 0xa700, 'while its slide is made')
  for (const series of before) await folder.discard(series)
  t.same(await readdir(directory), [])
})

t.test('no identifying value of an uploaded instance is kept', async t => {
  const { app, slides, directory } = await setup(t)
  const file = await fileOf(slides, 1)
  t.equal((await post(app, multipart([file]))).statusCode, 200)
  const [series] = (await readdir(directory, { withFileTypes: true })).filter(entry => entry.isDirectory())
  const [name] = await readdir(join(directory, series!.name))
  const kept = await readFile(join(directory, series!.name, name!))
  t.ok(file.includes('CASE-7Q2K') && file.includes('20260506'))
  t.notOk(kept.includes('CASE-7Q2K'), 'in the patient, container and specimen attributes')
  t.notOk(kept.includes('20260506'))
  t.equal(kept.length, file.length)
})

t.test('what is not taken is answered with its reason, and nothing of it stays', async t => {
  const { app, slides, directory } = await setup(t, { identities: 'refuse', instanceBytes: 7000 })
  const good = await fileOf(slides, 1)
  const reason = async (file: Buffer, url?: string): Promise<unknown> => (await post(app, multipart([file]), url)).json<Record<string, { Value: Record<string, { Value: unknown[] }>[] }>>()['00081198']?.Value[0]?.['00081197']?.Value[0]
  const replaced = (from: string, to: string): Buffer => Buffer.from(good.toString('latin1').replaceAll(from, to), 'latin1')
  t.equal(await reason(replaced('77.1.6', '77.1.4')), 0x0122)
  t.equal(await reason(good, '/studies/1.2.3'), 0xa900)
  t.equal(await reason(Buffer.from('not DICOM')), 0xc000)
  t.equal(await reason(good.subarray(0, 700)), 0xc000)
  t.equal(await reason(replaced('\\VOLUME\\', '\\LABEL \\')), 0x0124)
  t.equal(await reason(replaced('YES ', 'NO  ')), 0x0124)
  t.equal(await reason(await fileOf(slides, 0)), 0xa700)
  const mixed = await post(app, multipart([good, Buffer.from('not DICOM')]))
  t.equal(mixed.statusCode, 202)
  t.equal((await readdir(directory)).length, 2, 'a series and whose it is')
})

t.test('a broken multipart message is refused', async t => {
  const { app, slides, directory } = await setup(t)
  const whole = multipart([await fileOf(slides, 1)])
  t.equal((await post(app, whole.subarray(0, -BOUNDARY.length - 10))).statusCode, 400)
  t.equal((await post(app, multipart([]))).statusCode, 400)
  t.equal((await post(app, multipart(Array.from({ length: 9 }, () => Buffer.from('x'))))).statusCode, 400)
  t.equal((await post(app, whole, '/studies', 'application/dicom+xml')).statusCode, 415)
  t.equal((await post(app, multipart([Buffer.from('x')], 'text/plain'))).statusCode, 415)
  t.equal((await post(app, Buffer.concat([whole, Buffer.alloc(4e6)]))).statusCode, 413)
  t.same((await readdir(directory)).filter(name => name.endsWith('.partial')), [])
})
