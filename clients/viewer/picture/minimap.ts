import type { Millis } from '../../../relay/wire/units.ts'

/** A thumbnail of the overview; drawn rarely, because it is only for orientation. */
const INTERVAL_MS = 1000

/** Keeps a small canvas up to date with the overview. */
export class Minimap {
  readonly #canvas: OffscreenCanvas
  readonly #context: OffscreenCanvasRenderingContext2D | null
  #drawnAt = -Infinity

  constructor(canvas: OffscreenCanvas) {
    this.#canvas = canvas
    this.#context = canvas.getContext('2d', { alpha: false })
  }

  /** Nothing of what was seen is to be seen any more. */
  clear(): void {
    this.#context?.clearRect(0, 0, this.#canvas.width, this.#canvas.height)
  }

  /** Looks at an overview frame, which stays the caller's. */
  see(frame: VideoFrame | ImageBitmap, now: Millis): void {
    if (now - this.#drawnAt < INTERVAL_MS || this.#context === null) return
    this.#drawnAt = now
    this.#context.drawImage(frame, 0, 0, this.#canvas.width, this.#canvas.height)
  }
}
