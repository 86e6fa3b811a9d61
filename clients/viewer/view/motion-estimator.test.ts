import t from 'tap'
import { millis } from '../../../relay/wire/units.ts'
import { extrapolate, MOTION, MotionEstimator } from './motion-estimator.ts'

/** Moves by `step` image pixels every 16 ms. */
function drag(estimator: MotionEstimator, from: number, samples: number, step: number, start = 0): number {
  for (let i = 0; i < samples; i++) estimator.sample({ x: from + i * step, y: 500, scale: 1 }, millis(start + i * 16))
  return start + (samples - 1) * 16
}

t.test('an even drag has its speed', async t => {
  const estimator = new MotionEstimator()
  const end = drag(estimator, 1000, 20, 16)
  const motion = estimator.motionAt(millis(end))!
  t.ok(Math.abs(motion.x - 1000) < 1e-6)
  t.same([motion.y, motion.doublings], [0, 0])
  const ahead = extrapolate({ x: 1304, y: 500, scale: 1 }, motion, millis(300))
  t.ok(Math.abs(ahead.x - 1604) < 1e-6)
})

t.test('one uneven sample does not turn the motion round', async t => {
  const estimator = new MotionEstimator()
  const end = drag(estimator, 1000, 20, 16)
  estimator.sample({ x: 1296, y: 500, scale: 1 }, millis(end + 16))
  t.ok(estimator.motionAt(millis(end + 16))!.x > 500)
})

t.test('a view that has not changed for a while rests, and starts without a speed', async t => {
  const estimator = new MotionEstimator()
  const end = drag(estimator, 1000, 20, 16)
  t.ok(estimator.motionAt(millis(end + MOTION.restAfterMs)))
  t.equal(estimator.motionAt(millis(end + MOTION.restAfterMs + 1)), undefined)
  estimator.sample({ x: 1900, y: 500, scale: 1 }, millis(end + 1000))
  t.equal(estimator.motionAt(millis(end + 1000)), undefined, 'one step of an arrow key is no motion')
  estimator.sample({ x: 1916, y: 500, scale: 1 }, millis(end + 1016))
  t.equal(estimator.motionAt(millis(end + 1016))?.x, 1000)
})

t.test('samples that repeat the same viewport do not keep the motion alive', async t => {
  const estimator = new MotionEstimator()
  const end = drag(estimator, 1000, 5, 16)
  for (let now = end; now < end + 300; now += 16) estimator.sample({ x: 1064, y: 500, scale: 1 }, millis(now))
  t.equal(estimator.motionAt(millis(end + 300)), undefined)
})

t.test('a jump is no motion, announced or not', async t => {
  const estimator = new MotionEstimator()
  const end = drag(estimator, 1000, 20, 16)
  estimator.jump({ x: 1400, y: 500, scale: 1 }, millis(end + 10))
  t.equal(estimator.motionAt(millis(end + 10)), undefined)
  const again = drag(estimator, 1400, 20, 16, end + 20)
  estimator.sample({ x: 6000, y: 500, scale: 1 }, millis(again + 16))
  t.equal(estimator.motionAt(millis(again + 16)), undefined)
  estimator.sample({ x: 6000, y: 500, scale: 4 }, millis(again + 32))
  t.equal(estimator.motionAt(millis(again + 32)), undefined)
})

t.test('samples of the same moment are taken as one', async t => {
  const estimator = new MotionEstimator()
  estimator.sample({ x: 0, y: 0, scale: 1 }, millis(0))
  estimator.sample({ x: 8, y: 0, scale: 1 }, millis(0))
  estimator.sample({ x: 16, y: 0, scale: 1 }, millis(1))
  t.equal(estimator.motionAt(millis(1)), undefined)
  estimator.sample({ x: 20, y: 0, scale: 1 }, millis(20))
  t.equal(estimator.motionAt(millis(20))?.x, 1000)
})

t.test('zooming is a motion of the scale', async t => {
  const estimator = new MotionEstimator()
  for (let i = 0; i < 10; i++) estimator.sample({ x: 100, y: 100, scale: 0.25 * 2 ** (i / 10) }, millis(i * 50))
  const motion = estimator.motionAt(millis(450))!
  t.ok(Math.abs(motion.doublings - 2) < 1e-6)
  t.ok(Math.abs(extrapolate({ x: 0, y: 0, scale: 0.5 }, motion, millis(500)).scale - 1) < 1e-6)
})
