import { existsSync } from 'node:fs'
import { join } from 'node:path'
import sharp from 'sharp'
import { t } from 'tap'
import { makeSmallTiff, SMALL, solidTile } from '../../../bench/slides/small-tiff.ts'
import { fuzzSlides } from '../../../bench/slides/fuzz-slides.ts'
import { asciiField, longField, shortField } from '../../../bench/slides/tiff-layout.ts'
import { jpegCompleter } from '../../wire/tile-jpeg.ts'
import { MemorySource } from './random-access-file.ts'
import { openTiffSlide, TiffSlide } from './tiff-slide.ts'
import { TiffFile } from './tiff-file.ts'
import type { SmallTiffOptions } from '../../../bench/slides/small-tiff.ts'

const REAL_SLIDE = join(import.meta.dirname, '../../../../shared/data/CMU-1-Small-Region.svs')
const KINDS = [{ isBig: false, isLittleEndian: true }, { isBig: false, isLittleEndian: false }, { isBig: true, isLittleEndian: true }, { isBig: true, isLittleEndian: false }] as const
const open = async (options: SmallTiffOptions): Promise<TiffSlide> => TiffSlide.open(new MemorySource(await makeSmallTiff(options)))

t.test('reads all families in classic TIFF and BigTIFF, of both byte orders', async t => {
  for (const kind of KINDS) {
    for (const [family, format] of [['aperio', 'aperio'], ['generic', 'tiff'], ['ome', 'ome-tiff']] as const) {
      await using slide = await open({ family, kind })
      const name = `${family} ${JSON.stringify(kind)}`
      t.equal(slide.format, format, name)
      t.same(slide.levels.map(({ width, height }) => [width, height]), [[160, 120], [40, 30]], name)
      t.same(slide.micronsPerPixel, { x: 0.5, y: 0.5 }, name)
      t.equal(slide.objectivePower, family === 'generic' ? undefined : 20, name)
      t.same(await slide.readTile(0, 2, 1), await solidTile('#e0a0c0'), `${name}: the tile is untouched`)
      t.same(await slide.readTile(1, 0, 0), await solidTile('#ffffff'))
      await t.rejects(slide.readTile(0, 3, 0), { code: 'out_of_range' })
      await t.rejects(slide.readTile(2, 0, 0), { code: 'out_of_range' })
    }
  }
})

t.test('what is no level by its words, its kind or its shape is a picture beside', async t => {
  const tile = await solidTile('#ffffff')
  const fields = [longField(256, 40), longField(257, 30), shortField(258, 8, 8, 8), shortField(259, 7), shortField(262, 6), shortField(277, 3), shortField(322, SMALL.tile), shortField(323, SMALL.tile), longField(324, 8), longField(325, tile.length)]
  const images = [
    { fields: [...fields, asciiField(270, 'Aperio Image Library v11\r\nlabel 40x30')] },
    { fields: [...fields, longField(254, 9)] },
    { fields: fields.map(field => (field.tag === 257 ? longField(257, 64) : field)) },
  ]
  await using slide = await open({ family: 'aperio', images })
  t.equal(slide.levels.length, 2)
  t.same(slide.associated.map(({ name }) => name), ['label', 'macro', 'other'])
  t.ok(['label image', 'macro image', 'other image', 'ImageDescription: Filename'].every(place => slide.withheld.includes(place)))
  await using generic = await open({ family: 'generic', images: [{ fields: [...fields, asciiField(270, 'Slide Label')] }] })
  t.same(generic.associated.map(({ name }) => name), ['label'])
})

t.test('tells places, never values: names of fields that are nobody’s are not told either', async t => {
  const description = 'Aperio Image Library v11\r\nx|AppMag = 20|Taro Yamada = 1|Filename = Taro'
  await using slide = await open({ family: 'aperio', description, fields: [asciiField(315, 'Taro'), asciiField(65_000, 'Taro'), { tag: 347, type: 7, value: Buffer.from('ffd8fffe00065461726fffd9', 'hex') }] })
  t.same(slide.withheld, ['ImageDescription: heading', 'ImageDescription: other field', 'ImageDescription: Filename', 'Artist', 'unknown tag 65000', 'JPEGTables: other segment'])
  t.notMatch(Buffer.from(slide.levels[0]!.encoding.tables, 'base64').toString('latin1'), /Taro/)
})

