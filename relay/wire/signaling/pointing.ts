/** What members show each other on the live image. */
import { z } from 'zod'
import { PublicationId } from '../ids.ts'
import { DrawnAnnotation, ImageAnnotation, ImagePoint, PointedImage } from '../pointing.ts'
import { Nothing, requestId, WATCHING_ROLES } from './protocol.ts'
import type { RequestDeclaration } from './protocol.ts'

const frame = { publicationId: PublicationId, rtpTimestamp: z.uint32() }

/** Viewer: points at a place of the live image, for all others to see; null: points nowhere any more. */
export const PointAtImage = z.strictObject({ type: z.literal('pointAtImage'), requestId, ...frame, at: ImagePoint.nullable() })

/** Viewer: draws on the live image, for everybody. */
export const AnnotateImage = z.strictObject({ type: z.literal('annotateImage'), requestId, ...frame, annotation: DrawnAnnotation })

/** Viewer: takes back what it drew. */
export const RemoveImageAnnotation = z.strictObject({ type: z.literal('removeImageAnnotation'), requestId, publicationId: PublicationId, id: z.uuid() })

/** Viewer: another one points. */
export const ImagePointed = z.strictObject({ type: z.literal('imagePointed'), ...PointedImage.shape })

/** Annotations that go by one message. */
export const ANNOTATIONS_AT_ONCE = 50

/** Viewer: something was drawn, by whomever. After joining, all that is there, by as many messages as it takes. */
export const ImageAnnotated = z.strictObject({
  type: z.literal('imageAnnotated'),
  publicationId: PublicationId,
  annotations: z.array(ImageAnnotation).min(1).max(ANNOTATIONS_AT_ONCE),
})

/** Viewer: something that was drawn is there no more. */
export const ImageAnnotationRemoved = z.strictObject({ type: z.literal('imageAnnotationRemoved'), publicationId: PublicationId, id: z.uuid() })

/** What whoever watches shows the others. */
export const POINTING_REQUESTS = {
  pointAtImage: { schema: PointAtImage, reply: Nothing, askedBy: WATCHING_ROLES, action: 'point' },
  annotateImage: { schema: AnnotateImage, reply: Nothing, askedBy: WATCHING_ROLES, action: 'annotate' },
  removeImageAnnotation: { schema: RemoveImageAnnotation, reply: Nothing, askedBy: WATCHING_ROLES, action: 'annotate' },
} as const satisfies Record<string, RequestDeclaration>

/** What is said of pointers and annotations. */
export const POINTING_NOTIFICATIONS = [ImagePointed, ImageAnnotated, ImageAnnotationRemoved] as const
