import t from 'tap'
import { loadRecordedShapes, PAYLOAD_BYTES, SHAPES } from '../accept/traffic-shape.ts'
import { fanoutSchedule, scheduleText } from './fanout-schedule.ts'

const shapes = await loadRecordedShapes()

for (const shape of SHAPES) {
  t.test(`the ${shape} is sent packet by packet as it was recorded, in order and within its loop`, async t => {
    const { tracks, loopMicros, packets } = fanoutSchedule(shapes, shape)
    t.equal(tracks.length, shape === 'whole' ? 1 : 37)
    const recorded = (shape === 'whole' ? [shapes.whole] : Object.values(shapes.pyramid)).flat().reduce((sum, size) => sum + size, 0)
    t.equal(packets.reduce((sum, packet) => sum + packet.payloadBytes, 0), recorded)
    t.ok(packets.every(({ atMicros }, index) => atMicros >= (packets[index - 1]?.atMicros ?? 0) && atMicros < loopMicros))
    t.ok(packets.every(({ payloadBytes }) => payloadBytes >= 1 && payloadBytes <= PAYLOAD_BYTES))
  })

  t.test(`every stream of the ${shape} has a keyframe each second, so that viewers who join see something`, async t => {
    const { tracks, loopMicros, packets } = fanoutSchedule(shapes, shape)
    for (const track of tracks.keys()) {
      const begins = packets.filter(packet => packet.track === track && packet.beginsKeyFrame).map(({ atMicros }) => atMicros)
      const gaps = begins.map((at, index) => (begins[index + 1] ?? (begins[0] ?? 0) + loopMicros) - at)
      t.ok(gaps.length > 0 && Math.max(...gaps) <= 1.1e6, `${tracks[track] ?? ''}: ${Math.max(...gaps)} µs`)
    }
  })
}

t.test('a line of the schedule says when, which, how much, and where frames begin and end', async t => {
  const text = scheduleText(fanoutSchedule({ ...shapes, framesPerSecond: 10, whole: [PAYLOAD_BYTES + 20, 30] }, 'whole'))
  t.equal(text, `0 0 ${PAYLOAD_BYTES} 1\n40000 0 20 2\n100000 0 30 2\n`)
})
