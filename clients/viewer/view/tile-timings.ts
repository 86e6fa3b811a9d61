import type { RenditionId } from '../../../relay/wire/ids.ts'
import { isTile } from './tile-demand.ts'

/** How long one tile took to become sharp. Times are on the page's clock, in milliseconds since the epoch. */
export interface TileTiming {
  readonly renditionId: RenditionId
  /** When it first overlapped the viewport as asked for, in the level that is wanted there. */
  readonly enteredAtMs: number
  /** When it was first drawn after that. */
  readonly sharpAtMs: number
}

/** Timings kept; the oldest goes first. */
const CAPACITY = 256

/** Books for every tile when it came into view and when it was sharp there. Reads no clock. */
export class TileTimings {
  readonly #waiting = new Map<RenditionId, number>()
  #visible: ReadonlySet<RenditionId> = new Set()
  #finished: TileTiming[] = []
  #abandoned = 0

  /** The last {@link CAPACITY} tiles that became sharp, oldest first. */
  get finished(): readonly TileTiming[] {
    return this.#finished
  }
  /** Tiles that left the view before they were sharp, since the page was opened. */
  get abandoned(): number {
    return this.#abandoned
  }
  /** Tiles in view that are not sharp yet. */
  get pending(): number {
    return this.#waiting.size
  }

  /** These renditions are wanted in view from now on; what is no tile is not counted. */
  wanted(renditions: readonly RenditionId[], nowMs: number): void {
    const visible = new Set(renditions.filter(id => isTile(id)))
    for (const id of this.#visible) if (!visible.has(id) && this.#waiting.delete(id)) this.#abandoned++
    for (const id of visible) if (!this.#visible.has(id)) this.#waiting.set(id, nowMs)
    this.#visible = visible
  }

  /** These were drawn, of one instant; a drawing from before a tile came into view does not count for it. */
  drawn(renditions: Iterable<RenditionId>, drawnAtMs: number): void {
    for (const renditionId of renditions) {
      const enteredAtMs = this.#waiting.get(renditionId)
      if (enteredAtMs === undefined || drawnAtMs < enteredAtMs) continue
      this.#waiting.delete(renditionId)
      this.#finished = [...this.#finished.slice(1 - CAPACITY), { renditionId, enteredAtMs, sharpAtMs: drawnAtMs }]
    }
  }
}
