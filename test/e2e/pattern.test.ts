import { t } from 'tap'
import { LINE_INSET_PIXELS, LINE_WIDTH_PIXELS } from '../../clients/capture/pattern-layout.ts'
import { readPatternTile, tileFill } from '../../clients/capture/pattern.ts'
import { Stage } from '../harness/stage.ts'
import type { CanvasPixels } from '../../bench/chromium.ts'
import type { Test } from 'tap'

const COLUMNS = 6
const ROWS = 6
const TILE = { width: 1280, height: 720 }
/** How far a decoded pixel of a flat fill may be from what was drawn, in 8-bit luma. */
const FILL_TOLERANCE = 14

const stage = await Stage.open(['--source', 'pattern', '--frames-per-second', '2'], { width: 2 * TILE.width, height: 2 * TILE.height })
t.teardown(() => stage[Symbol.asyncDispose]())
const { viewer } = stage

interface SeenTile {
  readonly column: number
  readonly row: number
  readonly frameNumber: number
}

/** Luma as the card means it (limited range) from displayed RGB. @see Rec. ITU-R BT.709-6 item 3.2 */
function lumaAt({ data, width }: CanvasPixels, x: number, y: number): number {
  const at = 4 * (y * width + x)
  const [r = 0, g = 0, b = 0] = data.subarray(at, at + 3)
  return 16 + (219 / 255) * (0.2126 * r + 0.7152 * g + 0.0722 * b)
}

/** The canvas when the 2x2 tiles from (column, row) on fill it at 1:1 and the viewer calls that native. */
async function captureBlock(column: number, row: number): Promise<CanvasPixels> {
  const [x, y] = [column * TILE.width, row * TILE.height]
  await viewer.view({ x: x + TILE.width, y: y + TILE.height, scale: 1 })
  for (;;) {
    await viewer.until(`native at ${column},${row}`, ({ truth, drawnViewport }) => truth.pixels === 'native' && drawnViewport?.x === x && drawnViewport.y === y)
    const pixels = await viewer.capturePixels({ x: 0, y: 0, width: 2 * TILE.width, height: 2 * TILE.height })
    // A tile may have come late for just this instant; then the capture says so itself.
    if (pixels.truth.pixels === 'native' && pixels.drawnViewport?.x === x && pixels.drawnViewport.y === y) return pixels
  }
}

function tilesIn(pixels: CanvasPixels): (SeenTile | undefined)[] {
  return [0, 1, 2, 3].map(index =>
    readPatternTile(pixels, { x: (index % 2) * TILE.width, y: Math.floor(index / 2) * TILE.height, tileWidth: TILE.width, tileHeight: TILE.height }))
}

/** Every pixel column (or line) around the border in the middle of the canvas belongs to the tile it should. */
function borderIsExact(pixels: CanvasPixels, isVertical: boolean, along: number, before: number, after: number): boolean {
  const border = isVertical ? TILE.width : TILE.height
  const sample = (at: number): number => (isVertical ? lumaAt(pixels, at, along) : lumaAt(pixels, along, at))
  for (let at = border - 4; at < border + 4; at++) {
    if (Math.abs(sample(at) - (at < border ? before : after)) > FILL_TOLERANCE) return false
  }
  // The reference line beyond the border stands exactly where it was drawn.
  const from = border + LINE_INSET_PIXELS
  const inside = sample(from) + sample(from + LINE_WIDTH_PIXELS - 1)
  const outside = sample(from - 2) + sample(from + LINE_WIDTH_PIXELS + 1)
  return Math.abs(inside - outside) > 60
}

function checkBorders(t: Test, pixels: CanvasPixels, column: number, row: number): void {
  const fill = (c: number, r: number): number => tileFill(c, r)[0]
  // Low in the tile, where it is flat.
  const low = TILE.height - 40
  const right = TILE.width - 40
  t.ok(borderIsExact(pixels, true, low, fill(column, row), fill(column + 1, row)), `border ${column}|${column + 1} in row ${row}`)
  t.ok(borderIsExact(pixels, true, TILE.height + low, fill(column, row + 1), fill(column + 1, row + 1)), `border ${column}|${column + 1} in row ${row + 1}`)
  t.ok(borderIsExact(pixels, false, right, fill(column, row), fill(column, row + 1)), `border ${row}/${row + 1} in column ${column}`)
  t.ok(borderIsExact(pixels, false, TILE.width + right, fill(column + 1, row), fill(column + 1, row + 1)), `border ${row}/${row + 1} in column ${column + 1}`)
}

t.test('every tile shows its own coordinates at 1:1, all of one frame, and borders meet to the pixel', async t => {
  const seen = new Set<string>()
  for (let row = 0; row < ROWS - 1; row++) {
    for (let column = 0; column < COLUMNS - 1; column++) {
      const pixels = await captureBlock(column, row)
      const tiles = tilesIn(pixels)
      t.match(tiles.map(tile => [tile?.column, tile?.row]), [[column, row], [column + 1, row], [column, row + 1], [column + 1, row + 1]], `block ${column},${row}`)
      t.equal(new Set(tiles.map(tile => tile?.frameNumber)).size, 1, 'one frame number in all tiles')
      t.equal(new Set(pixels.shown?.tiles.map(({ rtpTimestamp }) => rtpTimestamp)).size, 1, 'one RTP timestamp in all tiles')
      for (const tile of tiles) if (tile !== undefined) seen.add(`${tile.column},${tile.row}`)
      checkBorders(t, pixels, column, row)
    }
  }
  t.equal(seen.size, COLUMNS * ROWS, 'all 36 tiles were seen')
})

t.test('the frame number advances in every tile', async t => {
  for (const [column, row] of [[0, 0], [2, 0], [4, 0], [0, 2], [2, 2], [4, 2], [0, 4], [2, 4], [4, 4]] as const) {
    const before = tilesIn(await captureBlock(column, row))
    const { shown } = await viewer.inspect()
    await viewer.until('a newer instant', now => now.shown !== null && now.shown.rtpTimestamp !== shown?.rtpTimestamp && now.truth.pixels === 'native')
    const after = tilesIn(await captureBlock(column, row))
    after.forEach((tile, index) => t.ok((tile?.frameNumber ?? 0) > (before[index]?.frameNumber ?? Infinity), `tile ${tile?.column},${tile?.row}`))
  }
})

t.test('the page threw nothing', async t => {
  t.same(viewer.pageErrors, [])
})
