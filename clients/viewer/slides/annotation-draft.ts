import { closedRing, rectangleRing } from './annotations.ts'
import type { AnnotationKind, Position } from './annotations.ts'
import type { AnnotationGeometry } from '../../../relay/wire/slide-annotations.ts'

/** A freehand line takes no more points than that. */
const MAX_POINTS = 4000

/** What came of a pointer's doings. */
export type DraftResult =
  /** Nothing yet; go on. */
  | { readonly kind: 'drawing' }
  | { readonly kind: 'done'; readonly geometry: AnnotationGeometry }
  /** Too small to mean anything. */
  | { readonly kind: 'nothing' }

const DRAWING: DraftResult = { kind: 'drawing' }
const NOTHING: DraftResult = { kind: 'nothing' }
const polygon = (points: readonly Position[]): DraftResult => (points.length < 3 ? NOTHING : { kind: 'done', geometry: { type: 'Polygon', coordinates: [closedRing(points)] } })

/** An annotation while it is drawn, in micrometres. Does no I/O. */
export class AnnotationDraft {
  readonly kind: AnnotationKind
  /** Of a movement that counts, in micrometres. */
  readonly #least: number
  #points: Position[] = []
  #isDown = false

  constructor(kind: AnnotationKind, least: number) {
    this.kind = kind
    this.#least = least
  }

  /** The line as it is so far, with where the pointer is. */
  outline(pointer: Position | undefined): readonly Position[] {
    const points = pointer === undefined ? this.#points : [...this.#points, pointer]
    const [first] = points
    const last = points.at(-1)
    return this.kind === 'rectangle' && first !== undefined && last !== undefined ? rectangleRing(first, last) : points
  }

  down(at: Position): DraftResult {
    if (this.kind === 'point' || this.kind === 'text') return { kind: 'done', geometry: { type: 'Point', coordinates: at } }
    this.#isDown = true
    if (this.#isFar(at)) this.#points.push(at)
    return DRAWING
  }

  move(at: Position): DraftResult {
    if (this.kind === 'freehand' && this.#isDown && this.#isFar(at) && this.#points.length < MAX_POINTS) this.#points.push(at)
    return DRAWING
  }

  up(at: Position): DraftResult {
    this.#isDown = false
    if (this.kind === 'freehand') return polygon(this.#points)
    const [first] = this.#points
    if (this.kind !== 'rectangle' || first === undefined) return DRAWING
    if (Math.abs(at[0] - first[0]) < this.#least || Math.abs(at[1] - first[1]) < this.#least) return NOTHING
    return { kind: 'done', geometry: { type: 'Polygon', coordinates: [rectangleRing(first, at)] } }
  }

  /** A polygon has all its corners. */
  close(): DraftResult {
    return this.kind === 'polygon' ? polygon(this.#points) : DRAWING
  }

  #isFar([x, y]: Position): boolean {
    const last = this.#points.at(-1)
    return last === undefined || Math.hypot(x - last[0], y - last[1]) >= this.#least
  }
}
