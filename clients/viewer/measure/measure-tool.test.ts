import { signal } from '@preact/signals'
import t from 'tap'
import { MeasureTool } from './measure-tool.ts'
import { valueOf } from './measurement.ts'
import type { Calibration } from './measurement.ts'

function open() {
  const calibration = signal<Calibration | null>(null)
  const tool = new MeasureTool({ image: signal({ width: 400, height: 300 }), calibration, viewport: signal({ scale: 1 }) })
  return { calibration, tool }
}

t.test('a distance is done with its second point', async t => {
  const { tool } = open()
  tool.place({ x: 1, y: 1 })
  t.same(tool.draft.value, null, 'nothing without the tool')
  tool.take('distance')
  tool.place({ x: 10, y: 10 })
  tool.hover.value = { x: 10, y: 40 }
  t.equal(tool.underWay.value && valueOf(tool.underWay.value), 30, 'told while the pointer moves')
  tool.place({ x: 40, y: 50 })
  t.same(tool.kept.value.map(valueOf), [50])
  t.equal(tool.kind.value, 'distance', 'the next one can begin')
})

t.test('a line ends where its last point is set twice, an area not before it has three', async t => {
  const { tool } = open()
  tool.take('area')
  for (const x of [0, 100]) tool.place({ x, y: 0 })
  tool.place({ x: 101, y: 0 })
  t.equal(tool.kept.value.length, 0)
  tool.place({ x: 100, y: 50 })
  tool.place({ x: 100, y: 50 })
  t.same(tool.kept.value.map(valueOf), [2500])
})

t.test('measures in micrometres where there is a calibration, and does not mix units', async t => {
  const { tool, calibration } = open()
  tool.take('distance')
  tool.place({ x: 0, y: 0 })
  calibration.value = { x: 0, y: 0, micrometresPerPixel: 0.5 }
  tool.place({ x: 0, y: 0 })
  tool.place({ x: 100, y: 0 })
  t.same(tool.kept.value.map(({ unit, points }) => [unit, valueOf({ kind: 'distance', points })]), [['micrometre', 50]])
})

t.test('takes back points, then measurements, and gives up before it is put down', async t => {
  const { tool } = open()
  tool.take('path')
  tool.place({ x: 0, y: 0 })
  tool.place({ x: 50, y: 0 })
  tool.undo()
  t.equal(tool.draft.value?.points.length, 1)
  tool.place({ x: 90, y: 0 })
  tool.place({ x: 90, y: 0 })
  tool.place({ x: 5, y: 5 })
  t.ok(tool.cancel())
  t.equal(tool.kind.value, 'path')
  t.ok(tool.cancel())
  t.equal(tool.kind.value, null)
  t.notOk(tool.cancel())
  tool.undo()
  t.same(tool.kept.value, [])
})

t.test('keeps a bounded number', async t => {
  const { tool } = open()
  tool.take('distance')
  for (let i = 0; i < 120; i++) tool.place({ x: i * 50, y: 0 })
  t.equal(tool.kept.value.length, 50)
})

t.test('one key goes through all kinds and puts the tool down', async t => {
  const { tool } = open()
  const seen = Array.from({ length: 4 }, () => (tool.next(), tool.kind.value))
  t.same(seen, ['distance', 'path', 'area', null])
})
