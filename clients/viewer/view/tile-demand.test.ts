import t from 'tap'
import { planPyramid } from '../../../relay/wire/pyramid.ts'
import { coveredDemandOf, demandOf, overviewSuffices } from './tile-demand.ts'
import type { Attention } from './tile-demand.ts'
import { fit, settle } from './viewport.ts'

const plan = { width: 7680, height: 4320, columns: 6, rows: 6, framesPerSecond: 30, overviewWidth: 1920 } as const
const pyramid = planPyramid({ ...plan, whole: 'VP9' })
const withMiddle = planPyramid({ ...plan, middle: { columns: 3, rows: 3 } })
const hd = { width: 1920, height: 1080 }
const tile = { width: 1280, height: 720 }
const at = (x: number, y: number, scale: number, canvas = hd) => ({ viewport: settle({ x, y, scale }, pyramid, canvas), canvas, mode: 'pyramid' as const })
const RESTING: Attention = { pointer: undefined, motion: undefined }
const moving = (x: number, y: number, doublings = 0): Attention => ({ pointer: undefined, motion: { x, y, doublings } })

t.test('zoomed out, only the overview flows', async t => {
  const view = { viewport: fit(pyramid, hd), canvas: hd, mode: 'pyramid' as const }
  t.same(demandOf(pyramid, view, RESTING), { renditions: ['overview'], prefetch: [] })
  t.ok(overviewSuffices(pyramid, 0.375))
  t.notOk(overviewSuffices(pyramid, 0.376))
})

t.test('a pyramid that is covered needs its overview only', async t => {
  t.same(coveredDemandOf(pyramid), { renditions: ['overview'], prefetch: [] })
})

t.test('a canvas of exactly one tile asks for that tile and none of its neighbours', async t => {
  t.same(demandOf(pyramid, at(1280 * 2.5, 720 * 1.5, 1, tile), RESTING).renditions, ['tile-2-1', 'overview'])
  t.same(demandOf(pyramid, at(1280 * 2.5 + 1, 720 * 1.5, 1, tile), RESTING).renditions, ['tile-2-1', 'overview', 'tile-3-1'])
})

t.test('the tile in the middle comes first, then the overview, then what is nearest', async t => {
  const { renditions } = demandOf(pyramid, at(1280 * 2.5, 720 * 2.5, 1), RESTING)
  t.same(renditions.slice(0, 2), ['tile-2-2', 'overview'])
  t.same(new Set(renditions.slice(2, 4)), new Set(['tile-2-1', 'tile-2-3']))
  t.equal(renditions.length, 10)
})

t.test('the pointer draws the order to itself', async t => {
  const view = at(1280 * 2.5, 720 * 2.5, 1)
  const corner = demandOf(pyramid, view, { ...RESTING, pointer: { x: 1900, y: 10 } })
  t.same(corner.renditions.slice(0, 2), ['tile-3-1', 'overview'])
  t.equal(corner.renditions.at(-1), 'tile-1-3', 'the opposite corner is last')
  t.same(new Set(corner.renditions), new Set(demandOf(pyramid, view, RESTING).renditions), 'and only the order')
  const outside = demandOf(pyramid, at(640, 360, 1), { ...RESTING, pointer: { x: -50, y: -50 } })
  t.equal(outside.renditions[0], 'tile-0-0', 'a captured pointer outside of the image means the nearest tile')
})

t.test('an 8K canvas asks for every tile', async t => {
  t.equal(demandOf(pyramid, at(3840, 2160, 1, { width: 7680, height: 4320 }), RESTING).renditions.length, 37)
})

t.test('whole mode asks for that stream alone, and is ignored where there is none', async t => {
  const view = { ...at(3840, 2160, 1), mode: 'whole' as const }
  t.same(demandOf(pyramid, view, moving(4000, 0)), { renditions: ['whole'], prefetch: [] })
  t.ok(demandOf(withMiddle, view, RESTING).renditions.includes('overview' as never))
})

t.test('middle tiles where they exist and have a pixel for every device pixel', async t => {
  const half = demandOf(withMiddle, at(3840, 2160, 0.5), RESTING).renditions
  t.equal(half[0], 'middle-1-1')
  t.ok(half.every(id => id === 'overview' || id.startsWith('middle-')))
  t.ok(demandOf(withMiddle, at(3840, 2160, 0.51), RESTING).renditions.every(id => !id.startsWith('middle-')))
  t.ok(demandOf(pyramid, at(3840, 2160, 0.5), RESTING).renditions.every(id => !id.startsWith('middle-')))
})

t.test('fetches ahead what the motion brings into view, soonest first', async t => {
  const view = at(1280 * 2.5, 720 * 2.5, 1, tile)
  t.same(demandOf(pyramid, view, moving(1000, 0)).prefetch, ['tile-3-2'])
  t.same(demandOf(pyramid, view, moving(-1000, 0)).prefetch, ['tile-1-2'])
  const diagonal = demandOf(pyramid, view, moving(1000, 300)).prefetch
  t.same(new Set(diagonal), new Set(['tile-3-2', 'tile-2-3', 'tile-3-3']))
  const inside = at(1280 * 2.5, 720 * 2.5, 1, { width: 640, height: 360 })
  t.same(demandOf(pyramid, inside, moving(3000, 900)).prefetch.at(0), 'tile-3-2', 'what is reached in 100 ms before what needs 200')
})

t.test('fetches at most one row or column ahead, nothing at rest and nothing beyond the border', async t => {
  const view = at(1280 * 2.5, 720 * 2.5, 1, tile)
  t.same(demandOf(pyramid, view, RESTING).prefetch, [])
  t.same(demandOf(pyramid, view, moving(20_000, 0)).prefetch, ['tile-3-2'])
  t.same(demandOf(pyramid, at(7680, 4320, 1, tile), moving(5000, 0)).prefetch, [])
})

t.test('zooming fetches ahead what the next scale needs, in its level', async t => {
  const before = at(3840, 2160, 0.37)
  const into = demandOf(withMiddle, before, moving(0, 0, 1))
  t.same(into.renditions, ['overview'])
  t.ok(into.prefetch.length > 0 && into.prefetch.every(id => id.startsWith('middle-')))
  t.equal(into.prefetch[0], 'middle-1-1')
  const deeper = demandOf(withMiddle, at(3840, 2160, 0.49), moving(0, 0, 1)).prefetch
  t.ok(deeper.length > 0 && deeper.every(id => id.startsWith('tile-')))
  t.ok(deeper.length <= 12)
  t.same(demandOf(withMiddle, at(3840, 2160, 0.4), moving(0, 0, -1)).prefetch.filter(id => id.startsWith('tile-')), [])
})
