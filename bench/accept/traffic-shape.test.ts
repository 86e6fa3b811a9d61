import t from 'tap'
import { loadRecordedShapes, LoadSchedule, shapeRate, SHAPES } from './traffic-shape.ts'
import { STEP_RATES } from './acceptance-plan.ts'

const shapes = await loadRecordedShapes()
const CYCLE_MILLIS = (1000 * shapes.whole.length) / shapes.framesPerSecond

t.test('the recorded shapes are those of 8K: an overview and 36 tiles, and one stream of some 90 Mbit/s', async t => {
  t.equal(Object.keys(shapes.pyramid).length, 37)
  const rates = [shapeRate(Object.values(shapes.pyramid), shapes.framesPerSecond), shapeRate([shapes.whole], shapes.framesPerSecond)]
  for (const rate of rates) t.ok(rate > 80e6 && rate < 100e6, `${rate} with headroom is within the largest load`)
})

for (const shape of SHAPES) {
  t.test(`a load of the ${shape} has the rate asked for over a whole recording`, async t => {
    for (const rate of STEP_RATES) {
      const bytes = [...new LoadSchedule(shapes, shape, rate).datagrams(CYCLE_MILLIS)].reduce((sum, datagram) => sum + datagram.bytes + 28, 0)
      const sent = (8000 * bytes) / CYCLE_MILLIS
      t.ok(Math.abs(sent / rate - 1) < 0.03, `${sent} for ${rate}`)
    }
  })

  t.test(`datagrams of the ${shape} are in order, full ones no larger than video has them, and as many as announced`, async t => {
    const schedule = new LoadSchedule(shapes, shape, 50e6)
    const datagrams = [...schedule.datagrams(1500)]
    t.equal(datagrams.length, schedule.count(1500))
    t.ok(datagrams.every(({ atMillis }, index) => atMillis >= (datagrams[index - 1]?.atMillis ?? 0)))
    t.ok(datagrams.every(({ bytes }) => bytes >= 26 && bytes <= 1228))
    t.ok((datagrams.at(-1)?.atMillis ?? Infinity) < 1500)
  })
}

t.test('a keyframe of the whole stream leaves faster than its other frames, one of the pyramid hardly does', async t => {
  const peak = (shape: 'pyramid' | 'whole'): number => {
    const byImage = Map.groupBy(new LoadSchedule(shapes, shape, 100e6).datagrams(CYCLE_MILLIS), ({ atMillis }) => Math.floor((atMillis * shapes.framesPerSecond) / 1000 + 1e-6))
    const sizes = [...byImage.values()].map(datagrams => datagrams.reduce((sum, { bytes }) => sum + bytes, 0))
    return (Math.max(...sizes) * sizes.length) / sizes.reduce((sum, size) => sum + size, 0)
  }
  t.ok(peak('whole') > 4, `${peak('whole')} times the mean`)
  t.ok(peak('pyramid') < 2, `${peak('pyramid')} times the mean`)
})
