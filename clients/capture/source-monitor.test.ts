import t from 'tap'
import { millis } from '../../relay/wire/units.ts'
import { SourceMonitor } from './source-monitor.ts'

const run = (monitor: SourceMonitor, fromMillis: number, seconds: number, framesPerSecond: number): void => {
  for (let image = 0; image < seconds * framesPerSecond; image++) monitor.imageArrived(millis(fromMillis + (image * 1000) / framesPerSecond))
}

t.test('is live at the declared rate, whatever part of a second it began in', async t => {
  const monitor = new SourceMonitor(30)
  t.match(monitor.status(millis(0)), { state: 'interrupted' })
  run(monitor, 700, 4, 30)
  t.same(monitor.status(millis(4690)), { state: 'live', framesPerSecond: 30 })
})

t.test('is slow below nine tenths, and recovers', async t => {
  const monitor = new SourceMonitor(30)
  run(monitor, 0, 6, 20)
  t.same(monitor.status(millis(6000)), { state: 'slow', framesPerSecond: 20, fault: 'encoder_slow' })
  run(monitor, 6000, 5, 30)
  t.same(monitor.status(millis(11_000)), { state: 'live', framesPerSecond: 30 })
})

t.test('one odd second is no judgement', async t => {
  const monitor = new SourceMonitor(30)
  run(monitor, 0, 3, 30)
  run(monitor, 3000, 1, 24)
  run(monitor, 4000, 2, 30)
  t.match(monitor.status(millis(6000)), { state: 'live' })
})

t.test('is interrupted when it died, until the next image, and when nothing comes', async t => {
  const monitor = new SourceMonitor(30)
  run(monitor, 0, 3, 30)
  monitor.failed('bad_source')
  t.same(monitor.status(millis(3000)), { state: 'interrupted', framesPerSecond: 0, fault: 'bad_source' })
  run(monitor, 5000, 1, 30)
  t.match(monitor.status(millis(5990)), { state: 'live' })
  t.match(monitor.status(millis(60_000)), { state: 'interrupted', framesPerSecond: 0 })
})

t.test('does not call a source slow of which only keyframes are wanted, and judges anew when more is', async t => {
  const monitor = new SourceMonitor(15)
  monitor.expectFullRate(false)
  for (let second = 0; second < 10; second++) monitor.imageArrived(millis(second * 1000))
  t.equal(monitor.status(millis(9500)).state, 'live')
  monitor.expectFullRate(true)
  for (let image = 0; image <= 75; image++) monitor.imageArrived(millis(10_000 + (image * 1000) / 15))
  t.equal(monitor.status(millis(15_000)).state, 'live')
  for (let second = 16; second < 22; second++) monitor.imageArrived(millis(second * 1000))
  t.equal(monitor.status(millis(21_500)).state, 'slow')
})
