/** Whole slides of a consultation, and what its viewers show each other on them. */
import { z } from 'zod'
import { SlideId } from '../ids.ts'
import { ArrivedTiles, LedSlide, MAX_SLIDES, PointedSlide, SlideLead, SlidePoint } from '../slide-sharing.ts'
import { SlideSummary } from '../slide.ts'
import { Nothing, requestId } from './protocol.ts'
import type { RequestDeclaration } from './protocol.ts'

/** Viewer: points at a place of a slide, for all others to see; null: points nowhere any more. */
export const PointAtSlide = z.strictObject({ type: z.literal('pointAtSlide'), requestId, slideId: SlideId, at: SlidePoint.nullable() })

/** Viewer: leads others to a part of a slide, in place of whoever led before; null: leads no longer. */
export const LeadSlide = z.strictObject({ type: z.literal('leadSlide'), requestId, lead: SlideLead.nullable() })

/** Viewer: the slides of the consultation, or how far they are, changed. Comes after joining, too, where there are any. */
export const SlidesChanged = z.strictObject({ type: z.literal('slidesChanged'), slides: z.array(SlideSummary).max(MAX_SLIDES) })

/** Viewer: tiles that some viewer looks at are here. */
export const SlideTilesArrived = z.strictObject({ type: z.literal('slideTilesArrived'), ...ArrivedTiles.shape })

/** Viewer: another one points at a slide. */
export const SlidePointed = z.strictObject({ type: z.literal('slidePointed'), ...PointedSlide.shape })

/** Viewer: somebody else leads, or leads elsewhere; null: nobody does any more. */
export const SlideLed = z.strictObject({ type: z.literal('slideLed'), led: LedSlide.nullable() })

/** Viewer: annotations of a slide were stored. */
export const AnnotationsChanged = z.strictObject({
  type: z.literal('annotationsChanged'),
  slideId: SlideId,
  /** Of what was stored; grows. */
  version: z.int().min(0),
})

/** What viewers ask of slides by signaling; all else of slides is HTTP. */
export const SLIDE_REQUESTS = {
  pointAtSlide: { schema: PointAtSlide, reply: Nothing, askedBy: ['viewer'], action: 'point' },
  leadSlide: { schema: LeadSlide, reply: Nothing, askedBy: ['viewer'], action: 'point' },
} as const satisfies Record<string, RequestDeclaration>

/** What is said of slides. */
export const SLIDE_NOTIFICATIONS = [SlidesChanged, SlideTilesArrived, SlidePointed, SlideLed, AnnotationsChanged] as const
