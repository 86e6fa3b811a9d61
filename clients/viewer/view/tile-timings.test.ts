import t from 'tap'
import { middleId, OVERVIEW, tileId, WHOLE } from '../../../relay/wire/ids.ts'
import { TileTimings } from './tile-timings.ts'

const [a, b] = [tileId(0, 0), tileId(1, 0)]

t.test('books when a tile came into view and when it was first drawn there', async t => {
  const timings = new TileTimings()
  timings.wanted([a, OVERVIEW], 1000)
  timings.wanted([a, OVERVIEW, b], 1010)
  timings.drawn([a], 1100)
  timings.drawn([a, b], 1150)
  t.same(timings.finished, [
    { renditionId: a, enteredAtMs: 1000, sharpAtMs: 1100 },
    { renditionId: b, enteredAtMs: 1010, sharpAtMs: 1150 },
  ])
  t.same([timings.abandoned, timings.pending], [0, 0])
})

t.test('overview and whole are no tiles, middle tiles are', async t => {
  const timings = new TileTimings()
  timings.wanted([OVERVIEW, WHOLE, middleId(0, 0)], 0)
  t.equal(timings.pending, 1)
})

t.test('counts what left before it was sharp, and times a return anew', async t => {
  const timings = new TileTimings()
  timings.wanted([a], 0)
  timings.wanted([], 100)
  t.same([timings.abandoned, timings.finished], [1, []])
  timings.wanted([a], 200)
  timings.drawn([a], 250)
  timings.wanted([], 300)
  t.equal(timings.abandoned, 1, 'one that was sharp has not been abandoned')
  timings.wanted([a], 400)
  timings.drawn([a], 390)
  t.equal(timings.pending, 1, 'the last drawing of the earlier visit is not one of this')
  timings.drawn([a], 410)
  t.same(timings.finished.map(({ enteredAtMs, sharpAtMs }) => [enteredAtMs, sharpAtMs]), [[200, 250], [400, 410]])
})

t.test('keeps the last 256', async t => {
  const timings = new TileTimings()
  for (let visit = 0; visit < 300; visit++) {
    timings.wanted([a], visit * 10)
    timings.drawn([a], visit * 10 + 5)
    timings.wanted([], visit * 10 + 7)
  }
  t.equal(timings.finished.length, 256)
  t.equal(timings.finished.at(-1)?.enteredAtMs, 2990)
  t.equal(timings.finished[0]?.enteredAtMs, 440)
})
