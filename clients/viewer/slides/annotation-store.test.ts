import { randomUUID } from 'node:crypto'
import { t } from 'tap'
import { RelayFault } from '../../../relay/wire/fault.ts'
import { AnnotationStore } from './annotation-store.ts'
import type { Annotation, SlideAnnotations } from '../../../relay/wire/slide-annotations.ts'
import type { AnnotationKeeper } from './annotation-store.ts'
import type { FetchedAnnotations } from './slide-api.ts'

const point = (x: number): Annotation => ({ type: 'Feature', id: randomUUID(), geometry: { type: 'Point', coordinates: [x, 0] }, properties: {} })
const xs = (features: readonly Annotation[]) => features.map(({ geometry }) => geometry.coordinates[0])

/** What a node does. */
class Node implements AnnotationKeeper {
  annotated: SlideAnnotations = { type: 'FeatureCollection', features: [] }
  version = 0
  stored = 0
  failing: RelayFault | undefined

  async annotations(): Promise<FetchedAnnotations> {
    return { annotations: this.annotated, version: `"${this.version}"` }
  }

  async storeAnnotations({ annotations, version }: FetchedAnnotations): Promise<string> {
    if (this.failing !== undefined) throw this.failing
    if (version !== `"${this.version}"`) throw new RelayFault('conflict', 'another version')
    this.annotated = annotations
    this.stored++
    return `"${++this.version}"`
  }
}

t.test('two viewers that draw at once both find their drawings stored', async t => {
  const node = new Node()
  const [first, second] = [new AnnotationStore(node), new AnnotationStore(node)]
  await Promise.all([first.idle, second.idle])
  first.add(point(1))
  second.add(point(2))
  t.same([xs(first.features.value), xs(second.features.value)], [[1], [2]], 'seen at once')
  await Promise.all([first.idle, second.idle])
  t.same(xs(node.annotated.features).sort(), [1, 2])
  first.reload()
  await first.idle
  t.same(xs(first.features.value).sort(), [1, 2])
})

t.test('says when it cannot store, keeps what was drawn, and stores it with the next change', async t => {
  const node = new Node()
  const store = new AnnotationStore(node)
  node.failing = new RelayFault('unavailable', 'gone')
  store.add(point(1))
  await store.idle
  t.equal(store.fault.value?.code, 'unavailable')
  t.same(xs(store.features.value), [1])
  node.failing = undefined
  store.add(point(2))
  await store.idle
  t.equal(store.fault.value, null)
  t.same(xs(node.annotated.features), [1, 2])
  store.undo()
  await store.idle
  t.same(xs(node.annotated.features), [1])
})

t.test('gives up where somebody else is always quicker', async t => {
  const node = new Node()
  const store = new AnnotationStore(node)
  await store.idle
  node.failing = new RelayFault('conflict', 'another version')
  store.add(point(1))
  await store.idle
  t.equal(store.fault.value?.code, 'conflict')
})
