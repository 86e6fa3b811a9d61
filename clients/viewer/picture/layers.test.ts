import t from 'tap'
import { planPyramid } from '../../../relay/wire/pyramid.ts'
import { layersOf } from './layers.ts'

const pyramid = planPyramid({ width: 7680, height: 4320, columns: 6, rows: 6, framesPerSecond: 30, overviewWidth: 1920, middle: { columns: 3, rows: 3 } })
const renditions = (...ids: string[]) => pyramid.renditions.filter(rendition => ids.includes(rendition.id))
const ids = (visible: Parameters<typeof layersOf>[0], ...names: string[]) => {
  const { painted, worstDensity } = layersOf(visible, renditions(...names))
  return [painted.map(({ id }) => id), worstDensity]
}
const upperLeft = { x: 0, y: 0, width: 2560, height: 1440 }

t.test('native tiles that cover everything leave nothing of what is below', async t => {
  t.same(ids({ x: 100, y: 100, width: 1000, height: 500 }, 'overview', 'middle-0-0', 'tile-0-0'), [['tile-0-0'], 1])
})

t.test('overview below, middle tiles above it, native tiles on top', async t => {
  t.same(ids({ x: 0, y: 0, width: 3840, height: 720 }, 'tile-0-0', 'middle-0-0', 'overview'), [['overview', 'middle-0-0', 'tile-0-0'], 0.25])
  t.same(ids(upperLeft, 'tile-0-0', 'middle-0-0', 'overview'), [['middle-0-0', 'tile-0-0'], 0.5])
  t.same(ids(upperLeft, 'tile-0-0', 'overview'), [['overview', 'tile-0-0'], 0.25])
})

t.test('a middle tile is not painted where native tiles have taken its place', async t => {
  t.same(ids(upperLeft, 'overview', 'middle-0-0', 'tile-0-0', 'tile-1-0', 'tile-0-1', 'tile-1-1'), [['tile-0-0', 'tile-1-0', 'tile-0-1', 'tile-1-1'].reverse(), 1])
})

t.test('says where there is nothing at all', async t => {
  t.same(ids({ x: 0, y: 0, width: 3840, height: 720 }, 'tile-0-0', 'middle-0-0'), [['middle-0-0', 'tile-0-0'], undefined])
  t.same(ids(upperLeft), [[], undefined])
  t.same(ids({ x: 0, y: 0, width: 0, height: 0 }, 'overview'), [[], undefined])
})

t.test('what rounding lets peep out does not count', async t => {
  t.same(ids({ x: 1280 - 1e-7, y: 0, width: 1280 + 2e-7, height: 720 }, 'overview', 'tile-1-0'), [['tile-1-0'], 1])
})

t.test('tells how much of what is visible is as dense as was asked for', async t => {
  const dense = (visible: typeof upperLeft, asked: number, ...names: string[]) => layersOf(visible, renditions(...names), asked).denseRatio
  t.equal(dense(upperLeft, 1, 'overview', 'middle-0-0', 'tile-0-0'), 0.25)
  t.equal(dense(upperLeft, 0.5, 'overview', 'middle-0-0', 'tile-0-0'), 1)
  t.equal(dense(upperLeft, 0.25, 'overview'), 1)
  t.equal(dense(upperLeft, 0.5, 'overview'), 0)
  t.equal(dense({ x: 640, y: 0, width: 2560, height: 720 }, 1, 'overview', 'tile-1-0'), 0.5, 'by area, not by number of tiles')
  t.equal(dense({ x: 0, y: 0, width: 2560, height: 720 }, 1, 'tile-0-0'), 0.5, 'where there is nothing, nothing is dense')
  t.equal(dense({ x: 0, y: 0, width: 0, height: 0 }, 1, 'overview'), 0)
})
