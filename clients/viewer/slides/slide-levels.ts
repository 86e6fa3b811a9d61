import type { SlideLevel, SlideStructure } from '../../../relay/wire/slide.ts'
import { tilesIn } from '../../../relay/wire/tile-order.ts'
import type { TilePosition } from '../../../relay/wire/tile-order.ts'
import type { Rect } from '../view/viewport.ts'

/** A level is taken while one of its pixels covers at least so many device pixels: finer ones would mostly be thrown away. */
const LEAST_ZOOM = 0.5
/** What shows less of a tile than that is not asked for, in pixels of the level: borders are computed with rounding. */
const SLIVER = 0.25

/** One tile of a slide. */
export interface TileAddress extends TilePosition {
  readonly level: number
}

/** Names a tile in maps. */
export const tileKey = ({ level, column, row }: TileAddress): string => `${level}/${column}/${row}`

/** @throws {Error} For a level that the structure has not. */
export function shapeOf(structure: SlideStructure, level: number): SlideLevel {
  const shape = structure.levels[level]
  if (shape === undefined) throw new Error('no such level')
  return shape
}

/** Pixels of a level to one of level 0, across. */
export const levelScale = (structure: SlideStructure, level: number): number => shapeOf(structure, level).width / shapeOf(structure, 0).width

/**
 * The level that a scale is shown from: the finest that is not reduced more than to the half.
 *
 * @param scale - Device pixels per pixel of level 0.
 */
export function levelFor(structure: SlideStructure, scale: number): number {
  const level = structure.levels.findIndex((_, index) => scale / levelScale(structure, index) >= LEAST_ZOOM - 1e-6)
  return level < 0 ? structure.levels.length - 1 : level
}

/** An area of level 0 in pixels of another level. Pyramids are not exact: each axis has its own scale. */
export function areaOnLevel(structure: SlideStructure, level: number, area: Rect): Rect {
  const [from, to] = [shapeOf(structure, 0), shapeOf(structure, level)]
  const [x, y] = [to.width / from.width, to.height / from.height]
  return { x: area.x * x, y: area.y * y, width: area.width * x, height: area.height * y }
}

/** The tiles of a level that an area of level 0 shows, the ones at its centre first; none for an empty area. */
export function tilesOfArea(structure: SlideStructure, level: number, area: Rect): TileAddress[] {
  const on = areaOnLevel(structure, level, area)
  if (on.width <= 2 * SLIVER || on.height <= 2 * SLIVER) return []
  const inner = { x: on.x + SLIVER, y: on.y + SLIVER, width: on.width - 2 * SLIVER, height: on.height - 2 * SLIVER }
  return tilesIn(shapeOf(structure, level), inner).map(position => ({ level, ...position }))
}
