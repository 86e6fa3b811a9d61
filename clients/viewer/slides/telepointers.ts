import type { MemberId, SlideId } from '../../../relay/wire/ids.ts'
import type { MemberColour, PointedSlide, SlidePoint } from '../../../relay/wire/slide-sharing.ts'
import type { Millis } from '../../../relay/wire/units.ts'

/** A pointer is shown so long after it was heard of last, in milliseconds. */
export const POINTER_LIFE_MS = 10_000
/** More members than that do not point at once; the one that was silent longest gives way. */
const MAX_POINTERS = 64

/** Where another viewer points. */
export interface Telepointer {
  readonly memberId: MemberId
  readonly colour: MemberColour
  readonly at: SlidePoint
}

/** The pointers of the others, by slide. Reads no clock. */
export class Telepointers {
  readonly #heard = new Map<MemberId, { readonly slideId: SlideId; readonly pointer: Telepointer; readonly at: Millis }>()

  take({ memberId, colour, slideId, at }: PointedSlide, now: Millis): void {
    this.#heard.delete(memberId)
    if (at === null) return
    this.#heard.set(memberId, { slideId, pointer: { memberId, colour, at }, at: now })
    const [eldest] = this.#heard.keys()
    if (this.#heard.size > MAX_POINTERS && eldest !== undefined) this.#heard.delete(eldest)
  }

  /** Those on a slide that are not silent for too long. */
  on(slideId: SlideId, now: Millis): Telepointer[] {
    return [...this.#heard.values()].filter(heard => heard.slideId === slideId && now - heard.at < POINTER_LIFE_MS).map(({ pointer }) => pointer)
  }
}
