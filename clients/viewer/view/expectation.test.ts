import t from 'tap'
import { middleId, OVERVIEW, tileId } from '../../../relay/wire/ids.ts'
import type { RenditionId } from '../../../relay/wire/ids.ts'
import { planPyramid } from '../../../relay/wire/pyramid.ts'
import type { Withheld } from '../../../relay/wire/signaling.ts'
import { expectationOf, isSameExpectation } from './expectation.ts'

const pyramid = planPyramid({ width: 7680, height: 4320, columns: 6, rows: 6, framesPerSecond: 30, overviewWidth: 1920, middle: { columns: 3, rows: 3 } })
/** Tiles 0,0 and 1,0 under middle tile 0,0; tile 2,0 under middle tile 1,0. */
const visible = { x: 0, y: 0, width: 3840, height: 720 }
const [a, b, c, d] = [tileId(0, 0), tileId(1, 0), tileId(2, 0), tileId(3, 0)]
const demand = { renditions: [a, OVERVIEW, b, c], prefetch: [d] }
const withheld = (...ids: RenditionId[]): Withheld[] => ids.map(renditionId => ({ renditionId, cause: 'uplink' }))
const sorted = (ids: readonly RenditionId[]) => [...ids].sort()

t.test('expects all that is visible until the node has spoken, and lets be drawn what is fetched ahead', async t => {
  const it = expectationOf(pyramid, visible, demand, undefined)
  t.same(sorted(it.expected), sorted([a, OVERVIEW, b, c]))
  t.same(sorted(it.drawable), sorted([a, OVERVIEW, b, c, d]))
  t.same(it.withheld, [])
})

t.test('does not wait for what is withheld, but for what takes its place', async t => {
  const told = { asked: demand, flowing: [a, OVERVIEW, middleId(0, 0)], withheld: [{ renditionId: b, cause: 'uplink' as const }, { renditionId: c, cause: 'downlink' as const }] }
  const it = expectationOf(pyramid, visible, demand, told)
  t.same(sorted(it.expected), sorted([a, OVERVIEW, middleId(0, 0)]))
  t.ok(it.drawable.includes(b), 'a frame that is still under way may be drawn')
  t.same(it.withheld, [
    { renditionId: b, cause: 'uplink', shownAs: 'middle' },
    { renditionId: c, cause: 'downlink', shownAs: 'overview' },
  ])
})

t.test('what was not asked for yet is assumed to flow; what was withheld stays so until the node says otherwise', async t => {
  const told = { asked: { renditions: [b, OVERVIEW], prefetch: [] }, flowing: [OVERVIEW], withheld: withheld(b) }
  const it = expectationOf(pyramid, visible, demand, told)
  t.same(sorted(it.expected), sorted([a, OVERVIEW, c]))
  t.same(it.withheld.map(({ renditionId }) => renditionId), [b])
})

t.test('says nothing of what has left the view, and waits for no substitute without need', async t => {
  const told = { asked: demand, flowing: [OVERVIEW, middleId(0, 0), middleId(2, 2)], withheld: withheld(d, c) }
  const it = expectationOf(pyramid, { x: 0, y: 0, width: 2560, height: 720 }, { renditions: [a, OVERVIEW, b], prefetch: [] }, told)
  t.same(it.withheld, [])
  t.notOk(it.expected.includes(middleId(0, 0)))
  t.ok(it.drawable.includes(middleId(0, 0)))
  t.notOk(it.drawable.includes(middleId(2, 2)), 'it is out of sight')
})

t.test('a withheld middle tile leaves the overview; the overview itself is never reported', async t => {
  const asked = { renditions: [middleId(0, 0), OVERVIEW], prefetch: [] }
  const it = expectationOf(pyramid, visible, asked, { asked, flowing: [], withheld: withheld(middleId(0, 0), OVERVIEW) })
  t.same(it.withheld, [{ renditionId: middleId(0, 0), cause: 'uplink', shownAs: 'overview' }])
})

t.test('a tile is at half resolution only when middle tiles take the place of all of it that is visible', async t => {
  const odd = planPyramid({ width: 7680, height: 4320, columns: 6, rows: 6, framesPerSecond: 30, overviewWidth: 1920, middle: { columns: 4, rows: 4 } })
  const asked = { renditions: [a, OVERVIEW, b], prefetch: [] }
  const shownAs = (...middles: RenditionId[]) =>
    expectationOf(odd, visible, asked, { asked, flowing: [a, OVERVIEW, ...middles], withheld: withheld(b) }).withheld.map(item => item.shownAs)
  t.same(shownAs(middleId(0, 0)), ['overview'])
  t.same(shownAs(middleId(0, 0), middleId(1, 0)), ['middle'])
})

t.test('knows when nothing has changed', async t => {
  const told = { asked: demand, flowing: [OVERVIEW, a], withheld: withheld(b, c) }
  const one = expectationOf(pyramid, visible, demand, told)
  t.ok(isSameExpectation(one, expectationOf(pyramid, visible, { ...demand, renditions: [c, b, OVERVIEW, a] }, told)))
  t.notOk(isSameExpectation(one, expectationOf(pyramid, visible, demand, { ...told, flowing: [OVERVIEW, a, b] })))
  t.notOk(isSameExpectation(one, expectationOf(pyramid, visible, demand, { ...told, withheld: [{ renditionId: b, cause: 'downlink' }, ...withheld(c)] })))
})
