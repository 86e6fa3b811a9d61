import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { makeSmallTiff } from '../../../bench/slides/small-tiff.ts'
import { SMALL_SLIDE, writeSyntheticSlide } from '../../../bench/slides/synthetic-slide.ts'
import { createLogger } from '../../../relay/runtime/log.ts'
import { OVERVIEW, tileId } from '../../../relay/wire/ids.ts'
import { i420Bytes } from '../specimen.ts'
import { viewOf } from '../optics.ts'
import { openSlideMicroscope } from './slide-microscope.ts'

const root = await mkdtemp(join(tmpdir(), 'kenkyo-virtual-test-'))
const scratch = join(root, 'scratch')
await mkdir(scratch)
// Where the thread puts what it makes.
Object.assign(process.env, { TMPDIR: scratch })
t.teardown(() => rm(root, { recursive: true }))
const log = createLogger({ level: 'silent', program: 'test' })

t.test('a slide lies under a stage that travels its whole area, and comes sharp when it is looked at', async t => {
  const path = join(root, 'slide.svs')
  await writeSyntheticSlide(path, SMALL_SLIDE)
  await using microscope = await openSlideMicroscope({ kind: 'file', path }, log)
  const { optics, specimen, stage: { stage } } = microscope
  t.same(stage.objectives[0], { name: '40x', micrometresPerPixel: 0.25 })
  t.same(stage.travel.x, { min: 0, max: 0.25 * 16 * Math.floor(3000 / 16) })
  const image = { width: 1280, height: 720 }
  const rendition = { id: tileId(0, 0), width: 640, height: 360, region: { x: 320, y: 180, width: 640, height: 360 } } as Parameters<typeof viewOf>[2]
  const view = viewOf(stage.state, image, rendition, optics)
  const picture = new Uint8Array(i420Bytes(640, 360))
  specimen.draw(view, picture)
  const coarse = picture.slice()
  while (!specimen.prepare?.([view])) await new Promise(resolve => setImmediate(resolve))
  specimen.draw(view, picture)
  t.not(Buffer.compare(picture, coarse), 0, 'it was drawn before it was sharp')
  const overview = { id: OVERVIEW, width: 320, height: 180, region: { x: 0, y: 0, ...image } } as Parameters<typeof viewOf>[2]
  t.equal(viewOf({ ...stage.state, objective: stage.objectives.at(-1)?.name ?? '' }, image, overview, optics).level, 6)
})

t.test('what cannot be shown is refused with a code', async t => {
  await t.rejects(openSlideMicroscope({ kind: 'file', path: join(root, 'not-there.svs') }, log), { code: 'bad_source' })
  const noPicture = join(root, 'text.svs')
  await writeFile(noPicture, 'not a slide at all')
  await t.rejects(openSlideMicroscope({ kind: 'file', path: noPicture }, log), { name: 'RelayFault' })
  const broken = join(root, 'broken.svs')
  await writeFile(broken, await makeSmallTiff({ family: 'aperio', tile: Buffer.from('no picture') }))
  await t.rejects(openSlideMicroscope({ kind: 'file', path: broken }, log), { code: 'bad_slide' })
  const unscaled = join(root, 'unscaled.svs')
  await writeFile(unscaled, await makeSmallTiff({ family: 'aperio', description: 'Aperio Image Library v11 \r\nAppMag = 20' }))
  await t.rejects(openSlideMicroscope({ kind: 'file', path: unscaled }, log), { code: 'unsupported_slide' })
  t.same(await readdir(scratch), [], 'nothing is left behind')
})
