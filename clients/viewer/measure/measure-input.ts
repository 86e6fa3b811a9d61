import { imagePoint } from '../view/viewport.ts'
import type { Point, Size, Viewport } from '../view/viewport.ts'
import type { MeasureTool } from './measure-tool.ts'

/** What points are measured on. */
export interface MeasuredView {
  readonly measure: MeasureTool
  readonly viewport: { readonly value: Viewport | null }
  /** In device pixels. */
  readonly canvas: { readonly value: Size }
}

/** Up to such a way a press is a point, beyond it a drag, in CSS pixels: a finger is less steady than a mouse. */
const STILL = { mouse: 4, pen: 8, touch: 12 } as const
const stillness = (pointerType: string): number => STILL[pointerType === 'touch' || pointerType === 'pen' ? pointerType : 'mouse']

function place({ measure, viewport, canvas }: MeasuredView, at: Point): void {
  if (viewport.value !== null) measure.place(imagePoint(viewport.value, canvas.value, at))
}

/** Sets a point at the centre of the canvas, for those who have no pointer. */
export function placeAtCentre(view: MeasuredView): void {
  const { width, height } = view.canvas.value
  place(view, { x: width / 2, y: height / 2 })
}

/** Sets points where somebody presses the picture with mouse, finger or pen. Dragging, wheel and pinch still move the picture. */
export class MeasureInput {
  readonly #element: HTMLElement
  readonly #view: MeasuredView
  /** Presses that may become points; none once there are several at a time. */
  readonly #downs = new Map<number, { readonly x: number; readonly y: number; isPoint: boolean }>()

  constructor(element: HTMLElement, view: MeasuredView) {
    this.#element = element
    this.#view = view
    element.addEventListener('pointerdown', event => this.#down(event))
    element.addEventListener('pointermove', event => this.#move(event))
    element.addEventListener('pointerup', event => this.#up(event))
    element.addEventListener('pointercancel', event => void this.#downs.delete(event.pointerId))
    element.addEventListener('pointerleave', () => (view.measure.hover.value = undefined))
    // A point that is set twice is no wish to zoom.
    globalThis.addEventListener('dblclick', event => this.#doubleClick(event), { capture: true })
  }

  #at(event: PointerEvent): Point {
    const box = this.#element.getBoundingClientRect()
    const ratio = this.#view.canvas.value.width / box.width
    return { x: (event.clientX - box.left) * ratio, y: (event.clientY - box.top) * ratio }
  }

  #down(event: PointerEvent): void {
    if (this.#view.measure.kind.value === null || event.button !== 0 || event.altKey || event.shiftKey) return
    this.#downs.set(event.pointerId, { x: event.clientX, y: event.clientY, isPoint: true })
    if (this.#downs.size > 1) for (const down of this.#downs.values()) down.isPoint = false
  }

  #move(event: PointerEvent): void {
    const { measure, viewport, canvas } = this.#view
    if (measure.kind.value === null || viewport.value === null) return
    measure.hover.value = imagePoint(viewport.value, canvas.value, this.#at(event))
    const down = this.#downs.get(event.pointerId)
    if (down !== undefined && Math.hypot(event.clientX - down.x, event.clientY - down.y) > stillness(event.pointerType)) down.isPoint = false
  }

  #up(event: PointerEvent): void {
    const down = this.#downs.get(event.pointerId)
    this.#downs.delete(event.pointerId)
    if (down?.isPoint === true) place(this.#view, this.#at(event))
    if (event.pointerType === 'touch') this.#view.measure.hover.value = undefined
  }

  #doubleClick(event: MouseEvent): void {
    if (this.#view.measure.kind.value === null || event.target !== this.#element) return
    event.stopImmediatePropagation()
    event.preventDefault()
  }
}
