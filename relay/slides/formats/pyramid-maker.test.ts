import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import sharp from 'sharp'
import { t } from 'tap'
import { columnsOf, rowsOf } from '../../wire/slide.ts'
import { jpegCompleter } from '../../wire/tile-jpeg.ts'
import { makePyramid } from './pyramid-maker.ts'
import { planPyramid } from './pyramid-plan.ts'
import type { SlideLevel } from '../../wire/slide.ts'
import type { SlideReader } from './slide-reader.ts'

const level = (width: number, height: number, tileSide = 256): SlideLevel => ({
  width, height, tileWidth: tileSide, tileHeight: tileSide, isMade: false, encoding: { compression: 'jpeg', photometric: 'ycbcr', tables: '' },
})
const sizes = (levels: readonly SlideLevel[]): string => planPyramid(levels).map(({ kind, shape }) => `${kind} ${shape.width}x${shape.height}`).join(', ')

t.test('plans levels where a step is too large or an overview is missing', async t => {
  t.equal(sizes([level(1000, 900)]), 'kept 1000x900')
  t.equal(sizes([level(100_000, 80_000), level(25_000, 20_000), level(6250, 5000)]), 'kept 100000x80000, kept 25000x20000, kept 6250x5000, made 1562x1250')
  t.equal(sizes([level(64_000, 1000), level(2000, 31)]), 'kept 64000x1000, made 16000x250, made 4000x62, kept 2000x31')
  t.equal(sizes([level(9000, 9000, 250)]), 'kept 9000x9000, made 4500x4500, made 1125x1125', 'tiles that can only be halved')
  t.equal(sizes([level(9000, 9000, 251)]), 'kept 9000x9000', 'tiles that cannot be halved')
  t.equal(sizes([{ ...level(9000, 9000), encoding: { compression: 'jpeg2000', photometric: 'rgb', tables: '' } }]), 'kept 9000x9000', 'JPEG 2000')
})

/** A slide that is a smooth ramp: red grows to the right, green downwards. Its closing is noted. */
function rampSlide(shape: SlideLevel): SlideReader & { isClosed: boolean; reads: number } {
  return {
    format: 'tiff', levels: [shape], micronsPerPixel: undefined, objectivePower: 20, associated: [], withheld: ['Software'], isClosed: false, reads: 0,
    async readTile(_, column, row) {
      this.reads++
      const { tileWidth, tileHeight, width, height } = shape
      const pixels = new Uint8Array(tileWidth * tileHeight * 3)
      for (let y = 0; y < tileHeight; y++) for (let x = 0; x < tileWidth; x++) {
        pixels.set([Math.min(255, (255 * (column * tileWidth + x)) / width), Math.min(255, (255 * (row * tileHeight + y)) / height), 90], (y * tileWidth + x) * 3)
      }
      return sharp(pixels, { raw: { width: tileWidth, height: tileHeight, channels: 3 } }).jpeg({ quality: 95 }).toBuffer()
    },
    async [Symbol.asyncDispose]() {
      this.isClosed = true
    },
  }
}

t.test('makes a level that shows the same picture, four times smaller, also where tiles do not fit', async t => {
  const original = rampSlide(level(2500, 700, 240))
  const directory = t.testdir()
  const progress: number[] = []
  {
    await using slide = await makePyramid(original, { directory, onProgress: (done, all) => progress.push(done / all) })
    t.same(slide.levels.map(({ width, height, isMade }) => [width, height, isMade]), [[2500, 700, false], [625, 175, true]])
    t.same([slide.objectivePower, slide.withheld], [20, ['Software']])
    await slide.readTile(0, 0, 0)
    t.same(progress, [], 'nothing is made before it is read')
    const made = slide.levels[1]!
    let worst = 0
    for (let row = 0; row < rowsOf(made); row++) for (let column = 0; column < columnsOf(made); column++) {
      const pixels = await sharp(jpegCompleter(made.encoding)(await slide.readTile(1, column, row))).raw().toBuffer()
      for (const [x, y] of [[3, 3], [60, 100], [61, 59], [100, 170]] as const) {
        if (column * 256 + x >= made.width || row * 256 + y >= made.height) continue
        const at = (y * 256 + x) * 3
        worst = Math.max(worst, Math.abs(pixels[at]! - (255 * (column * 256 + x + 0.5)) / made.width), Math.abs(pixels[at + 1]! - (255 * (row * 256 + y + 0.5)) / made.height))
      }
    }
    t.ok(worst < 5, `off by ${worst}`)
    t.same(progress, [1 / 3, 2 / 3, 1])
    await t.rejects(slide.readTile(1, 3, 0), { code: 'out_of_range' })
  }
  t.ok(original.isClosed)
  const again = rampSlide(level(2500, 700, 240))
  await using slide = await makePyramid(again, { directory })
  t.equal(again.reads, 0, 'what was made is found again')
  t.ok((await slide.readTile(1, 0, 0)).length > 0)
})

t.test('an abort leaves nothing behind and closes the original', async t => {
  const original = rampSlide(level(5000, 2100, 256))
  const directory = t.testdir()
  const abort = new AbortController()
  {
    await using slide = await makePyramid(original, { directory, signal: abort.signal, onProgress: () => abort.abort(new Error('enough')) })
    await t.rejects(slide.readTile(1, 0, 0), { message: 'enough' })
    await t.rejects(slide.readTile(1, 0, 0), { message: 'enough' }, 'again')
  }
  t.same(await readdir(directory), [])
  t.ok(original.isClosed)
})

t.test('closing a slide ends the making of its levels', async t => {
  const original = rampSlide(level(5000, 2100, 256))
  const directory = t.testdir()
  const begun = Promise.withResolvers<undefined>()
  const slide = await makePyramid(original, { directory, onProgress: () => begun.resolve(undefined) })
  const read = t.rejects(slide.readTile(1, 0, 0), { code: 'unavailable' })
  await begun.promise
  await slide[Symbol.asyncDispose]()
  await read
  t.same(await readdir(directory), [])
  t.ok(original.isClosed)
})

t.test('a file of made tiles that is cut off is made anew', async t => {
  const directory = t.testdir()
  {
    await using slide = await makePyramid(rampSlide(level(2500, 700, 256)), { directory })
    await slide.readTile(1, 0, 0)
  }
  const path = join(directory, 'made-levels')
  const whole = await readFile(path)
  await writeFile(path, whole.subarray(0, whole.length - 5))
  const original = rampSlide(level(2500, 700, 256))
  await using slide = await makePyramid(original, { directory })
  await slide.readTile(1, 0, 0)
  t.ok(original.reads > 0 && slide.levels.length === 2)
  t.same(await readFile(path), whole)
})

t.test('a tile that cannot be decoded is a bad slide', async t => {
  const original = { ...rampSlide(level(2500, 700)), readTile: async () => Buffer.from('ffd8ffc0000b080100010001011100ffda0008010100003f00ffd9', 'hex') }
  await using slide = await makePyramid(original, { directory: t.testdir() })
  await t.rejects(slide.readTile(1, 0, 0), { code: 'bad_slide' })
})
