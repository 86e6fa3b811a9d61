import { randomUUID } from 'node:crypto'
import { t } from 'tap'
import { MemberId } from '../../relay/wire/ids.ts'
import { DRAWING_LIMITS } from '../../relay/wire/pointing.ts'
import { SlideAnnotations } from '../../relay/wire/slide-annotations.ts'
import { drawingsOn } from './drawings-geojson.ts'
import { ImageDrawings } from './image-drawings.ts'
import type { DrawnGeometry, ImageAnnotation } from '../../relay/wire/pointing.ts'

const [A, B] = [MemberId.parse('a'), MemberId.parse('b')]
const place = { x: 10, y: 10, objective: '20x' }
const drawn = (geometry: DrawnGeometry, of: ImageAnnotation['place'] = place): ImageAnnotation => ({ id: randomUUID(), geometry, author: A, colour: 1, rtpTimestamp: 5, place: of })
const [p, q, r] = [{ x: 100, y: 50 }, { x: 120, y: 50 }, { x: 120, y: 70 }]
const frame = (x: number, objective = '20x') => ({ width: 640, height: 360, stage: { place: { x, y: 10, objective }, micrometresPerPixel: 0.5 } })

t.test('writes drawings as GeoJSON in the pixels of a frame', async t => {
  const all = [drawn({ kind: 'point', points: [p] }), drawn({ kind: 'arrow', points: [p, q] }), drawn({ kind: 'polygon', points: [p, q, r] }), drawn({ kind: 'text', points: [q], text: 'mitosis' })]
  const here = SlideAnnotations.parse(drawingsOn(all, frame(10)))
  t.match(here.features, [
    { geometry: { type: 'Point', coordinates: [100, 50] }, properties: { kind: 'point', author: 'a', colour: 1, rtpTimestamp: 5 } },
    { geometry: { type: 'LineString', coordinates: [[100, 50], [120, 50]] } },
    { geometry: { type: 'Polygon', coordinates: [[[100, 50], [120, 50], [120, 70], [100, 50]]] } },
    { geometry: { type: 'Point', coordinates: [120, 50] }, properties: { text: 'mitosis' } },
  ])
  t.match(drawingsOn(all, frame(20)).features[0], { geometry: { coordinates: [80, 50] } }, 'the tissue went left by 20 pixels')
  t.same(drawingsOn(all, frame(10, '10x')).features, [], 'another objective')
  t.same(drawingsOn(all, frame(1000)).features, [], 'out of the view')
  t.match(drawingsOn([drawn({ kind: 'point', points: [p] }, null)], { width: 640, height: 360, stage: undefined }).features, [{ geometry: { coordinates: [100, 50] } }])
})

t.test('has room for so many annotations and corners, and gives it back', async t => {
  const drawings = new ImageDrawings()
  const point = (): ImageAnnotation => drawn({ kind: 'point', points: [p] })
  const first = point()
  drawings.add(first)
  t.throws(() => drawings.add(first), { code: 'conflict' })
  t.throws(() => drawings.remove(first.id, B), { code: 'grant_refused' })
  t.throws(() => drawings.remove(randomUUID(), A), { code: 'not_found' })
  while (drawings.all.length < DRAWING_LIMITS.annotations) drawings.add(point())
  t.throws(() => drawings.add(point()), { code: 'overloaded' })
  drawings.remove(first.id, A)
  drawings.add(point())
  drawings.clear()
  t.same(drawings.all, [])
  const long = (): ImageAnnotation => drawn({ kind: 'line', points: new Array<typeof p>(DRAWING_LIMITS.points).fill(p) })
  for (let corners = 0; corners < DRAWING_LIMITS.pointsTogether; corners += DRAWING_LIMITS.points) drawings.add(long())
  t.throws(() => drawings.add(point()), { code: 'overloaded' })
})
