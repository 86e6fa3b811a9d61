import t from 'tap'
import { planPyramid } from '../../../relay/wire/pyramid.ts'
import { millis, rtpTimestamp } from '../../../relay/wire/units.ts'
import { layersOf } from './layers.ts'
import { expectedRate, isShownCoarse, sharpnessOf, staleAfter, tellTruth } from './truth.ts'

const pyramid = planPyramid({ width: 7680, height: 4320, columns: 6, rows: 6, framesPerSecond: 30, overviewWidth: 1920, middle: { columns: 3, rows: 3 } })
const VISIBLE = { x: 1000, y: 100, width: 600, height: 500 }
/** The sharpness of these renditions, drawn over a part of tiles 0,0 and 1,0. */
const sharpness = (ids: string[], scale = 1, visible = VISIBLE) =>
  sharpnessOf(scale, layersOf(visible, pyramid.renditions.filter(rendition => ids.includes(rendition.id))).worstDensity)
const NATIVE = ['overview', 'tile-0-0', 'tile-1-0']

t.test('native only at exactly 1:1 and covered by tiles of the instant', async t => {
  t.same(sharpness(NATIVE), { kind: 'native', factor: 1 })
  t.equal(sharpness(NATIVE, 1.0001).kind, 'upscaled')
  t.equal(sharpness(NATIVE, 0.9999).kind, 'reduced')
})

t.test('one missing tile makes the picture upscaled by what the overview is enlarged', async t => {
  t.same(sharpness(['overview', 'tile-0-0']), { kind: 'upscaled', factor: 4 })
  t.equal(sharpness(['tile-0-0']).kind, 'none')
})

t.test('a middle tile in its place is enlarged half as much, and sharp at half size', async t => {
  t.same(sharpness(['overview', 'tile-0-0', 'middle-0-0']), { kind: 'upscaled', factor: 2 })
  t.same(sharpness(['overview', 'middle-0-0'], 0.5), { kind: 'reduced', factor: 2 })
  t.same(sharpness(['overview', 'middle-0-0'], 0.75), { kind: 'upscaled', factor: 1.5 })
  t.same(sharpness([...NATIVE, 'middle-0-0']), { kind: 'native', factor: 1 }, 'hidden under native tiles it does no harm')
})

t.test('says by how much the overview is reduced or enlarged', async t => {
  const whole = { x: 0, y: 0, width: 7680, height: 4320 }
  t.same(sharpness(['overview'], 0.25, whole), { kind: 'reduced', factor: 4 })
  t.same(sharpness(['overview'], 0.2, whole), { kind: 'reduced', factor: 5 })
  t.same(sharpness(['overview'], 0.375, whole), { kind: 'upscaled', factor: 1.5 })
})

t.test('tiles at half size are reduced, at double size upscaled', async t => {
  t.same(sharpness(NATIVE, 0.5).factor, 2)
  t.same(sharpness(NATIVE, 2), { kind: 'upscaled', factor: 2 })
})

t.test('stale after the limit, none before the first instant', async t => {
  const sharp = sharpness(NATIVE)
  t.same(tellTruth(sharp, millis(500), millis(500)), { kind: 'native', pixels: 'native', factor: 1, staleSeconds: 0 })
  t.same(tellTruth(sharp, millis(1200), millis(500)), { kind: 'stale', pixels: 'native', factor: 1, staleSeconds: 1.2 })
  t.equal(tellTruth(sharp, undefined, millis(500)).kind, 'none')
})

t.test('stale within a second, slower sources excepted', async t => {
  t.equal(staleAfter(60), 500)
  t.equal(staleAfter(30), 500)
  t.equal(staleAfter(5), 600)
  t.equal(staleAfter(2), 900)
  t.equal(staleAfter(1), 1500)
  t.equal(expectedRate({ state: 'slow', framesPerSecond: 4 }, 30), 4)
  t.equal(expectedRate({ state: 'interrupted', framesPerSecond: 0 }, 30), 30)
})

t.test('nothing is native that the source marks as coarse, whatever its pixels, nor while that cannot be read', async t => {
  const [marked, plain] = [{ marksCoarse: true } as const, {}]
  const [sharp, coarse] = [rtpTimestamp(3000), rtpTimestamp(6001)]
  t.notOk(isShownCoarse(marked, [sharp, sharp], 'exact'))
  t.ok(isShownCoarse(marked, [sharp, coarse], 'exact'), 'an overview of another instant counts, too')
  t.ok(isShownCoarse(marked, [sharp], 'approximate'))
  t.notOk(isShownCoarse(plain, [coarse], 'exact'), 'elsewhere the bit says nothing')
  t.notOk(isShownCoarse(plain, [coarse], 'approximate'))
  t.same(sharpnessOf(1, 1, true), { kind: 'coarse', factor: 1 })
  t.same(sharpnessOf(1, 0.25, true), { kind: 'coarse', factor: 4 })
  t.equal(sharpnessOf(0.25, 0.25, true).kind, 'coarse')
  t.equal(sharpnessOf(1, undefined, true).kind, 'none')
  t.same(tellTruth(sharpnessOf(1, 1, true), millis(1200), millis(500)), { kind: 'stale', pixels: 'coarse', factor: 1, staleSeconds: 1.2 })
})
