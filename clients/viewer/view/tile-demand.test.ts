import t from 'tap'
import { planPyramid } from '../../../relay/wire/pyramid.ts'
import { demandedRenditions, overviewSuffices } from './tile-demand.ts'
import { fit, settle } from './viewport.ts'

const pyramid = planPyramid({ width: 7680, height: 4320, columns: 6, rows: 6, framesPerSecond: 30, overviewWidth: 1920, whole: 'VP9' })
const hd = { width: 1920, height: 1080 }
const at = (x: number, y: number, scale: number, canvas = hd) => ({ viewport: settle({ x, y, scale }, pyramid, canvas), canvas, mode: 'pyramid' as const })

t.test('zoomed out, only the overview flows', async t => {
  t.same(demandedRenditions(pyramid, { viewport: fit(pyramid, hd), canvas: hd, mode: 'pyramid' }), ['overview'])
  t.ok(overviewSuffices(pyramid, 0.375))
  t.notOk(overviewSuffices(pyramid, 0.376))
})

t.test('a canvas of exactly one tile asks for that tile and none of its neighbours', async t => {
  const tile = { width: 1280, height: 720 }
  t.same(demandedRenditions(pyramid, at(1280 * 2.5, 720 * 1.5, 1, tile)), ['overview', 'tile-2-1'])
  t.same(demandedRenditions(pyramid, at(1280 * 2.5 + 1, 720 * 1.5, 1, tile)), ['overview', 'tile-2-1', 'tile-3-1'])
})

t.test('lists the tiles nearest to the centre first', async t => {
  const demanded = demandedRenditions(pyramid, at(1280 * 2.5, 720 * 2.5, 1))
  t.equal(demanded[1], 'tile-2-2')
  t.equal(demanded.length, 10)
})

t.test('an 8K canvas asks for every tile', async t => {
  t.equal(demandedRenditions(pyramid, at(3840, 2160, 1, { width: 7680, height: 4320 })).length, 37)
})

t.test('whole mode asks for that stream alone, and is ignored where there is none', async t => {
  const view = { ...at(3840, 2160, 1), mode: 'whole' as const }
  t.same(demandedRenditions(pyramid, view), ['whole'])
  const without = { ...pyramid, renditions: pyramid.renditions.filter(rendition => rendition.id !== 'whole') }
  t.equal(demandedRenditions(without, view)[0], 'overview')
})