t.test('an entity of an OME-XML is not expanded, and its words are in no error', async t => {
  const xml = '<?xml version="1.0"?><!DOCTYPE OME [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]><OME><Image Name="&b;"><Pixels SizeX="160" SizeY="120"/></Image></OME>'
  await using slide = await open({ family: 'ome', description: xml })
  t.equal(slide.levels.length, 2)
  const nested = `<OME>${'<Taro>'.repeat(1000)}`
  await t.rejects(open({ family: 'ome', description: nested }), { code: 'bad_slide', message: /^OME-TIFF: its description is no XML$/ })
})

t.test('refuses files that are broken or cannot be handed on', async t => {
  const bomb = Buffer.from(await solidTile('#ffffff'))
  const frame = bomb.indexOf(Buffer.of(0xff, 0xc0))
  bomb.writeUInt32BE(0xffff_ffff, frame + 5)
  const refused: readonly (readonly [string, string, Partial<SmallTiffOptions>])[] = [
    ['zero width', 'bad_slide', { fields: [longField(256, 0)] }],
    ['zero height', 'bad_slide', { fields: [longField(257, 0)] }],
    ['tiles of no size', 'bad_slide', { fields: [shortField(322, 0)] }],
    ['tiles of 65,535 pixels', 'bad_slide', { fields: [shortField(322, 65_535), shortField(323, 65_535)] }],
    ['a billion tiles', 'bad_slide', { fields: [longField(256, 2_000_000), longField(257, 2_000_000)] }],
    ['tables of a billion tiles', 'bad_slide', { fields: [longField(256, 16_000_000), longField(257, 16_000_000), shortField(322, 1), shortField(323, 1)] }],
    ['too few tiles', 'bad_slide', { fields: [longField(256, 1000)] }],
    ['a tile outside of the file', 'bad_slide', { fields: [longField(324, 0xffff_fff0, 8, 8, 8, 8, 8)] }],
    ['a tile of a gigabyte', 'bad_slide', { fields: [longField(325, 1 << 30, 8, 8, 8, 8, 8)] }],
    ['a tile header that claims 65,535² pixels', 'bad_slide', { tile: bomb }],
    ['PNG that says it is JPEG', 'bad_slide', { tile: await sharp({ create: { width: 64, height: 64, channels: 3, background: '#fff' } }).png().toBuffer() }],
    ['JPEG that says it is JPEG 2000', 'bad_slide', { fields: [shortField(259, 33_005)] }],
    ['a grey JPEG that says it has colours', 'bad_slide', { tile: await sharp({ create: { width: 64, height: 64, channels: 3, background: '#fff' } }).toColourspace('b-w').jpeg().toBuffer() }],
    ['JPEG tables of 100 kB', 'bad_slide', { fields: [{ tag: 347, type: 7, value: Buffer.alloc(100_000) }] }],
    ['LZW', 'unsupported_slide', { fields: [shortField(259, 5)] }],
    ['16 bits', 'unsupported_slide', { fields: [shortField(258, 16, 16, 16)] }],
    ['separate planes', 'unsupported_slide', { fields: [shortField(284, 2)] }],
    ['NDPI', 'unsupported_slide', { family: 'generic', fields: [longField(65_420, 1)] }],
    ['Philips', 'unsupported_slide', { family: 'generic', fields: [asciiField(305, 'Philips DP v1.0')] }],
    ['Ventana', 'unsupported_slide', { family: 'generic', fields: [asciiField(700, '<?xml version="1.0"?><iScan X="1">')] }],
    ['a stack of OME', 'unsupported_slide', { family: 'ome', description: '<OME><Image><Pixels SizeX="160" SizeY="120" SizeZ="9"/></Image></OME>' }],
    ['OME of another size', 'unsupported_slide', { family: 'ome', description: '<OME><Image><Pixels SizeX="161" SizeY="120"/></Image></OME>' }],
    ['OME without an image', 'bad_slide', { family: 'ome', description: '<OME></OME>' }],
  ]
  for (const [name, code, options] of refused) await t.rejects(open({ family: 'aperio', ...options }), { name: 'RelayFault', code }, name)
})

