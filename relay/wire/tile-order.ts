import { columnsOf, rowsOf, squaresAcross, TILE_SQUARE, tilesOf } from './slide.ts'
import type { SlideLevel } from './slide.ts'

/** Where a tile stands in its level, counted from the top left corner. */
export interface TilePosition {
  readonly column: number
  readonly row: number
}

/** The place of a tile in the order of its level: by squares of `TILE_SQUARE` tiles a side, see `docs/SLIDES.md`. The position must be in the level. */
export function ordinalOf(level: SlideLevel, { column, row }: TilePosition): number {
  const columns = columnsOf(level)
  const left = column - (column % TILE_SQUARE)
  const top = row - (row % TILE_SQUARE)
  const height = Math.min(TILE_SQUARE, rowsOf(level) - top)
  const width = Math.min(TILE_SQUARE, columns - left)
  return top * columns + left * height + (row - top) * width + (column - left)
}

/** The tile at a place in the order of its level. */
export function tileAt(level: SlideLevel, ordinal: number): TilePosition {
  const columns = columnsOf(level)
  const top = Math.floor(ordinal / (columns * TILE_SQUARE)) * TILE_SQUARE
  const height = Math.min(TILE_SQUARE, rowsOf(level) - top)
  const inBand = ordinal - top * columns
  const left = Math.floor(inBand / (TILE_SQUARE * height)) * TILE_SQUARE
  const width = Math.min(TILE_SQUARE, columns - left)
  const inSquare = inBand - left * height
  return { column: left + (inSquare % width), row: top + Math.floor(inSquare / width) }
}

/** The square of a tile, counted in the order of the level. The position must be in the level. */
export const squareOf = (level: SlideLevel, { column, row }: TilePosition): number => Math.floor(row / TILE_SQUARE) * squaresAcross(level) + Math.floor(column / TILE_SQUARE)

/** The tiles of a square, a run in the order of the level. The square must be in the level. */
export function tilesOfSquare(level: SlideLevel, square: number): { readonly firstTile: number; readonly tiles: number } {
  const across = squaresAcross(level)
  const [column, row] = [(square % across) * TILE_SQUARE, Math.floor(square / across) * TILE_SQUARE]
  return { firstTile: ordinalOf(level, { column, row }), tiles: Math.min(TILE_SQUARE, columnsOf(level) - column) * Math.min(TILE_SQUARE, rowsOf(level) - row) }
}

/** Whether a level has a tile there. */
export const hasTile = (level: SlideLevel, { column, row }: TilePosition): boolean =>
  Number.isInteger(column) && Number.isInteger(row) && column >= 0 && row >= 0 && column < columnsOf(level) && row < rowsOf(level)

/** All tiles that a rectangle of a level's pixels touches, the ones nearest to its centre first. */
export function tilesIn(level: SlideLevel, area: { readonly x: number; readonly y: number; readonly width: number; readonly height: number }): TilePosition[] {
  const clamp = (value: number, count: number): number => Math.min(count - 1, Math.max(0, Math.floor(value)))
  const [columns, rows] = [columnsOf(level), rowsOf(level)]
  const [left, right] = [clamp(area.x / level.tileWidth, columns), clamp((area.x + area.width) / level.tileWidth, columns)]
  const [top, bottom] = [clamp(area.y / level.tileHeight, rows), clamp((area.y + area.height) / level.tileHeight, rows)]
  const tiles: TilePosition[] = []
  for (let row = top; row <= bottom && tiles.length < tilesOf(level); row++) for (let column = left; column <= right; column++) tiles.push({ column, row })
  const [x, y] = [(left + right) / 2, (top + bottom) / 2]
  const distance = (tile: TilePosition): number => (tile.column - x) ** 2 + (tile.row - y) ** 2
  return tiles.sort((a, b) => distance(a) - distance(b))
}
