import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import sharp from 'sharp'
import { t } from 'tap'
import { openTiffSlide } from '../../relay/slides/formats/tiff-slide.ts'
import { columnsOf, tilesOf } from '../../relay/wire/slide.ts'
import { jpegCompleter } from '../../relay/wire/tile-jpeg.ts'
import { SMALL_SLIDE, writeSyntheticSlide } from './synthetic-slide.ts'

t.test('writes a slide of tiles that nearly all differ, the same one for the same seed', async t => {
  const path = join(t.testdir(), 'small.svs')
  const { tiles, bytes } = await writeSyntheticSlide(path, SMALL_SLIDE)
  const first = await readFile(path)
  t.equal(first.length, bytes)
  await using slide = await openTiffSlide(path)
  t.equal(slide.format, 'aperio')
  t.equal(slide.levels.reduce((sum, level) => sum + tilesOf(level), 0), tiles)
  const seen = new Set<string>()
  for (const [index, level] of slide.levels.entries()) {
    const complete = jpegCompleter(level.encoding)
    for (let tile = 0; tile < tilesOf(level); tile++) {
      const stored = await slide.readTile(index, tile % columnsOf(level), Math.floor(tile / columnsOf(level)))
      seen.add(createHash('sha256').update(stored).digest('base64'))
      // Restart markers in their order, and nothing left over: libjpeg would warn.
      await sharp(complete(stored), { failOn: 'warning' }).raw().toBuffer()
    }
  }
  t.ok(seen.size > 0.9 * tiles, `${seen.size} of ${tiles}`)
  await writeSyntheticSlide(path, SMALL_SLIDE)
  t.ok((await readFile(path)).equals(first))
})

t.test('plants texts where they are asked for', async t => {
  const path = join(t.testdir(), 'planted.svs')
  await writeSyntheticSlide(path, { ...SMALL_SLIDE, tileSide: 256, planted: { description: { Filename: 'PLANT-1' }, tags: { 315: 'PLANT-2', 65000: 'PLANT-3' }, label: 'PLANT-4', macro: 'PLANT-5', tile: 'PLANT-6', tables: 'PLANT-7' } })
  const bytes = await readFile(path)
  for (let plant = 1; plant <= 7; plant++) t.ok(bytes.includes(`PLANT-${plant}`))
  await using slide = await openTiffSlide(path)
  t.ok((await slide.readTile(0, 0, 0)).includes('PLANT-6'))
})
