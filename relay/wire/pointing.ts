/**
 * What members show each other on the live image. Places are pixels of the full image, fractions allowed, of the
 * frame that was seen: its RTP timestamp says which.
 */
import { z } from 'zod'
import { MemberId, PublicationId } from './ids.ts'
import { MemberColour } from './slide-sharing.ts'
import { StageState } from './stage.ts'

/** Bounds of what is drawn on one publication. */
export const DRAWING_LIMITS = {
  annotations: 500,
  /** Corners of one line or polygon. */
  points: 500,
  /** Corners of all annotations together. */
  pointsTogether: 20_000,
  textCharacters: 500,
  /** Annotations of one session a second, and at once. */
  perSecond: 5,
  burst: 20,
  /** Pointers that the node passes on of one session a second. What comes quicker is dropped. */
  pointersPerSecond: 20,
} as const

/** No image is larger than that to either side. */
const pixels = z.number().min(0).max(65_536)

/** A place in the image, in pixels from its top left corner. */
export const ImagePoint = z.strictObject({ x: pixels, y: pixels })
export type ImagePoint = z.infer<typeof ImagePoint>

const corners = z.array(ImagePoint).max(DRAWING_LIMITS.points)

/** What an annotation is made of. */
export const DrawnGeometry = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('point'), points: corners.length(1) }),
  z.strictObject({ kind: z.literal('line'), points: corners.min(2) }),
  /** Without the first corner once more. */
  z.strictObject({ kind: z.literal('polygon'), points: corners.min(3) }),
  /** From its tail to its head. */
  z.strictObject({ kind: z.literal('arrow'), points: corners.length(2) }),
  z.strictObject({ kind: z.literal('text'), points: corners.length(1), text: z.string().trim().min(1).max(DRAWING_LIMITS.textCharacters) }),
])
export type DrawnGeometry = z.infer<typeof DrawnGeometry>

/** An annotation as its author draws it. */
export const DrawnAnnotation = z.strictObject({ id: z.uuid(), geometry: DrawnGeometry })
export type DrawnAnnotation = z.infer<typeof DrawnAnnotation>

/** Where the stage was when an image was taken. */
export const ImagePlace = StageState.pick({ x: true, y: true, objective: true })
export type ImagePlace = z.infer<typeof ImagePlace>

/** An annotation as everybody sees it. */
export const ImageAnnotation = z.strictObject({
  ...DrawnAnnotation.shape,
  author: MemberId,
  colour: MemberColour,
  rtpTimestamp: z.uint32(),
  /** With it, the annotation stays with the tissue; null where there is no stage. */
  place: ImagePlace.nullable(),
})
export type ImageAnnotation = z.infer<typeof ImageAnnotation>

/** Who points where on which frame; nowhere any more with null. */
export const PointedImage = z.strictObject({
  memberId: MemberId,
  colour: MemberColour,
  publicationId: PublicationId,
  rtpTimestamp: z.uint32(),
  at: ImagePoint.nullable(),
})
export type PointedImage = z.infer<typeof PointedImage>

/** Where pixels of an image that was taken at one place lie in an image taken at another, under the same objective. */
export function shiftBetween(from: ImagePlace, to: ImagePlace, micrometresPerPixel: number): { readonly x: number; readonly y: number } {
  return { x: (from.x - to.x) / micrometresPerPixel, y: (from.y - to.y) / micrometresPerPixel }
}
