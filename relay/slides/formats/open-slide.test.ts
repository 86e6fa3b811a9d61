import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import sharp from 'sharp'
import { t } from 'tap'
import { makeSmallTiff } from '../../../bench/slides/small-tiff.ts'
import { longField } from '../../../bench/slides/tiff-layout.ts'
import { SMALL_SLIDE, writeSyntheticSlide } from '../../../bench/slides/synthetic-slide.ts'
import { jpegCompleter } from '../../wire/tile-jpeg.ts'
import { openForeignSlide } from './foreign-slide.ts'
import { kindOfFile, openSlide } from './open-slide.ts'

const REAL_SLIDE = join(import.meta.dirname, '../../../../shared/data/CMU-1-Small-Region.svs')
const { VIPSHOME: _, ...env } = process.env
const libvips = spawnSync('vips', ['-l', 'foreign'], { encoding: 'utf8', env })
const noLibvips = libvips.error === undefined && libvips.stdout.includes('openslideload') ? false : 'libvips with OpenSlide is not installed (Debian package libvips-tools)'

t.test('tells files apart by their first bytes', async t => {
  t.equal(kindOfFile(Buffer.from('49492a0008000000', 'hex')), 'tiff')
  t.equal(kindOfFile(Buffer.from('4d4d002b00080000000000000000001000', 'hex')), 'tiff')
  t.equal(kindOfFile(Buffer.concat([Buffer.from('49492a0008000000', 'hex'), Buffer.alloc(120), Buffer.from('DICM')])), 'dicom', 'a DICOM file may begin as a TIFF does')
  for (const other of ['', '4949', '49492b00080001000000000000000000', '504b0304']) t.equal(kindOfFile(Buffer.from(other, 'hex')), 'other', other)
})

t.test('opens a TIFF itself', async t => {
  const path = join(t.testdir(), 'a.svs')
  await writeFile(path, await makeSmallTiff({ family: 'aperio' }))
  await using slide = await openSlide(path)
  t.equal(slide.format, 'aperio')
})

t.test('says which package is missing, for a kind of file that needs it', async t => {
  const path = join(t.testdir(), 'a.ndpi')
  await writeFile(path, await makeSmallTiff({ family: 'generic', fields: [longField(65_420, 1)] }))
  const commands = { vips: 'no-such-vips', vipsheader: 'no-such-vipsheader' }
  await t.rejects(openSlide(path, { commands }), { code: 'unsupported_slide', message: /libvips-tools/ })
})

t.test('a broken TIFF is not given to OpenSlide', async t => {
  const path = join(t.testdir(), 'a.svs')
  await writeFile(path, await makeSmallTiff({ family: 'aperio', fields: [longField(256, 0)] }))
  await t.rejects(openSlide(path, { commands: { vips: 'no-such-vips', vipsheader: 'no-such-vipsheader' } }), { code: 'bad_slide' })
})

t.test('converts what only OpenSlide reads, and deletes it when the slide is closed', { skip: noLibvips }, async t => {
  const scratchDirectory = t.testdir()
  const slidePath = join(t.testdir({}), 'a.svs')
  await writeSyntheticSlide(slidePath, { ...SMALL_SLIDE, planted: { label: 'Taro', description: { Filename: 'Taro' } } })
  const shares: number[] = []
  {
    await using slide = await openForeignSlide(slidePath, { scratchDirectory, onProgress: share => shares.push(share) })
    t.match(slide, { format: 'foreign', objectivePower: 40, micronsPerPixel: { x: 0.25, y: 0.25 } })
    t.ok(slide.levels.every(({ isMade }) => isMade) && slide.levels.length >= 3)
    t.equal(slide.withheld[0], 'vendor properties')
    const { info } = await sharp(jpegCompleter(slide.levels[0]!.encoding)(await slide.readTile(0, 1, 1))).raw().toBuffer({ resolveWithObject: true })
    t.same([info.width, info.height], [256, 256])
    t.equal((await readdir(scratchDirectory)).filter(name => name.startsWith('kenkyo-slide-')).length, 1)
  }
  t.equal((await readdir(scratchDirectory)).filter(name => name.startsWith('kenkyo-slide-')).length, 0)
  t.equal(shares.at(-1), 1)
  await t.rejects(openForeignSlide(slidePath, { scratchDirectory, signal: AbortSignal.abort(new Error('enough')) }), { message: 'enough' })
})

t.test('knows of label and macro images that it leaves behind', { skip: noLibvips || (existsSync(REAL_SLIDE) ? false : 'the real slide is not here') }, async t => {
  await using slide = await openForeignSlide(REAL_SLIDE, { scratchDirectory: t.testdir() })
  t.same(slide.associated.map(({ name }) => name).sort(), ['label', 'macro', 'thumbnail'])
  t.same(slide.withheld, ['vendor properties', ...slide.associated.map(({ name }) => `${name} image`)])
})

t.test('refuses what OpenSlide does not know', { skip: noLibvips }, async t => {
  const directory = t.testdir({ 'a.mrxs': 'no slide', 'b].mrxs': 'no slide' })
  for (const name of ['a.mrxs', 'b].mrxs']) await t.rejects(openSlide(join(directory, name)), { code: 'unsupported_slide' })
})
