import type { IndexedFrame } from '../../../relay/recordings/frame-index.ts'

/** A frame that is older than this, in ticks, is not of the image any more: its rendition did not flow. */
const MAX_AGE_TICKS = 90_000

/** A frame to be sent. */
export interface DueFrame {
  readonly frame: IndexedFrame
  /** It only leads up to what is to be seen, and so many of those follow it, itself included; 0 for a frame to be seen. */
  readonly leading: number
}

/** Where a replay is in the frames of one rendition. Does no I/O. */
export class ReplayCursor {
  readonly #frames: readonly IndexedFrame[]
  #next: number

  /** @param frames - In the order of time. */
  constructor(frames: readonly IndexedFrame[]) {
    this.#frames = frames
    this.#next = frames.length
  }

  /** What makes the picture at a time: from the last keyframe on. Nothing where the rendition did not flow then: it goes on with its next keyframe. */
  begin(ticks: number): DueFrame[] {
    const after = this.#firstAfter(ticks)
    const last = this.#frames[after - 1]
    let first = after - 1
    while (first >= 0 && this.#frames[first]?.isKeyFrame === false) first--
    if (last === undefined || first < 0 || ticks - last.ticks > MAX_AGE_TICKS) {
      this.#next = after
      while (this.#frames[this.#next]?.isKeyFrame === false) this.#next++
      return []
    }
    this.#next = after
    const chain = this.#frames.slice(first, after)
    return chain.map((frame, index) => ({ frame, leading: chain.length - 1 - index }))
  }

  /** What comes up to a time. */
  advance(ticks: number): DueFrame[] {
    const due: DueFrame[] = []
    for (let frame = this.#frames[this.#next]; frame !== undefined && frame.ticks <= ticks; frame = this.#frames[++this.#next]) due.push({ frame, leading: 0 })
    return due
  }

  /** Of the next frame after a time; undefined after the last. */
  ticksAfter(ticks: number): number | undefined {
    return this.#frames[this.#firstAfter(ticks)]?.ticks
  }

  /** Of the last frame at or before a time; undefined before the first. */
  ticksAt(ticks: number): number | undefined {
    return this.#frames[this.#firstAfter(ticks) - 1]?.ticks
  }

  #firstAfter(ticks: number): number {
    let low = 0
    let high = this.#frames.length
    while (low < high) {
      const middle = (low + high) >> 1
      if ((this.#frames[middle]?.ticks ?? 0) <= ticks) low = middle + 1
      else high = middle
    }
    return low
  }
}
