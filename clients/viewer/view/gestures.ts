import { stickToNative } from './viewport.ts'
import type { Point, Size, Viewport } from './viewport.ts'

/** A stage that can be dragged; in micrometres. */
export interface GestureStage {
  /** Where it is going; undefined where there is none. */
  readonly place: Point | undefined
  readonly micrometresPerPixel: number
  reachFor(target: { x: number; y: number }): void
}

/** What gestures act on. Points and distances are in device pixels. */
export interface GestureTarget {
  readonly stage: GestureStage
  readonly viewport: { readonly value: Viewport | null }
  readonly canvas: { readonly value: Size }
  zoom(factor: number, at?: Point): void
  zoomTo(scale: number, at?: Point): void
  pan(by: Point): void
  fit(): void
  pointAt(at: Point | undefined): void
}

/** Wheel travel, in CSS pixels, that doubles the scale; a trackpad's pinch comes as small steps with Ctrl. */
const WHEEL_PIXELS_PER_DOUBLING = 300
const PINCH_PIXELS_PER_DOUBLING = 100
/** CSS pixels that a wheel step in lines or pages stands for. */
const WHEEL_UNIT_PIXELS = [1, 33, 300] as const

/** Lets a person move the picture like a map, with wheel, pointers and double-click. */
export class Gestures {
  readonly #element: HTMLElement
  readonly #target: GestureTarget
  readonly #pointers = new Map<number, Point>()
  /** Scale and finger distance when a second finger came down. */
  #pinch: { readonly scale: number; readonly distance: number } | undefined
  /** Where pointer and stage were when the stage was taken hold of. */
  #hold: { readonly at: Point; readonly place: Point } | undefined

  constructor(element: HTMLElement, target: GestureTarget) {
    this.#element = element
    this.#target = target
    element.addEventListener('wheel', event => this.#wheel(event), { passive: false })
    element.addEventListener('pointerdown', event => this.#down(event))
    element.addEventListener('pointermove', event => this.#move(event))
    element.addEventListener('pointerleave', () => target.pointAt(undefined))
    for (const type of ['pointerup', 'pointercancel'] as const) element.addEventListener(type, event => this.#up(event))
    element.addEventListener('dblclick', event => this.#doubleClick(event))
  }

  #devicePoint(event: MouseEvent): Point {
    const box = this.#element.getBoundingClientRect()
    const ratio = this.#target.canvas.value.width / box.width
    return { x: (event.clientX - box.left) * ratio, y: (event.clientY - box.top) * ratio }
  }

  #wheel(event: WheelEvent): void {
    event.preventDefault()
    const travel = event.deltaY * (WHEEL_UNIT_PIXELS[event.deltaMode] ?? 1)
    const doubling = event.ctrlKey ? PINCH_PIXELS_PER_DOUBLING : WHEEL_PIXELS_PER_DOUBLING
    this.#target.zoom(2 ** (-travel / doubling), this.#devicePoint(event))
  }

  #down(event: PointerEvent): void {
    if (event.button !== 0) return
    this.#element.setPointerCapture(event.pointerId)
    const at = this.#devicePoint(event)
    this.#pointers.set(event.pointerId, at)
    const { place } = this.#target.stage
    this.#hold = holdsStage(event) && place !== undefined ? { at, place } : undefined
    this.#startPinch()
  }

  #up(event: PointerEvent): void {
    this.#hold = undefined
    this.#pointers.delete(event.pointerId)
    this.#startPinch()
  }

  #startPinch(): void {
    const scale = this.#target.viewport.value?.scale
    this.#pinch = this.#pointers.size === 2 && scale !== undefined ? { scale, distance: this.#spread() } : undefined
  }

  #move(event: PointerEvent): void {
    const at = this.#devicePoint(event)
    this.#target.pointAt(at)
    if (!this.#pointers.has(event.pointerId)) return
    if (this.#hold !== undefined) {
      this.#dragStage(this.#hold, at)
      return
    }
    const centreBefore = this.#middle()
    this.#pointers.set(event.pointerId, at)
    const centre = this.#middle()
    this.#target.pan({ x: centre.x - centreBefore.x, y: centre.y - centreBefore.y })
    if (this.#pinch === undefined) return
    this.#target.zoomTo(stickToNative((this.#pinch.scale * this.#spread()) / this.#pinch.distance), centre)
  }

  /** The slide follows the pointer: the stage's centre goes the other way. */
  #dragStage({ at: start, place }: { readonly at: Point; readonly place: Point }, at: Point): void {
    const scale = this.#target.viewport.value?.scale
    if (scale === undefined) return
    const micrometres = this.#target.stage.micrometresPerPixel / scale
    this.#target.stage.reachFor({ x: place.x + (start.x - at.x) * micrometres, y: place.y + (start.y - at.y) * micrometres })
  }

  /** Brings the slide point under a canvas point to the centre of the canvas. */
  #centreStage(at: Point): void {
    const { place } = this.#target.stage
    const { width, height } = this.#target.canvas.value
    if (place !== undefined) this.#dragStage({ at, place }, { x: width / 2, y: height / 2 })
  }

  #middle(): Point {
    const points = [...this.#pointers.values()]
    const sum = points.reduce((total, point) => ({ x: total.x + point.x, y: total.y + point.y }), { x: 0, y: 0 })
    return { x: sum.x / points.length, y: sum.y / points.length }
  }

  #spread(): number {
    const [a, b] = [...this.#pointers.values()]
    return a === undefined || b === undefined ? 1 : Math.max(1, Math.hypot(a.x - b.x, a.y - b.y))
  }

  #doubleClick(event: MouseEvent): void {
    const scale = this.#target.viewport.value?.scale
    if (scale === undefined) return
    const at = this.#devicePoint(event)
    if (event.altKey && this.#target.stage.place !== undefined) this.#centreStage(at)
    else if (!event.shiftKey) this.#target.zoomTo(scale < 1 ? 1 : scale * 2, at)
    else if (scale > 1) this.#target.zoomTo(Math.max(1, scale / 2), at)
    else this.#target.fit()
  }
}

/** Alt, or Shift where the desktop keeps Alt and the pointer for its windows. */
const holdsStage = (event: PointerEvent): boolean => event.altKey || event.shiftKey
