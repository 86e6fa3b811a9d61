import type { SlideId } from '../../../relay/wire/ids.ts'
import type { SlideState } from '../../../relay/wire/slide.ts'
import type { Rect, Size } from '../view/viewport.ts'
import type { FollowMode } from './following.ts'
import type { SlideTruth } from './slide-truth.ts'

/** What the viewer knows of the open slide. `docs/VIEWER.md` explains every field. */
export interface InspectedSlide {
  readonly slideId: SlideId
  readonly state: SlideState
  readonly image: Size
  /** In pixels of level 0; `scale` in device pixels to one of them. */
  readonly viewport: Rect & { readonly scale: number }
  readonly truth: SlideTruth
  /** Part of the slide that is here, 0 to 1. */
  readonly arrivedShare: number
  readonly firstSharpMillis: number | null
  readonly sharpMillis: number | null
  readonly annotations: number
  readonly pointers: readonly { readonly memberId: string; readonly x: number; readonly y: number }[]
  readonly follow: FollowMode
  readonly fault: string | null
}
