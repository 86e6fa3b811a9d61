import sharp from 'sharp'
import t from 'tap'
import { gridPositions, tileRegion } from '../../relay/wire/pyramid.ts'
import { decodeTileCode, encodeTileCode } from './pattern-code.ts'
import { COLOUR_PATCHES, patternLayout } from './pattern-layout.ts'
import { PatternCard, readPatternTile, tileFill, toBt709 } from './pattern.ts'
import type { RgbaPixels } from './pattern.ts'

const GRID = { width: 1536, height: 576, columns: 3, rows: 2 }

/** The card's luma as grey RGBA, limited range stretched to full, as a player does. */
function toRgba(i420: Buffer, width: number, height: number): RgbaPixels {
  const data = new Uint8ClampedArray(width * height * 4)
  for (let at = 0; at < width * height; at++) data.fill(((i420[at]! - 16) * 255) / 219, at * 4, at * 4 + 3)
  return { data, width, height }
}

t.test('every tile says its own position and the frame number', async t => {
  const card = new PatternCard(GRID)
  for (const frameNumber of [0, 1, 4711, 65_535, 65_536 + 9]) {
    const pixels = toRgba(card.draw(frameNumber), GRID.width, GRID.height)
    for (const { column, row } of gridPositions(GRID)) {
      const { x, y, width, height } = tileRegion(GRID, column, row)
      t.same(readPatternTile(pixels, { x, y, tileWidth: width, tileHeight: height }), { column, row, frameNumber: frameNumber & 0xffff })
    }
  }
})

t.test('is read through the noise of a poor JPEG', async t => {
  const card = new PatternCard(GRID)
  const { data } = toRgba(card.draw(31_337), GRID.width, GRID.height)
  const jpeg = await sharp(data, { raw: { width: GRID.width, height: GRID.height, channels: 4 } }).removeAlpha().jpeg({ quality: 15 }).toBuffer()
  const decoded = await sharp(jpeg).ensureAlpha().raw().toBuffer()
  const region = tileRegion(GRID, 2, 1)
  const read = readPatternTile({ data: decoded, width: GRID.width, height: GRID.height }, { x: region.x, y: region.y, tileWidth: region.width, tileHeight: region.height })
  t.same(read, { column: 2, row: 1, frameNumber: 31_337 })
})

t.test('reads nothing where there is no strip, half of one, or a damaged one', async t => {
  const card = new PatternCard(GRID)
  const pixels = toRgba(card.draw(7), GRID.width, GRID.height)
  const tile = { tileWidth: 512, tileHeight: 288 }
  t.equal(readPatternTile(pixels, { x: 8, y: 0, ...tile }), undefined, 'shifted by half a block')
  t.equal(readPatternTile(pixels, { x: 0, y: 100, ...tile }), undefined, 'elsewhere')
  t.equal(readPatternTile(pixels, { x: 1400, y: 0, ...tile }), undefined, 'beyond the pixels')
  t.equal(readPatternTile(pixels, { x: -64, y: 0, ...tile }), undefined, 'before the pixels')
  const bits = [...encodeTileCode({ column: 1, row: 2, frameNumber: 3 })]
  bits[20] = !bits[20]
  t.equal(decodeTileCode(bits), undefined, 'one bit wrong')
})

t.test('neighbouring tiles differ, and the chart is drawn as its colours say', async t => {
  const card = new PatternCard(GRID)
  const frame = card.draw(0)
  t.not(tileFill(0, 0)[0], tileFill(1, 0)[0])
  const { patches } = patternLayout({ width: 512, height: 288 })
  t.equal(patches.length, COLOUR_PATCHES.length)
  for (const [index, patch] of patches.entries()) {
    const [luma, cb] = toBt709(COLOUR_PATCHES[index]!)
    const x = patch.x + patch.width / 2, y = patch.y + patch.height / 2
    t.equal(frame[y * GRID.width + x], luma)
    t.equal(frame[GRID.width * GRID.height + (y / 2) * (GRID.width / 2) + x / 2], cb)
  }
})

t.test('converts as BT.709 does', async t => {
  t.same(toBt709([255, 255, 255]), [235, 128, 128])
  t.same(toBt709([0, 0, 0]), [16, 128, 128])
  t.same(toBt709([255, 0, 0]), [63, 102, 240])
  t.same(toBt709([0, 0, 255]), [32, 240, 118])
})

t.test('refuses tiles too small for their strip', async t => {
  t.throws(() => new PatternCard({ width: 256, height: 144, columns: 4, rows: 4 }), { code: 'bad_config' })
  t.doesNotThrow(() => new PatternCard({ width: 320, height: 256, columns: 2, rows: 2 }))
})
