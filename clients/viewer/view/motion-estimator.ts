import { millis } from '../../../relay/wire/units.ts'
import type { Millis } from '../../../relay/wire/units.ts'
import type { Viewport } from './viewport.ts'

/** How a viewport moves, per second. */
export interface Motion {
  /** In image pixels. */
  readonly x: number
  readonly y: number
  /** Of the scale: 1 doubles it in a second, -1 halves it. */
  readonly doublings: number
}

/** Bounds of the {@link MotionEstimator}. */
export const MOTION = {
  /** A view that has not changed for longer rests. */
  restAfterMs: millis(150),
  /** How long a change of speed takes to be believed. */
  smoothingMs: millis(60),
  /** Samples closer together are taken as one: their quotient would be noise. */
  shortestStepMs: millis(4),
  /** A single step of more device pixels, or of a larger change of scale, is a jump and no motion. */
  longestStepPixels: 1200,
  longestStepDoublings: 1,
} as const

/** Where a viewport will be if it goes on like that. */
export function extrapolate(viewport: Viewport, motion: Motion, ahead: Millis): Viewport {
  const seconds = ahead / 1000
  return {
    x: viewport.x + motion.x * seconds,
    y: viewport.y + motion.y * seconds,
    scale: viewport.scale * 2 ** (motion.doublings * seconds),
  }
}

/** Smoothed velocity of the viewport. Reads no clock: every sample brings its time. */
export class MotionEstimator {
  #last: { readonly viewport: Viewport; readonly at: Millis } | undefined
  #changedAt = millis(-Infinity)
  #motion: Motion | undefined

  /** The viewport was moved by hand. */
  sample(viewport: Viewport, now: Millis): void {
    const last = this.#last
    if (last === undefined || now - this.#changedAt > MOTION.restAfterMs || isJump(last.viewport, viewport)) {
      this.jump(viewport, now)
      return
    }
    if (isSame(last.viewport, viewport)) return
    this.#changedAt = now
    const elapsed = now - last.at
    if (elapsed < MOTION.shortestStepMs) return
    this.#last = { viewport, at: now }
    const step = velocity(last.viewport, viewport, elapsed)
    const believed = this.#motion === undefined ? 1 : 1 - Math.exp(-elapsed / MOTION.smoothingMs)
    this.#motion = blend(this.#motion ?? step, step, believed)
  }

  /** The viewport is somewhere else without having moved there. */
  jump(viewport: Viewport, now: Millis): void {
    this.#last = { viewport, at: now }
    this.#changedAt = now
    this.#motion = undefined
  }

  /** The motion at `now`; undefined while the view rests. */
  motionAt(now: Millis): Motion | undefined {
    return now - this.#changedAt > MOTION.restAfterMs ? undefined : this.#motion
  }
}

function isJump(from: Viewport, to: Viewport): boolean {
  const scale = Math.min(from.scale, to.scale)
  const isFar = Math.hypot(to.x - from.x, to.y - from.y) * scale > MOTION.longestStepPixels
  return isFar || Math.abs(Math.log2(to.scale / from.scale)) > MOTION.longestStepDoublings
}

const isSame = (a: Viewport, b: Viewport): boolean => a.x === b.x && a.y === b.y && a.scale === b.scale

function velocity(from: Viewport, to: Viewport, elapsedMs: number): Motion {
  const perSecond = 1000 / elapsedMs
  return { x: (to.x - from.x) * perSecond, y: (to.y - from.y) * perSecond, doublings: Math.log2(to.scale / from.scale) * perSecond }
}

function blend(a: Motion, b: Motion, share: number): Motion {
  const mix = (from: number, to: number): number => from + (to - from) * share
  return { x: mix(a.x, b.x), y: mix(a.y, b.y), doublings: mix(a.doublings, b.doublings) }
}
