import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import sharp from 'sharp'
import { t } from 'tap'
import { cleanTile } from '../../relay/slides/deidentify/clean-tile.ts'
import { DeidentifiedSlide } from '../../relay/slides/deidentify/deidentified-slide.ts'
import { openTiffSlide } from '../../relay/slides/formats/tiff-slide.ts'
import { reassemble } from '../../relay/slides/manifest/reassemble.ts'
import type { Test } from 'tap'
import type { SlideId } from '../../relay/wire/ids.ts'

const run = promisify(execFile)
const REAL_SLIDE = fileURLToPath(new URL('../../../shared/data/CMU-1-Small-Region.svs', import.meta.url))
const slideId = '6f1ed002-ab5c-4a5f-8a53-2f4f3b1fd4cc' as SlideId

const hasOpenSlide = await run('openslide-show-properties', ['--version']).then(() => true, () => false)
const noOpenSlide = hasOpenSlide ? false : 'OpenSlide is not installed (Debian package openslide-tools)'

/** A slide that libvips wrote: JPEG tiles in a pyramid, 40,000 pixels per centimetre. */
async function libvipsSlide(path: string, { width, height, isGrey = false }: { width: number; height: number; isGrey?: boolean }): Promise<string> {
  const channels = isGrey ? 1 : 3
  const pixels = Buffer.from(Array.from({ length: width * height * channels }, (_, index) => (index >> 4) % 256))
  const image = sharp(pixels, { raw: { width, height, channels } })
  await image.tiff({ tile: true, pyramid: true, tileWidth: 256, tileHeight: 256, compression: 'jpeg', quality: 80, resolutionUnit: 'cm', xres: 4000, yres: 4000 }).toFile(path)
  return path
}

async function reassembled(from: string, to: string): Promise<DeidentifiedSlide> {
  await using slide = new DeidentifiedSlide(await openTiffSlide(from), { slideId, pseudonym: 'AAAA-BBBB-CCCC' })
  await reassemble(slide.structure, (level, column, row) => slide.readTile(level, { column, row }), to)
  return slide
}

async function propertiesOf(path: string): Promise<Map<string, string>> {
  const { stdout } = await run('openslide-show-properties', [path])
  return new Map(stdout.split('\n').map(line => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 2)]))
}

/** SHA-256 of what OpenSlide shows of a whole level. */
async function shown(path: string, level: number, size: { width: number; height: number }, to: string): Promise<string> {
  await run('openslide-write-png', [path, '0', '0', String(level), String(size.width), String(size.height), to])
  return createHash('sha256').update(await sharp(to).raw().toBuffer()).digest('hex')
}

async function expectSamePixels(t: Test, original: string, copy: string, { structure: { levels } }: DeidentifiedSlide): Promise<void> {
  const directory = dirname(copy)
  for (const [level, { width, height }] of levels.entries()) {
    t.equal(await shown(copy, level, { width, height }, join(directory, 'copy.png')), await shown(original, level, { width, height }, join(directory, 'original.png')), `level ${level}`)
  }
}

t.test('OpenSlide shows the same pixels of a slide that libvips wrote', { skip: noOpenSlide }, async t => {
  for (const isGrey of [false, true]) {
    const directory = t.testdir()
    const original = await libvipsSlide(join(directory, 'original.tif'), { width: 1100, height: 700, isGrey })
    const copy = join(directory, 'copy.tif')
    const slide = await reassembled(original, copy)
    const properties = await propertiesOf(copy)
    t.equal(properties.get('openslide.vendor'), "'aperio'")
    t.equal(properties.get('openslide.level-count'), `'${slide.structure.levels.length}'`)
    t.equal(properties.get('openslide.mpp-x'), `'${slide.structure.micronsPerPixel?.x}'`)
    await expectSamePixels(t, original, copy, slide)
  }
})

t.test('OpenSlide shows the same pixels, size and magnification of a real slide', { skip: noOpenSlide || (existsSync(REAL_SLIDE) ? false : 'the real slide is not here') }, async t => {
  const copy = join(t.testdir(), 'copy.tif')
  const slide = await reassembled(REAL_SLIDE, copy)
  const [before, after] = [await propertiesOf(REAL_SLIDE), await propertiesOf(copy)]
  for (const name of ['openslide.level-count', 'openslide.level[0].width', 'openslide.level[0].height', 'openslide.level[0].tile-width', 'openslide.mpp-x', 'openslide.mpp-y', 'openslide.objective-power']) {
    t.ok(before.get(name))
    t.equal(after.get(name), before.get(name), name)
  }
  const told = [...after.keys()].filter(name => name.startsWith('aperio.') || name.startsWith('tiff.'))
  t.same(told.sort(), ['aperio.AppMag', 'aperio.MPP', 'tiff.ImageDescription', 'tiff.ResolutionUnit', 'tiff.XResolution', 'tiff.YResolution'])
  await expectSamePixels(t, REAL_SLIDE, copy, slide)
})

