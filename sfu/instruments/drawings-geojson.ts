import { shiftBetween } from '../../relay/wire/pointing.ts'
import type { DrawnGeometry, ImageAnnotation, ImagePlace } from '../../relay/wire/pointing.ts'
import type { Annotation, AnnotationGeometry, SlideAnnotations } from '../../relay/wire/slide-annotations.ts'

type Position = [x: number, y: number]

/** The frame that annotations are wanted for. */
export interface DrawnFrame {
  readonly width: number
  readonly height: number
  /** Where its stage was, and what a pixel is under its objective; undefined without a stage. */
  readonly stage: { readonly place: ImagePlace; readonly micrometresPerPixel: number } | undefined
}

function geometryOf(geometry: DrawnGeometry, positions: readonly Position[]): AnnotationGeometry {
  const [first = [0, 0]] = positions
  switch (geometry.kind) {
    case 'point':
    case 'text':
      return { type: 'Point', coordinates: first }
    case 'line':
    case 'arrow':
      return { type: 'LineString', coordinates: [...positions] }
    case 'polygon':
      return { type: 'Polygon', coordinates: [[...positions, first]] }
    default:
      return geometry satisfies never
  }
}

/** One annotation in the pixels of a frame; undefined when it is not of that objective, or nothing of it is in the frame. */
function featureOf({ id, geometry, author, colour, place, rtpTimestamp }: ImageAnnotation, { width, height, stage }: DrawnFrame): Annotation | undefined {
  let shift = { x: 0, y: 0 }
  if (place !== null && stage !== undefined) {
    if (place.objective !== stage.place.objective) return undefined
    shift = shiftBetween(place, stage.place, stage.micrometresPerPixel)
  }
  const positions = geometry.points.map(({ x, y }): Position => [x + shift.x, y + shift.y])
  if (!positions.some(([x, y]) => x >= 0 && x <= width && y >= 0 && y <= height)) return undefined
  const text = geometry.kind === 'text' ? { text: geometry.text } : {}
  return { type: 'Feature', id, geometry: geometryOf(geometry, positions), properties: { kind: geometry.kind, author, colour, rtpTimestamp, ...text } }
}

/** What is drawn on a frame as GeoJSON, in pixels of that frame. @see RFC 7946 */
export function drawingsOn(annotations: readonly ImageAnnotation[], frame: DrawnFrame): SlideAnnotations {
  return { type: 'FeatureCollection', features: annotations.map(annotation => featureOf(annotation, frame)).filter(feature => feature !== undefined) }
}
