import { DRAWING_LIMITS } from '../../../relay/wire/pointing.ts'
import type { DrawnGeometry, ImagePoint } from '../../../relay/wire/pointing.ts'

/** What can be drawn. */
export const DRAWING_TOOLS = ['point', 'arrow', 'line', 'polygon', 'text'] as const
export type DrawingTool = (typeof DRAWING_TOOLS)[number]

/** An annotation while it is drawn, in image pixels: pressed, drawn, let go. Does no I/O. */
export class ImageDraft {
  readonly tool: Exclude<DrawingTool, 'text'>
  /** Of a movement that counts, in image pixels. */
  readonly #least: number
  #points: ImagePoint[]

  constructor(tool: Exclude<DrawingTool, 'text'>, at: ImagePoint, least: number) {
    this.tool = tool
    this.#least = least
    this.#points = [at]
  }

  get points(): readonly ImagePoint[] {
    return this.#points
  }

  move(at: ImagePoint): void {
    if (this.tool === 'point') return
    const [first] = this.#points
    const last = this.#points.at(-1)
    if (first === undefined || last === undefined) return
    if (this.tool === 'arrow') this.#points = [first, at]
    else if (this.#points.length < DRAWING_LIMITS.points && Math.hypot(at.x - last.x, at.y - last.y) >= this.#least) this.#points.push(at)
  }

  /** What came of it; undefined when it is too small to mean anything. */
  finish(): DrawnGeometry | undefined {
    const points = [...this.#points]
    const [first] = points
    const isSmall = first !== undefined && points.every(({ x, y }) => Math.hypot(x - first.x, y - first.y) < this.#least)
    if (this.tool === 'point') return { kind: 'point', points }
    if (isSmall || points.length < (this.tool === 'polygon' ? 3 : 2)) return undefined
    return { kind: this.tool, points }
  }
}
