import { t } from 'tap'
import { SeriesWindow } from './series-window.ts'
import type { LinkSample } from '../link-history.ts'

t.test("the page's window stays in step when a path comes, goes, or a sample is told twice", async t => {
  const sample = (...paths: string[]): LinkSample => ({ paths: Object.fromEntries(paths.map(path => [path, { roundTrip: 1 } as never])), classes: {} })
  const window = new SeriesWindow(undefined, 3)
  window.push(1, sample('a'))
  window.push(2, sample('a', 'b'))
  window.push(2, sample('a', 'b'))
  t.same(window.column('paths', 'b', 'roundTrip'), [null, 1])
  window.push(3, sample('b'))
  window.push(4, sample('b'))
  t.same(window.at, [2, 3, 4])
  t.same(window.column('paths', 'a', 'roundTrip'), [1, null, null])
  t.same(window.column('paths', 'b', 'roundTrip'), [1, 1, 1])
  t.same(window.column('paths', 'c', 'roundTrip'), [null, null, null])
})
