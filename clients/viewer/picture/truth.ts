import { isMarkedCoarse } from '../../../relay/wire/coarse-mark.ts'
import type { Pyramid } from '../../../relay/wire/pyramid.ts'
import type { SourceStatus } from '../../../relay/wire/signaling.ts'
import { millis } from '../../../relay/wire/units.ts'
import type { Millis, RtpTimestamp } from '../../../relay/wire/units.ts'

/**
 * What the badge says of the picture.
 *
 * - `native`: one image pixel is one device pixel everywhere, all of one instant.
 * - `reduced`: `factor` image pixels (along one axis) are one device pixel.
 * - `coarse`: the source has not decoded all that this image shows; where it has not, the picture is less sharp than its pixels are many.
 * - `upscaled`: somewhere on the canvas one encoded pixel is `factor` device pixels wide.
 * - `stale`: no new instant for `staleSeconds`; `factor` is that of the picture that stands still.
 * - `none`: some of the canvas should show the image and has nothing to show.
 */
export type TruthKind = 'native' | 'reduced' | 'upscaled' | 'coarse' | 'stale' | 'none'

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

/** How the RTP timestamps of what is painted are known: as they are, or to about a frame. */
export type Alignment = 'exact' | 'approximate'

/**
 * Whether anything that is painted is coarse. Where timestamps are not exact, the mark in them cannot be read.
 *
 * @param painted - Timestamps of the images that are seen.
 */
export function isShownCoarse(pyramid: Pick<Pyramid, 'marksCoarse'>, painted: readonly RtpTimestamp[], alignment: Alignment): boolean {
  if (alignment === 'approximate') return pyramid.marksCoarse === true
  return painted.some(timestamp => isMarkedCoarse(pyramid, timestamp))
}

/** Rounding of scales computed in floating point. */
const TOLERANCE = 1e-6

/**
 * How sharp a drawn picture is at its worst visible place.
 *
 * @param scale - Device pixels per image pixel.
 * @param worstDensity - Encoded pixels per image pixel there; undefined where there is no image.
 * @param isCoarse - The source says that it shows less than there will be, or it cannot be known that it does not.
 */
export function sharpnessOf(scale: number, worstDensity: number | undefined, isCoarse = false): Sharpness {
  if (worstDensity === undefined) return { kind: 'none', factor: 1 }
  const magnification = scale / worstDensity
  if (isCoarse) return { kind: 'coarse', factor: Math.max(1, magnification) }
  if (magnification > 1 + TOLERANCE) return { kind: 'upscaled', factor: magnification }
  if (scale === 1 && worstDensity === 1) return { kind: 'native', factor: 1 }
  return { kind: 'reduced', factor: 1 / scale }
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
