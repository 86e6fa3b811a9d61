import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import fastify from 'fastify'
import { t } from 'tap'
import { dicomwebRoutes } from '../../relay/slides/dicomweb/dicomweb-routes.ts'
import { instanceOf, writeInstance } from '../../relay/slides/dicomweb/dicom-writer.ts'
import { derivedUid, studyUidOf } from '../../relay/slides/dicomweb/dicom-uids.ts'
import { StowFolder } from '../../relay/slides/dicomweb/stow-folder.ts'
import { openDicomSlide } from '../../relay/slides/formats/dicom-slide.ts'
import { systemClock } from '../../relay/runtime/clock.ts'
import { bytes, millis } from '../../relay/wire/units.ts'
import { FakeSlides } from '../fakes/fake-slides.ts'
import { orthancMissing, startOrthanc } from './orthanc.ts'
import { paintSparsely, paintTile, smallSlide } from './painted-slide.ts'
import type { Test } from 'tap'
import type { ConsultationId, MemberId } from '../../relay/wire/ids.ts'
import type { PaintTile } from '../fakes/fake-slides.ts'

const run = promisify(execFile)
const { slideId } = smallSlide().structure
const SERIES = `studies/${studyUidOf(slideId)}/series/${derivedUid(slideId, 'series')}`

const isInstalled = (program: string): boolean => ['/usr/bin', '/usr/sbin'].some(directory => existsSync(join(directory, program)))
const without = (...programs: string[]): { skip: string | false } => {
  const missing = programs.filter(program => !isInstalled(program))
  return { skip: missing.length > 0 && `${missing.join(', ')} not installed` }
}

async function scratch(t: Test): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'dicom-programs-'))
  t.teardown(() => rm(directory, { recursive: true, force: true }))
  return directory
}

async function writtenFiles(t: Test, paint: PaintTile): Promise<string[]> {
  const [directory, slides, slide] = [await scratch(t), new FakeSlides(), smallSlide()]
  await slides.add(slide, paint)
  return Promise.all(
    slide.structure.levels.map(async (_, level) => {
      const path = join(directory, `${level}.dcm`)
      await writeFile(path, writeInstance(slides, instanceOf(slides, slide, level)!))
      return path
    }),
  )
}

t.test('dcmtk reads every instance and decodes its first frame', without('dcmftest', 'dcmdump', 'dcmj2pnm'), async t => {
  for (const file of [...(await writtenFiles(t, paintTile)), ...(await writtenFiles(t, paintSparsely))]) {
    t.match((await run('dcmftest', [file])).stdout, /^yes:/)
    const { stdout, stderr } = await run('dcmdump', [file])
    t.match(stdout, /VLWholeSlideMicroscopyImageStorage/)
    t.equal(stderr, '')
    const { stdout: picture } = await run('dcmj2pnm', [file], { encoding: 'buffer' })
    // Netpbm, 64×64; the top left tile is (40, 40, 200).
    t.match(picture.toString('latin1', 0, 20), /^P6\n(?:#.*\n)?64 64\n255\n/)
    const [red = 0, green = 0, blue = 0] = picture.subarray(-3)
    t.ok(Math.abs(red - 40) < 4 && Math.abs(green - 40) < 4 && Math.abs(blue - 200) < 4, `${red} ${green} ${blue}`)
  }
})

t.test('dciodvfy finds no error in any instance', without('dciodvfy'), async t => {
  for (const paint of [paintTile, paintSparsely]) {
    for (const file of await writtenFiles(t, paint)) {
      // It exits with 1 when it found an error.
      const { stdout, stderr } = await run('dciodvfy', [file]).catch((failure: unknown) => failure as { stdout: string; stderr: string })
      t.match(stdout + stderr, /VLWholeSlideMicroscopyImage/)
      // It counts the frames of a sparse level as if none were left out.
      t.same(`${stdout}${stderr}`.split('\n').filter(line => line.startsWith('Error') && !(paint === paintSparsely && line.includes('NumberOfFrames does not match'))), [])
    }
  }
})

t.test('Orthanc takes what WADO-RS gives and gives the same frames; STOW-RS takes what Orthanc sends', { skip: orthancMissing, timeout: 60_000 }, async t => {
  const [slides, directory] = [new FakeSlides(), await scratch(t)]
  await slides.add(smallSlide(), paintTile)
  const folder = await StowFolder.open({ directory, clock: systemClock, identities: 'strip', limits: { instanceBytes: bytes(1e6), totalBytes: bytes(1e7), series: 4, instancesPerSeries: 8 } })
  const app = fastify({ logger: false })
  t.teardown(() => app.close())
  await app.register(dicomwebRoutes, { prefix: '/dicomweb', slides, authorise: () => Promise.resolve(() => true), publicUrl: 'https://node.example/dicomweb', sink: () => Promise.resolve(folder.sinkOf({ consultationId: 'case-1' as ConsultationId, memberId: 'scanner-1' as MemberId })) })
  const ours = `${await app.listen({ host: '127.0.0.1', port: 0 })}/dicomweb`
  const orthanc = await startOrthanc(t, `${ours}/`)

  const retrieved = await fetch(`${ours}/${SERIES}`)
  const stored = await fetch(`${orthanc}/dicom-web/studies`, {
    method: 'POST',
    headers: { 'content-type': retrieved.headers.get('content-type')!, accept: 'application/dicom+json' },
    body: await retrieved.arrayBuffer(),
  })
  t.equal(stored.status, 200)
  const answer = (await stored.json()) as Record<string, { Value?: unknown[] }>
  t.equal(answer['00081199']?.Value?.length, 2, 'both instances are kept')
  t.notOk(answer['00081198']?.Value?.length)

  const ourFrame = await fetch(`${ours}/${SERIES}/instances/${derivedUid(slideId, 'level-0')}/frames/8`, { headers: { accept: 'image/jpeg' } })
  const frame = Buffer.from(await ourFrame.arrayBuffer())
  const theirs = await fetch(`${orthanc}/dicom-web/${SERIES}/instances/${derivedUid(slideId, 'level-0')}/frames/8`, { headers: { accept: 'multipart/related; type="image/jpeg"; transfer-syntax=1.2.840.10008.1.2.4.50' } })
  t.equal(theirs.status, 200)
  t.ok(Buffer.from(await theirs.arrayBuffer()).includes(frame), 'frame 8 is the same there')

  const [series] = (await (await fetch(`${orthanc}/series`)).json()) as string[]
  const sent = await fetch(`${orthanc}/dicom-web/servers/kenkyo/stow`, { method: 'POST', body: JSON.stringify({ Resources: [series], Synchronous: true }) })
  t.equal(sent.status, 200)
  const [stowed] = folder.settled(millis(0))
  t.equal(stowed?.instances, 2)
  await using slide = await openDicomSlide(stowed!.directory)
  t.same(slide.levels.map(({ width, height }) => [width, height]), [[300, 170], [75, 42]])
  t.ok((await slide.readTile(0, 2, 1)).subarray(0, frame.length).equals(frame))
})
