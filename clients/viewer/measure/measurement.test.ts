import t from 'tap'
import { formatMeasured, keptPoint, shownPoint, valueOf } from './measurement.ts'

const image = { width: 7680, height: 4320 }
const points = [{ x: 0, y: 0 }, { x: 3, y: 4 }, { x: 3, y: 10 }]

t.test('a length is that of the line, an area that of the figure it closes', async t => {
  t.equal(valueOf({ kind: 'distance', points: points.slice(0, 2) }), 5)
  t.equal(valueOf({ kind: 'path', points }), 11)
  t.equal(valueOf({ kind: 'area', points }), 9)
  t.equal(valueOf({ kind: 'area', points: [...points].reverse() }), 9, 'whichever way round')
  t.equal(valueOf({ kind: 'path', points: [] }), 0)
})

t.test('a point stays on the slide when the stage moves and when the objective is another', async t => {
  const before = { x: 1000, y: 500, micrometresPerPixel: 0.25 }
  const kept = keptPoint({ x: 3840 + 400, y: 2160 - 200 }, image, before)
  t.same(kept, { x: 1100, y: 450 })
  t.same(shownPoint(kept, image, before), { x: 4240, y: 1960 })
  t.same(shownPoint(kept, image, { ...before, x: 1010 }), { x: 4200, y: 1960 })
  t.same(shownPoint(kept, image, { ...before, micrometresPerPixel: 0.5 }), { x: 4040, y: 2060 })
})

t.test('without calibration a point stays on the image', async t => {
  t.same(keptPoint({ x: 12, y: 34 }, image, null), { x: 12, y: 34 })
  t.same(shownPoint({ x: 12, y: 34 }, image, null), { x: 12, y: 34 })
})

t.test('writes values with the unit that is known', async t => {
  const line = (length: number) => [{ x: 0, y: 0 }, { x: length, y: 0 }]
  const square = (side: number) => [{ x: 0, y: 0 }, { x: side, y: 0 }, { x: side, y: side }, { x: 0, y: side }]
  t.equal(formatMeasured({ kind: 'distance', unit: 'micrometre', points: line(123.456) }), '123.5 µm')
  t.equal(formatMeasured({ kind: 'distance', unit: 'micrometre', points: line(1234.56) }), '1.235 mm')
  t.equal(formatMeasured({ kind: 'area', unit: 'micrometre', points: square(100) }), '10000 µm²')
  t.equal(formatMeasured({ kind: 'area', unit: 'micrometre', points: square(1000) }), '1 mm²')
  t.equal(formatMeasured({ kind: 'distance', unit: 'pixel', points: line(1234.56) }), '1234.6 px')
  t.equal(formatMeasured({ kind: 'area', unit: 'pixel', points: square(20) }), '400 px²')
})
