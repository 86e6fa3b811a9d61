import { t } from 'tap'
import { OVERVIEW, tileId } from '../../relay/wire/ids.ts'
import { planPyramid } from '../../relay/wire/pyramid.ts'
import { randomView, renditionsInView, seededRandom } from './viewport-renditions.ts'

const pyramid = planPyramid({ width: 7680, height: 4320, columns: 6, rows: 6, framesPerSecond: 30, overviewWidth: 1920 })
const HD = { width: 1920, height: 1080 }

t.test('takes the overview and the tiles that a view touches, borders excluded', async t => {
  t.same(renditionsInView(pyramid, { x: 1280, y: 720, width: 1280, height: 720 }), [OVERVIEW, tileId(1, 1)])
  t.same(renditionsInView(pyramid, { x: 1279, y: 720, width: 1281, height: 721 }), [
    OVERVIEW, tileId(0, 1), tileId(1, 1), tileId(0, 2), tileId(1, 2),
  ])
  t.equal(renditionsInView(pyramid, { x: 0, y: 0, width: 7680, height: 4320 }).length, 37)
})

t.test('never takes the whole stream', async t => {
  const withWhole = planPyramid({ width: 7680, height: 4320, columns: 6, rows: 6, framesPerSecond: 30, overviewWidth: 1920, whole: 'VP9' })
  t.equal(renditionsInView(withWhole, { x: 0, y: 0, width: 7680, height: 4320 }).length, 37)
})

t.test('an HD view touches about 17 percent of 6x6 tiles', async t => {
  const random = seededRandom(1)
  const counts = Array.from({ length: 4000 }, () => renditionsInView(pyramid, randomView(pyramid, HD, random)).length - 1)
  const share = counts.reduce((sum, count) => sum + count, 0) / counts.length / 36
  t.ok(share > 0.16 && share < 0.19, String(share))
  t.ok(Math.min(...counts) >= 4 && Math.max(...counts) <= 9)
})

t.test('is the same for the same seed, and stays inside a small image', async t => {
  t.same(randomView(pyramid, HD, seededRandom(7)), randomView(pyramid, HD, seededRandom(7)))
  const small = planPyramid({ width: 1280, height: 720, columns: 2, rows: 2, framesPerSecond: 30, overviewWidth: 640 })
  t.same(randomView(small, HD, () => 0.99), { x: 0, y: 0, width: 1280, height: 720 })
})
