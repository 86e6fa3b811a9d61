import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import sharp from 'sharp'
import t from 'tap'
import { drawTissue } from '../../clients/capture/tissue.ts'
import { isTelling, lumaPicture, ReferenceSlide } from './slide-position.ts'

const root = await mkdtemp(join(tmpdir(), 'kenkyo-position-'))
t.teardown(() => rm(root, { recursive: true }))
const path = join(root, 'slide.tif')
const SIDE = 1200
await sharp(drawTissue(SIDE, 0, SIDE), { raw: { width: SIDE, height: SIDE, channels: 3 } }).tiff({ compression: 'jpeg', quality: 90, tile: true }).toFile(path)
const reference = await ReferenceSlide.open(path)

/** What an encoder makes of a part of the slide: another brightness and contrast, and a loss. */
async function shownAt(x: number, y: number) {
  const { data, info } = await sharp(path).extract({ left: x, top: y, width: 256, height: 256 }).linear(0.9, 12).jpeg({ quality: 60 }).toBuffer({ resolveWithObject: true })
  const pixels = await sharp(data).raw().toBuffer()
  return lumaPicture(pixels, info.width, info.height)
}

t.test('finds a picture to the pixel, however far off it is within reach', async t => {
  for (const [x, y] of [[400, 300], [401, 300], [517, 423], [900, 900]] as const) {
    const picture = await shownAt(x, y)
    for (const off of [0, 1, -37, 200]) t.match(await reference.find(picture, { x: x + off, y: y - off }), { x, y }, `${x},${y} looked for ${off} off`)
  }
})

t.test('says that a picture is not there, or that there is nothing in it', async t => {
  t.equal(await reference.find(await shownAt(100, 100), { x: 900, y: 900 }), undefined)
  const glass = lumaPicture(new Uint8Array(256 * 256 * 3).fill(240), 256, 256)
  t.notOk(isTelling(glass))
  t.equal(await reference.find(glass, { x: 400, y: 400 }), undefined)
})
