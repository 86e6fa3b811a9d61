/** What viewers of a consultation show each other on its slides: pointers, and where somebody leads. */
import { z } from 'zod'
import { MemberId, SlideId } from './ids.ts'
import { SLIDE_LIMITS } from './slide.ts'

/** Members are told apart by so many colours; `docs/PROTOCOL.md` says which. */
export const MEMBER_COLOURS = 8
/** Slides of one consultation that viewers are told of; of more, the latest. */
export const MAX_SLIDES = 256
/** Pointers, and places of a leader, that the node passes on of one session a second. What comes quicker is dropped. */
export const SHARED_PER_SECOND = 20

/** Index of a member's colour: no two viewers have the same while there are enough. */
export const MemberColour = z.int().min(0).max(MEMBER_COLOURS - 1)
export type MemberColour = z.infer<typeof MemberColour>

/** No slide is larger than that to either side, in micrometres. */
const place = z.number().min(-1e9).max(1e9)
const length = z.number().positive().max(1e9)

/** A place on a slide: micrometres from the top left corner of its level 0, x to the right, y downwards. Where the file does not say how large its pixels are, one of level 0 counts as a micrometre. */
export const SlidePoint = z.strictObject({ x: place, y: place })
export type SlidePoint = z.infer<typeof SlidePoint>

/** A part of a slide, in the same unit. */
export const SlideArea = z.strictObject({ x: place, y: place, width: length, height: length })
export type SlideArea = z.infer<typeof SlideArea>

/** Where a member leads: a slide, and what of it shall be seen. */
export const SlideLead = z.strictObject({ slideId: SlideId, area: SlideArea })
export type SlideLead = z.infer<typeof SlideLead>

/** Who leads where. */
export const LedSlide = z.strictObject({ memberId: MemberId, colour: MemberColour, ...SlideLead.shape })
export type LedSlide = z.infer<typeof LedSlide>

/** Who points where; nowhere any more with null. */
export const PointedSlide = z.strictObject({ memberId: MemberId, colour: MemberColour, slideId: SlideId, at: SlidePoint.nullable() })
export type PointedSlide = z.infer<typeof PointedSlide>

/** A run of tiles in the order of their level that can be had of the node from here on. */
export const ArrivedTiles = z.strictObject({
  slideId: SlideId,
  level: z.int().min(0).max(SLIDE_LIMITS.levels - 1),
  /** Ordinal of the first, and how many they are. */
  firstTile: z.int().min(0).max(SLIDE_LIMITS.tiles - 1),
  tiles: z.int().min(1).max(SLIDE_LIMITS.tiles),
  /** What proves them: the head of their level, or of their square while the level is still being read. `none`: what came by a square is withdrawn, its level has other tiles. */
  signedBy: z.enum(['level', 'square', 'none']),
})
export type ArrivedTiles = z.infer<typeof ArrivedTiles>
