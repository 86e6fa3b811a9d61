import { RelayFault } from '../../relay/wire/fault.ts'
import { DRAWING_LIMITS } from '../../relay/wire/pointing.ts'
import type { MemberId } from '../../relay/wire/ids.ts'
import type { ImageAnnotation } from '../../relay/wire/pointing.ts'

/** What is drawn on one publication, in the order of drawing. Does no I/O. */
export class ImageDrawings {
  readonly #byId = new Map<string, ImageAnnotation>()
  #points = 0

  get all(): readonly ImageAnnotation[] {
    return [...this.#byId.values()]
  }

  /** @throws {RelayFault} `conflict` when its id is taken; `overloaded` when there is no room. */
  add(annotation: ImageAnnotation): void {
    const points = this.#points + annotation.geometry.points.length
    if (this.#byId.has(annotation.id)) throw new RelayFault('conflict', 'that annotation is there already')
    if (this.#byId.size >= DRAWING_LIMITS.annotations || points > DRAWING_LIMITS.pointsTogether) throw new RelayFault('overloaded', 'there is no room for more annotations')
    this.#byId.set(annotation.id, annotation)
    this.#points = points
  }

  /** @throws {RelayFault} `not_found`; `grant_refused` for somebody else's. */
  remove(id: string, by: MemberId): void {
    const annotation = this.#byId.get(id)
    if (annotation === undefined) throw new RelayFault('not_found', 'there is no such annotation')
    if (annotation.author !== by) throw new RelayFault('grant_refused', 'somebody else drew that')
    this.#byId.delete(id)
    this.#points -= annotation.geometry.points.length
  }

  clear(): void {
    this.#byId.clear()
    this.#points = 0
  }
}
