import { randomUUID } from 'node:crypto'
import { t } from 'tap'
import { AnnotationBook, closedRing, propertiesOf, rectangleRing } from './annotations.ts'
import type { Annotation, SlideAnnotations } from '../../../relay/wire/slide-annotations.ts'

const point = (x: number): Annotation => ({
  type: 'Feature', id: randomUUID(), geometry: { type: 'Point', coordinates: [x, 1] }, properties: { kind: 'point', author: 'someone', colour: 2 },
})
const document = (...features: Annotation[]): SlideAnnotations => ({ type: 'FeatureCollection', features })
const xs = (features: readonly Annotation[]) => features.map(({ geometry }) => geometry.coordinates[0])

t.test('what is added is seen at once and stored on top of the version it was drawn on', async t => {
  const book = new AnnotationBook()
  book.loaded(document(point(1)), '"1"')
  book.add(point(2))
  t.same(xs(book.features), [1, 2])
  const { document: sent, version, settle } = book.toStore()
  t.same([xs(sent.features), version, book.isDirty], [[1, 2], '"1"', true])
  book.add(point(3))
  settle('"2"')
  t.ok(book.isDirty, 'what was drawn meanwhile is still to be stored')
  t.same(xs(book.features), [1, 2, 3])
  t.equal(book.toStore().version, '"2"')
})

t.test('two who draw at once lose nothing', async t => {
  const book = new AnnotationBook()
  book.loaded(document(point(1)), '"1"')
  book.add(point(3))
  book.loaded(document(point(1), point(2)), '"2"')
  t.same(xs(book.features), [1, 2, 3])
  t.equal(book.toStore().version, '"2"')
})

t.test('undoes only its own, stored or not, and what was removed comes back', async t => {
  const book = new AnnotationBook()
  const theirs = point(1)
  book.loaded(document(theirs), '"1"')
  t.notOk(book.canUndo)
  book.undo()
  t.same(xs(book.features), [1])
  book.add(point(2))
  book.toStore().settle('"2"')
  book.remove(theirs.id)
  t.same(xs(book.features), [2])
  book.undo()
  t.same(xs(book.features), [2, 1])
  book.undo()
  t.same(xs(book.features), [1])
  t.notOk(book.canUndo)
})

t.test('rings are closed, as GeoJSON wants them', async t => {
  t.same(rectangleRing([0, 0], [2, 1]), [[0, 0], [2, 0], [2, 1], [0, 1], [0, 0]])
  t.same(closedRing([[0, 0], [1, 0], [1, 1]]), [[0, 0], [1, 0], [1, 1], [0, 0]])
})

t.test('what others wrote into properties harms nothing', async t => {
  t.same(propertiesOf(point(1)), { kind: 'point', author: 'someone', colour: 2 })
  t.same(propertiesOf({ ...point(1), properties: { kind: 'star', author: '../..', colour: 99, text: 5 } }), { kind: undefined, author: undefined, colour: 7, text: undefined })
  t.match(propertiesOf({ ...point(1), properties: {} }), { colour: 7 })
})
