import t from 'tap'
import { OVERVIEW } from '../../../relay/wire/ids.ts'
import { planPyramid } from '../../../relay/wire/pyramid.ts'
import { millis } from '../../../relay/wire/units.ts'
import { expectedRate, sharpnessOf, staleAfter, tellTruth } from './truth.ts'
import type { DrawnPicture } from './truth.ts'

const pyramid = planPyramid({ width: 7680, height: 4320, columns: 6, rows: 6, framesPerSecond: 30, overviewWidth: 1920 })
const renditions = (...ids: string[]) => pyramid.renditions.filter(rendition => ids.includes(rendition.id))
const overview = pyramid.renditions.find(rendition => rendition.id === OVERVIEW)!

const picture = (changes: Partial<DrawnPicture> = {}): DrawnPicture => ({
  scale: 1,
  visible: { x: 1000, y: 100, width: 600, height: 500 },
  current: renditions('overview', 'tile-0-0', 'tile-1-0'),
  underlay: overview,
  ...changes,
})

t.test('native only at exactly 1:1 and covered by tiles of the instant', async t => {
  t.same(sharpnessOf(picture()), { kind: 'native', factor: 1 })
  t.equal(sharpnessOf(picture({ scale: 1.0001 })).kind, 'upscaled')
  t.equal(sharpnessOf(picture({ scale: 0.9999 })).kind, 'reduced')
})

t.test('one missing tile makes the picture upscaled by what the overview is enlarged', async t => {
  t.same(sharpnessOf(picture({ current: renditions('overview', 'tile-0-0') })), { kind: 'upscaled', factor: 4 })
  t.equal(sharpnessOf(picture({ current: renditions('tile-0-0'), underlay: undefined })).kind, 'none')
})

t.test('says by how much the overview is reduced or enlarged', async t => {
  const whole = { x: 0, y: 0, width: 7680, height: 4320 }
  const current = renditions('overview')
  t.same(sharpnessOf(picture({ scale: 0.25, visible: whole, current })), { kind: 'reduced', factor: 4 })
  t.same(sharpnessOf(picture({ scale: 0.2, visible: whole, current })), { kind: 'reduced', factor: 5 })
  t.same(sharpnessOf(picture({ scale: 0.375, visible: whole, current })), { kind: 'upscaled', factor: 1.5 })
})

t.test('tiles at half size are reduced, at double size upscaled', async t => {
  t.same(sharpnessOf(picture({ scale: 0.5 })).factor, 2)
  t.same(sharpnessOf(picture({ scale: 2 })), { kind: 'upscaled', factor: 2 })
})

t.test('stale after the limit, none before the first instant', async t => {
  const sharp = sharpnessOf(picture())
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
