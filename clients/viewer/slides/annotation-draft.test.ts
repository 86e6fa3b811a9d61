import { t } from 'tap'
import { AnnotationDraft } from './annotation-draft.ts'

t.test('a point is there at once', async t => {
  t.same(new AnnotationDraft('point', 2).down([1, 2]), { kind: 'done', geometry: { type: 'Point', coordinates: [1, 2] } })
})

t.test('a rectangle is what was dragged over, a click is none', async t => {
  const draft = new AnnotationDraft('rectangle', 2)
  draft.down([0, 0])
  t.same(draft.outline([10, 5]), [[0, 0], [10, 0], [10, 5], [0, 5], [0, 0]])
  t.match(draft.up([10, 5]), { kind: 'done', geometry: { type: 'Polygon', coordinates: [[[0, 0], [10, 0], [10, 5], [0, 5], [0, 0]]] } })
  const click = new AnnotationDraft('rectangle', 2)
  click.down([0, 0])
  t.same(click.up([1, 1]), { kind: 'nothing' })
})

t.test('a polygon is closed by the person, and twice the same corner is one', async t => {
  const draft = new AnnotationDraft('polygon', 2)
  for (const corner of [[0, 0], [10, 0], [10, 10], [10, 11]] as [number, number][]) {
    t.same(draft.down(corner), { kind: 'drawing' })
    t.same(draft.up(corner), { kind: 'drawing' })
  }
  t.match(draft.close(), { kind: 'done', geometry: { coordinates: [[[0, 0], [10, 0], [10, 10], [0, 0]]] } })
  t.same(new AnnotationDraft('polygon', 2).close(), { kind: 'nothing' })
})

t.test('freehand follows the pointer while it is down', async t => {
  const draft = new AnnotationDraft('freehand', 2)
  draft.move([50, 50])
  draft.down([0, 0])
  for (let x = 1; x <= 10; x++) draft.move([x, x])
  t.match(draft.up([10, 10]), { kind: 'done', geometry: { coordinates: [{ length: 7 }] } })
})
