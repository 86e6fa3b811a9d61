import { t } from 'tap'
import { LINE_INSET_PIXELS, LINE_WIDTH_PIXELS } from '../../clients/capture/pattern-layout.ts'
import { readPatternTile, tileFill } from '../../clients/capture/pattern.ts'
import { Stage } from '../harness/stage.ts'
import type { BrowserViewer, CanvasPixels } from '../../bench/chromium.ts'
import type { Test } from 'tap'

const COLUMNS = 6
const ROWS = 6
/** Of the card on which every tile and border is looked at. Of one four times as large the corners and the middle are: the same code paths, at 8K. */
const SMALL = { width: 640, height: 360 }
const EIGHT_K = { width: 1280, height: 720 }
/** How far a decoded pixel of a flat fill may be from what was drawn, in 8-bit luma. */
const FILL_TOLERANCE = 14

type TileSize = typeof SMALL

const openCard = (tile: TileSize, framesPerSecond: number): Promise<Stage> =>
  Stage.open(
    ['--source', 'pattern', '--width', String(COLUMNS * tile.width), '--height', String(ROWS * tile.height), '--columns', String(COLUMNS), '--rows', String(ROWS), '--frames-per-second', String(framesPerSecond)],
    { width: 2 * tile.width, height: 2 * tile.height },
  )

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
async function captureBlock(viewer: BrowserViewer, tile: TileSize, column: number, row: number): Promise<CanvasPixels> {
  const [x, y] = [column * tile.width, row * tile.height]
  await viewer.view({ x: x + tile.width, y: y + tile.height, scale: 1 })
  for (;;) {
    await viewer.until(`native at ${column},${row}`, ({ truth, drawnViewport }) => truth.pixels === 'native' && drawnViewport?.x === x && drawnViewport.y === y)
    const pixels = await viewer.capturePixels({ x: 0, y: 0, width: 2 * tile.width, height: 2 * tile.height })
    // A tile may have come late for just this instant; then the capture says so itself.
    if (pixels.truth.pixels === 'native' && pixels.drawnViewport?.x === x && pixels.drawnViewport.y === y) return pixels
  }
}

function tilesIn(pixels: CanvasPixels, tile: TileSize): (SeenTile | undefined)[] {
  return [0, 1, 2, 3].map(index =>
    readPatternTile(pixels, { x: (index % 2) * tile.width, y: Math.floor(index / 2) * tile.height, tileWidth: tile.width, tileHeight: tile.height }))
}

/** Every pixel column (or line) around the border in the middle of the canvas belongs to the tile it should. */
function borderIsExact(pixels: CanvasPixels, tile: TileSize, isVertical: boolean, along: number, before: number, after: number): boolean {
  const border = isVertical ? tile.width : tile.height
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

function checkBorders(t: Test, pixels: CanvasPixels, tile: TileSize, column: number, row: number): void {
  const fill = (c: number, r: number): number => tileFill(c, r)[0]
  // Low in the tile, where it is flat.
  const low = tile.height - 40
  const right = tile.width - 40
  t.ok(borderIsExact(pixels, tile, true, low, fill(column, row), fill(column + 1, row)), `border ${column}|${column + 1} in row ${row}`)
  t.ok(borderIsExact(pixels, tile, true, tile.height + low, fill(column, row + 1), fill(column + 1, row + 1)), `border ${column}|${column + 1} in row ${row + 1}`)
  t.ok(borderIsExact(pixels, tile, false, right, fill(column, row), fill(column, row + 1)), `border ${row}/${row + 1} in column ${column}`)
  t.ok(borderIsExact(pixels, tile, false, tile.width + right, fill(column + 1, row), fill(column + 1, row + 1)), `border ${row}/${row + 1} in column ${column + 1}`)
}

/** One frame, all of it where it belongs. @returns The tiles that were seen. */
async function checkBlock(t: Test, viewer: BrowserViewer, size: TileSize, column: number, row: number): Promise<(SeenTile | undefined)[]> {
  const pixels = await captureBlock(viewer, size, column, row)
  const tiles = tilesIn(pixels, size)
  t.match(tiles.map(tile => [tile?.column, tile?.row]), [[column, row], [column + 1, row], [column, row + 1], [column + 1, row + 1]], `block ${column},${row}`)
  t.equal(new Set(tiles.map(tile => tile?.frameNumber)).size, 1, 'one frame number in all tiles')
  t.equal(new Set(pixels.shown?.tiles.map(({ rtpTimestamp }) => rtpTimestamp)).size, 1, 'one RTP timestamp in all tiles')
  checkBorders(t, pixels, size, column, row)
  return tiles
}

t.test('on a card of 36 tiles', async t => {
  await using stage = await openCard(SMALL, 4)
  const { viewer } = stage

  await t.test('every tile shows its own coordinates at 1:1, all of one frame, and borders meet to the pixel', async t => {
    const seen = new Set<string>()
    for (let row = 0; row < ROWS - 1; row++) {
      for (let column = 0; column < COLUMNS - 1; column++) {
        for (const tile of await checkBlock(t, viewer, SMALL, column, row)) if (tile !== undefined) seen.add(`${tile.column},${tile.row}`)
      }
    }
    t.equal(seen.size, COLUMNS * ROWS, 'all 36 tiles were seen')
  })

  await t.test('the frame number advances in every tile', async t => {
    for (const [column, row] of [[0, 0], [2, 0], [4, 0], [0, 2], [2, 2], [4, 2], [0, 4], [2, 4], [4, 4]] as const) {
      const before = tilesIn(await captureBlock(viewer, SMALL, column, row), SMALL)
      const { shown } = await viewer.inspect()
      await viewer.until('a newer instant', now => now.shown !== null && now.shown.rtpTimestamp !== shown?.rtpTimestamp && now.truth.pixels === 'native')
      const after = tilesIn(await captureBlock(viewer, SMALL, column, row), SMALL)
      after.forEach((tile, index) => t.ok((tile?.frameNumber ?? 0) > (before[index]?.frameNumber ?? Infinity), `tile ${tile?.column},${tile?.row}`))
    }
  })

  t.same(viewer.pageErrors, [], 'the page threw nothing')
})

t.test('at 8K, too, the corners and the middle are to the pixel where they belong', async t => {
  await using stage = await openCard(EIGHT_K, 2)
  for (const [column, row] of [[0, 0], [4, 0], [2, 2], [0, 4], [4, 4]] as const) await checkBlock(t, stage.viewer, EIGHT_K, column, row)
  t.same(stage.viewer.pageErrors, [], 'the page threw nothing')
})
