import { computed, signal } from '@preact/signals'
import type { ReadonlySignal } from '@preact/signals'
import type { RenditionId } from '../../../relay/wire/ids.ts'
import type { Pyramid } from '../../../relay/wire/pyramid.ts'
import { millis } from '../../../relay/wire/units.ts'
import { expectationOf, isSameExpectation, NO_EXPECTATION } from './expectation.ts'
import type { Expectation, ToldFlow } from './expectation.ts'
import { MOTION, MotionEstimator } from './motion-estimator.ts'
import type { Motion } from './motion-estimator.ts'
import { coveredDemandOf, demandOf, NO_DEMAND } from './tile-demand.ts'
import type { Demand, ViewMode } from './tile-demand.ts'
import { visibleRect } from './viewport.ts'
import type { Point, Size, Viewport } from './viewport.ts'

/** What a {@link WatchPlan} is made from. */
export interface WatchedView {
  readonly pyramid: ReadonlySignal<Pyramid | undefined>
  readonly viewport: ReadonlySignal<Viewport | null>
  readonly canvas: ReadonlySignal<Size>
  readonly mode: ReadonlySignal<ViewMode>
}

/** From what is on the canvas, and where the eyes are, to what is asked for and what will come. */
export class WatchPlan {
  /** On the canvas, in device pixels; undefined while it is elsewhere. */
  readonly pointer = signal<Point | undefined>(undefined)
  /** What the node last said of what flows; undefined before it has said anything. */
  readonly told = signal<ToldFlow | undefined>(undefined)
  /** A slide lies over the canvas: nobody sees it. */
  readonly isCovered = signal(false)
  readonly demand: ReadonlySignal<Demand>
  readonly expectation: ReadonlySignal<Expectation>
  /** The tile under the pointer, else at the centre; the overview (or `whole`) where no tile is wanted. */
  readonly pointerRendition: ReadonlySignal<RenditionId | null>
  readonly #motion = signal<Motion | undefined>(undefined)
  readonly #estimator = new MotionEstimator()
  #restTimer: ReturnType<typeof setTimeout> | undefined

  constructor({ pyramid, viewport, canvas, mode }: WatchedView) {
    this.demand = computed(() => {
      if (pyramid.value === undefined || viewport.value === null) return NO_DEMAND
      if (this.isCovered.value) return coveredDemandOf(pyramid.value)
      const view = { viewport: viewport.value, canvas: canvas.value, mode: mode.value }
      return demandOf(pyramid.value, view, { pointer: this.pointer.value, motion: this.#motion.value })
    })
    this.pointerRendition = computed(() => this.demand.value.renditions[0] ?? null)
    let last = NO_EXPECTATION
    // The same object while it says the same: a pointer that moves must not redraw the picture.
    this.expectation = computed(() => {
      if (pyramid.value === undefined || viewport.value === null) return (last = NO_EXPECTATION)
      const visible = visibleRect(viewport.value, pyramid.value, canvas.value)
      const next = expectationOf(pyramid.value, visible, this.demand.value, this.told.value)
      return (last = isSameExpectation(last, next) ? last : next)
    })
  }

  /** The viewport was moved by hand. */
  moved(viewport: Viewport): void {
    const now = millis(performance.now())
    this.#estimator.sample(viewport, now)
    this.#motion.value = this.#estimator.motionAt(now)
    clearTimeout(this.#restTimer)
    this.#restTimer = setTimeout(() => (this.#motion.value = undefined), MOTION.restAfterMs)
  }

  /** The viewport is somewhere else without having moved there. */
  jumped(viewport: Viewport): void {
    this.#estimator.jump(viewport, millis(performance.now()))
    this.#motion.value = undefined
  }
}
