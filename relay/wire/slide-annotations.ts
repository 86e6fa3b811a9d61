/** Annotations of a slide: GeoJSON whose coordinates are micrometres on the slide, as in `slide-sharing.ts`. @see RFC 7946 */
import { z } from 'zod'

/** Bounds of the annotations of one slide. */
export const ANNOTATION_LIMITS = {
  /** Of the whole collection as JSON, in bytes. */
  bytes: 4 * 1024 * 1024,
  features: 5000,
  /** Of one line or ring. */
  positions: 20_000,
  /** Lines or polygons of one geometry, or rings of one polygon. */
  parts: 1000,
  textCharacters: 4000,
  properties: 32,
} as const

/** No slide is larger than that to either side. */
const place = z.number().min(-1e9).max(1e9)
const position = z.tuple([place, place])
const line = z.array(position).min(2).max(ANNOTATION_LIMITS.positions)
/** Closed: the last position is the first. @see RFC 7946 section 3.1.6 */
const ring = z.array(position).min(4).max(ANNOTATION_LIMITS.positions).refine(positions => positions[0]?.every((value, axis) => value === positions.at(-1)?.[axis]) === true, 'a ring is closed')
const polygon = z.array(ring).min(1).max(ANNOTATION_LIMITS.parts)
const many = <Part extends z.ZodType>(part: Part) => z.array(part).min(1).max(ANNOTATION_LIMITS.parts)

/** Where an annotation is. @see RFC 7946 section 3.1 */
export const AnnotationGeometry = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('Point'), coordinates: position }),
  z.strictObject({ type: z.literal('MultiPoint'), coordinates: z.array(position).min(1).max(ANNOTATION_LIMITS.positions) }),
  z.strictObject({ type: z.literal('LineString'), coordinates: line }),
  z.strictObject({ type: z.literal('MultiLineString'), coordinates: many(line) }),
  z.strictObject({ type: z.literal('Polygon'), coordinates: polygon }),
  z.strictObject({ type: z.literal('MultiPolygon'), coordinates: many(polygon) }),
])
export type AnnotationGeometry = z.infer<typeof AnnotationGeometry>

const propertyName = z.string().regex(/^[A-Za-z][A-Za-z0-9_:-]{0,63}$/)
const propertyValue = z.union([z.string().max(ANNOTATION_LIMITS.textCharacters), z.number(), z.boolean(), z.null()])

/** One annotation. @see RFC 7946 section 3.2 */
export const Annotation = z.strictObject({
  type: z.literal('Feature'),
  id: z.uuid(),
  geometry: AnnotationGeometry,
  properties: z.record(propertyName, propertyValue).refine(properties => Object.keys(properties).length <= ANNOTATION_LIMITS.properties, 'too many properties'),
})
export type Annotation = z.infer<typeof Annotation>

/** All annotations of a slide. @see RFC 7946 section 3.3 */
export const SlideAnnotations = z.strictObject({
  type: z.literal('FeatureCollection'),
  features: z.array(Annotation).max(ANNOTATION_LIMITS.features).refine(features => new Set(features.map(({ id }) => id)).size === features.length, 'two annotations share an id'),
})
export type SlideAnnotations = z.infer<typeof SlideAnnotations>
