import { RelayFault } from '../../relay/wire/fault.ts'
import { DRAWING_LIMITS } from '../../relay/wire/pointing.ts'
import { ANNOTATIONS_AT_ONCE } from '../../relay/wire/signaling.ts'
import type { MemberId } from '../../relay/wire/ids.ts'
import type { ImageAnnotation } from '../../relay/wire/pointing.ts'

/** Corners that go by one message: with the longest texts beside them, it stays below what a message may be. */
const CORNERS_AT_ONCE = 1500

/** What is drawn on one publication, in the order of drawing. Does no I/O. */
export class ImageDrawings {
  readonly #byId = new Map<string, ImageAnnotation>()
  #points = 0

  get all(): readonly ImageAnnotation[] {
    return [...this.#byId.values()]
  }

  /** All that is drawn, in parts of which each goes by one message. */
  *parts(): Generator<ImageAnnotation[]> {
    let part: ImageAnnotation[] = []
    let corners = 0
    for (const annotation of this.#byId.values()) {
      corners += annotation.geometry.points.length
      if (part.length >= ANNOTATIONS_AT_ONCE || (corners > CORNERS_AT_ONCE && part.length > 0)) {
        yield part
        part = []
        corners = annotation.geometry.points.length
      }
      part.push(annotation)
    }
    if (part.length > 0) yield part
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