t.test('tiles may share their bytes but not overlap', async t => {
  const { length } = await solidTile('#c080a0')
  await using same = await open({ family: 'aperio', fields: [longField(324, 8, 8, 8, 8, 8, 8), longField(325, length, length, length, length, length, length)] })
  t.equal((await same.readTile(0, 2, 1)).length, length)
  await using overlapping = await open({ family: 'aperio', fields: [longField(324, 8, 9, 10, 11, 12, 13), longField(325, length, length, length, length, length, length)] })
  await t.rejects(overlapping.readTile(0, 0, 0), { code: 'bad_slide' })
  await using sparse = await open({ family: 'aperio', fields: [longField(324, 8, 0, 0, 0, 0, 0), longField(325, length, 0, 0, 0, 0, 0)] })
  t.equal((await sparse.readTile(0, 1, 0)).length, 0, 'a tile that is left out is empty')
})

t.test('many tiles at once are those that are read one by one, and as strictly', async t => {
  await using slide = await open({ family: 'aperio' })
  const positions = [{ column: 2, row: 1 }, { column: 0, row: 0 }, { column: 1, row: 1 }]
  t.same(await slide.readTiles(0, positions), await Promise.all(positions.map(({ column, row }) => slide.readTile(0, column, row))))
  await t.rejects(slide.readTiles(0, [...positions, { column: 3, row: 0 }]), { code: 'out_of_range' })
  const { length } = await solidTile('#c080a0')
  await using sparse = await open({ family: 'aperio', fields: [longField(324, 8, 0, 0, 0, 0, 0), longField(325, length, 0, 0, 0, 0, 0)] })
  t.same((await sparse.readTiles(0, [{ column: 1, row: 0 }, { column: 0, row: 0 }])).map(tile => tile.length), [0, length])
  await using overlapping = await open({ family: 'aperio', fields: [longField(324, 8, 9, 10, 11, 12, 13), longField(325, length, length, length, length, length, length)] })
  await t.rejects(overlapping.readTiles(0, positions), { code: 'bad_slide' })
})

t.test('refuses directories in a circle, doubled tags and every cut', async t => {
  const sound = await makeSmallTiff({ family: 'generic' })
  const file = await TiffFile.open(new MemorySource(sound))
  const [first, second] = file.directories
  const circle = Buffer.from(sound)
  circle.writeUInt32LE(first!.offset, second!.offset + 2 + second!.entries.size * 12)
  await t.rejects(TiffFile.open(new MemorySource(circle)), { code: 'bad_slide' })
  const doubled = Buffer.from(sound)
  doubled.writeUInt16LE(256, first!.offset + 2 + 12)
  await t.rejects(TiffFile.open(new MemorySource(doubled)), { code: 'bad_slide' })
  for (let length = 0; length < sound.length; length += 7) {
    const opening = TiffSlide.open(new MemorySource(sound.subarray(0, length)))
    await t.rejects(opening, { name: 'RelayFault' }, `cut at ${length}`)
  }
})

t.test('thousands of broken headers end as a slide or a coded refusal', async t => {
  const { opened, refused, firstBug, slowestMillis, memoryBytes } = await fuzzSlides(3000, 7)
  t.equal(firstBug, undefined)
  t.ok(opened > 20 && (refused.get('bad_slide') ?? 0) > 500, 'some open, many do not')
  t.ok(slowestMillis < 5000 && memoryBytes < 200e6, `slowest ${slowestMillis.toFixed(0)} ms, memory ${(memoryBytes / 1e6).toFixed(0)} MB`)
})

t.test('reads a real slide of Aperio’s in its own colours', { skip: existsSync(REAL_SLIDE) ? false : 'the real slide is not here' }, async t => {
  await using slide = await openTiffSlide(REAL_SLIDE)
  t.match(slide, { format: 'aperio', objectivePower: 20, micronsPerPixel: { x: 0.499, y: 0.499 } })
  t.same(slide.levels.map(({ width, height, tileWidth }) => [width, height, tileWidth]), [[2220, 2967, 240]])
  t.same(slide.associated.map(({ name, width }) => [name, width]), [['thumbnail', 574], ['label', 387], ['macro', 1280]])
  const whole = jpegCompleter(slide.levels[0]!.encoding)(await slide.readTile(0, 4, 5))
  const shown = await sharp(whole).raw().toBuffer()
  const expected = await sharp(REAL_SLIDE).extract({ left: 960, top: 1200, width: 240, height: 240 }).removeAlpha().raw().toBuffer()
  let worst = 0
  for (const [index, value] of shown.entries()) worst = Math.max(worst, Math.abs(value - expected[index]!))
  t.ok(worst <= 2, `differs from libtiff by ${worst}`)
})
