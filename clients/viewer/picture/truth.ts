import type { SourceStatus } from '../../../relay/wire/signaling.ts'
import { millis } from '../../../relay/wire/units.ts'
import type { Millis } from '../../../relay/wire/units.ts'

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

/** Rounding of scales computed in floating point. */
const TOLERANCE = 1e-6

/**
 * How sharp a drawn picture is at its worst visible place.
 *
 * @param scale - Device pixels per image pixel.
 * @param worstDensity - Encoded pixels per image pixel there; undefined where there is no image.
 */
export function sharpnessOf(scale: number, worstDensity: number | undefined): Sharpness {
  if (worstDensity === undefined) return { kind: 'none', factor: 1 }
  const magnification = scale / worstDensity
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