/** A tile of 64×64 that OpenJPEG wrote: red grows to the right, green downwards. Has a comment. */
const JPEG2000_TILE = Buffer.from(
  '/0//UQAvAAAAAABAAAAAQAAAAAAAAAAAAAAAQAAAAEAAAAAAAAAAAAADBwEBBwEBBwEB/1IADAAAAAEAAgQEAAD/XAARQl9SUAVQBVBHV9NX01di/2QAJQABQ3JlYXRlZCBieSBPcGVuSlBFRyB2ZXJzaW9uIDIuNS4w/5AACgAAAAAAYAAB/5PPiRARazKu5hxk6XKNE2JxGLA3nufsSZH2GOsL5sKdYXzX99N8z4kYEo65qon/RyFsjU5yBj8JCZyaTF+C02N932pSc5znOc5z3smAgICAgICA/9k=',
  'base64',
)

t.test('OpenSlide shows JPEG 2000 tiles whose comments were cut out, as with them', { skip: noOpenSlide }, async t => {
  const directory = t.testdir()
  const shape = { width: 128, height: 64, tileWidth: 64, tileHeight: 64, isMade: false, encoding: { compression: 'jpeg2000' as const, photometric: 'rgb' as const, tables: '' } }
  const structure = { version: 1 as const, slideId, format: 'aperio' as const, pseudonym: 'AAAA', micronsPerPixel: null, objectivePower: null, levels: [shape], removed: [] }
  const clean = cleanTile(JPEG2000_TILE, 'jpeg2000').bytes
  t.ok(clean.length < JPEG2000_TILE.length)
  const [before, after, png] = [join(directory, 'before.tif'), join(directory, 'after.tif'), join(directory, 'after.png')]
  await reassemble(structure, () => Promise.resolve(JPEG2000_TILE), before)
  await reassemble(structure, () => Promise.resolve(clean), after)
  t.equal(await shown(after, 0, shape, png), await shown(before, 0, shape, join(directory, 'before.png')))
  const pixels = await sharp(png).removeAlpha().raw().toBuffer()
  const [red = 0, green = 255, blue = 0] = pixels.subarray(3 * (64 + 60))
  t.ok(red > 200 && green < 60 && Math.abs(blue - 128) < 30, 'the upper right of a tile is red')
})

t.test('the reader reads back the same structure and tiles, and the same bytes come out again', async t => {
  const directory = t.testdir()
  const original = await libvipsSlide(join(directory, 'original.tif'), { width: 700, height: 600 })
  const [first, second, third] = ['first.tif', 'second.tif', 'third.tif'].map(name => join(directory, name))
  if (first === undefined || second === undefined || third === undefined) throw new Error('three names')
  const slide = await reassembled(original, first)
  await reassembled(original, second)
  const again = await reassembled(first, third)
  t.ok((await readFile(first)).equals(await readFile(second)))
  t.ok((await readFile(first)).equals(await readFile(third)))
  t.same(again.structure.levels, slide.structure.levels)
  t.same(again.structure.micronsPerPixel, slide.structure.micronsPerPixel)
  t.same((await readdir(directory)).filter(name => name.endsWith('.part')), [])
})

t.test('a level whose tiles are left out reads back as empty', async t => {
  const path = join(t.testdir(), 'sparse.tif')
  const shape = { width: 600, height: 300, tileWidth: 256, tileHeight: 256, isMade: false, encoding: { compression: 'jpeg' as const, photometric: 'ycbcr' as const, tables: '' } }
  await reassemble({ version: 1, slideId, format: 'tiff', pseudonym: 'AAAA', micronsPerPixel: null, objectivePower: null, levels: [shape], removed: [] }, () => Promise.resolve(Buffer.alloc(0)), path)
  await using slide = await openTiffSlide(path)
  t.equal((await slide.readTile(0, 2, 1)).length, 0)
  t.equal(slide.micronsPerPixel, undefined)
})

t.test('leaves no file when it is stopped or a tile fails, and says how far it is', async t => {
  const directory = t.testdir()
  const path = join(directory, 'copy.tif')
  const original = await libvipsSlide(join(directory, 'original.tif'), { width: 700, height: 600 })
  await using slide = new DeidentifiedSlide(await openTiffSlide(original), { slideId, pseudonym: 'AAAA' })
  const seen: number[] = []
  const stop = new AbortController()
  const tiles = (level: number, column: number, row: number): Promise<Buffer> => slide.readTile(level, { column, row })
  const onProgress = (done: number, all: number): void => {
    seen.push(done, all)
    if (done === 3) stop.abort()
  }
  await t.rejects(reassemble(slide.structure, tiles, path, { signal: stop.signal, onProgress }), { name: 'AbortError' })
  t.same(seen.slice(0, 2), [1, seen[1]])
  await t.rejects(reassemble(slide.structure, () => Promise.reject(new Error('lost')), path), { message: 'lost' })
  t.same(await readdir(directory), ['original.tif'])
})
