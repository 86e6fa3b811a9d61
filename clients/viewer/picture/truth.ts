import type { Rendition } from '../../../relay/wire/pyramid.ts'
import type { SourceStatus } from '../../../relay/wire/signaling.ts'
import { millis } from '../../../relay/wire/units.ts'
import type { Millis } from '../../../relay/wire/units.ts'
import type { Rect } from '../view/viewport.ts'

/**
 * What the badge says of the picture.
 *
 * - `native`: one image pixel is one device pixel everywhere, all of one instant.
 * - `reduced`: `factor` image pixels (along one axis) are one device pixel.
 * - `upscaled`: somewhere on the canvas one encoded pixel is `factor` device pixels wide.
 * - `stale`: no new instant for `staleSeconds`; `factor` is that of the picture that stands still.
 * - `none`: some of the canvas should show the image and has nothing to show.
 */
export type TruthKind = 'native' | 'reduced' | 'upscaled' | 'stale' | 'none'

/** {@link TruthKind} with its numbers. */
export interface Truth {
  readonly kind: TruthKind
  /** The kind that it would be if it were not stale. */
  readonly pixels: Exclude<TruthKind, 'stale'>
  readonly factor: number
  /** Seconds since the last new instant while stale, else 0. */
  readonly staleSeconds: number
}

/** How sharp a picture is, whatever its age. */
export interface Sharpness {
  readonly kind: Exclude<TruthKind, 'stale'>
  readonly factor: number
}

/** The picture as it was drawn. */
export interface DrawnPicture {
  /** Device pixels per image pixel. */
  readonly scale: number
  /** The part of the image on the canvas, in image pixels. */
  readonly visible: Rect
  /** Renditions drawn that belong to the shown instant: tiles, `whole`, or an overview of that instant. */
  readonly current: readonly Rendition[]
  /** Drawn underneath, perhaps of an earlier instant; covers the whole image. */
  readonly underlay: Rendition | undefined
}

/** Rounding of scales computed in floating point. */
const TOLERANCE = 1e-6

/** Encoded pixels per image pixel along one axis: 1 for tiles, 0.25 for the overview of an 8K image. */
const density = (rendition: Rendition): number => rendition.width / rendition.region.width

const isDense = (rendition: Rendition): boolean => density(rendition) === 1

/** How sharp the drawn picture is at its worst place. */
export function sharpnessOf(picture: DrawnPicture): Sharpness {
  const isDenselyCovered = covers(picture.current.filter(isDense), picture.visible)
  const source = isDenselyCovered ? 1 : coarsestDensity(picture)
  if (source === undefined) return { kind: 'none', factor: 1 }
  const magnification = picture.scale / source
  if (magnification > 1 + TOLERANCE) return { kind: 'upscaled', factor: magnification }
  if (picture.scale === 1 && isDenselyCovered) return { kind: 'native', factor: 1 }
  return { kind: 'reduced', factor: 1 / picture.scale }
}

function coarsestDensity(picture: DrawnPicture): number | undefined {
  if (picture.underlay !== undefined) return density(picture.underlay)
  const coarse = picture.current.filter(rendition => !isDense(rendition))
  return covers(coarse, picture.visible) ? Math.min(...coarse.map(density)) : undefined
}

/**
 * The whole truth about a picture.
 *
 * @param age - Since its instant was drawn; undefined before the first instant.
 * @param limit - After such an age it is stale; see {@link staleAfter}.
 */
export function tellTruth(sharpness: Sharpness, age: Millis | undefined, limit: Millis): Truth {
  const { kind, factor } = sharpness
  if (age === undefined) return { kind: 'none', pixels: 'none', factor: 1, staleSeconds: 0 }
  if (age <= limit) return { kind, pixels: kind, factor, staleSeconds: 0 }
  return { kind: 'stale', pixels: kind, factor, staleSeconds: age / 1000 }
}

/** Whether regions that do not overlap each other leave nothing of `area` uncovered. */
export function covers(regions: readonly Pick<Rendition, 'region'>[], area: Rect): boolean {
  let covered = 0
  for (const { region } of regions) {
    const width = Math.min(region.x + region.width, area.x + area.width) - Math.max(region.x, area.x)
    const height = Math.min(region.y + region.height, area.y + area.height) - Math.max(region.y, area.y)
    if (width > 0 && height > 0) covered += width * height
  }
  return regions.length > 0 && covered >= area.width * area.height * (1 - TOLERANCE)
}

/** Frames per second that the source gives now: as reported when it is slow, else as declared. */
export function expectedRate(source: SourceStatus, declaredFramesPerSecond: number): number {
  return source.state === 'slow' && source.framesPerSecond > 0 ? source.framesPerSecond : declaredFramesPerSecond
}

/**
 * How long a picture may stand still before it is called stale: three frame intervals and at least half
 * a second, but never more than 0.9 s, except for a source that gives fewer than two frames a second.
 */
export function staleAfter(framesPerSecond: number): Millis {
  const interval = 1000 / framesPerSecond
  if (interval > 500) return millis(1.5 * interval)
  return millis(Math.min(900, Math.max(500, 3 * interval)))
}
