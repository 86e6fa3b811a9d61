import t from 'tap'
import { millis } from '../../relay/wire/units.ts'
import { SimulatedStage } from './simulated-stage.ts'
import { StageAxis } from './stage-axis.ts'
import { StageModel } from './stage-model.ts'
import type { StagePosition } from './encoded-frame.ts'
import type { StageModelOptions } from './stage-model.ts'

const OPTIONS: StageModelOptions = {
  objectives: [{ name: '10x', micrometresPerPixel: 0.5 }, { name: '20x', micrometresPerPixel: 0.25 }],
  travel: { x: { min: 0, max: 20_000 }, y: { min: 0, max: 10_000 }, focus: { min: -100, max: 100 } },
  start: { x: 1000, y: 1000, focus: 0, objective: '20x' },
}

t.test('an axis reaches its top speed, never passes its target, and stands exactly there', async t => {
  const axis = new StageAxis({ micrometresPerSecond: 20_000, micrometresPerSecondSquared: 200_000 }, 0)
  axis.moveTo(10_000)
  const positions = Array.from({ length: 80 }, () => {
    axis.advance(millis(10))
    return axis.position
  })
  t.equal(positions.at(-1), 10_000)
  t.notOk(axis.isMoving)
  const steps = positions.map((position, index) => position - (positions[index - 1] ?? 0))
  t.ok(steps.every(step => step >= 0 && step <= 201), 'never back, never faster than 200 µm in 10 ms')
  t.ok(Math.max(...steps) > 190, 'it does get that fast')
  const arrival = 10 * (positions.indexOf(10_000) + 1)
  // Half a second at full speed, and a tenth for speeding up and braking.
  t.ok(arrival >= 590 && arrival <= 630, `${arrival} ms`)
})

t.test('an axis moves the same however often one looks', async t => {
  const limits = { micrometresPerSecond: 20_000, micrometresPerSecondSquared: 200_000 }
  const often = new StageAxis(limits, 0)
  const seldom = new StageAxis(limits, 0)
  for (const axis of [often, seldom]) axis.moveTo(-3000.25)
  for (let look = 0; look < 140; look++) often.advance(millis(1))
  for (let look = 0; look < 2; look++) seldom.advance(millis(70))
  t.equal(often.position, seldom.position)
})

t.test('goes where it is told, on whole pixels of the objective in place', async t => {
  const model = new StageModel(OPTIONS)
  model.step(millis(0))
  model.command({ x: 1500.3, y: 900, focus: 10 })
  const under = model.step(millis(20))
  t.ok(under.isMoving && under.x > 1000 && under.x < 1500)
  t.equal((under.x / 0.25) % 1, 0)
  t.same(model.step(millis(2000)), { x: 1500.25, y: 900, focus: 10, objective: '20x', isMoving: false })
})

t.test('a later command replaces an earlier one, axis by axis, and travel bounds it', async t => {
  const model = new StageModel(OPTIONS)
  model.step(millis(0))
  model.command({ x: 5000, y: 5000 })
  model.step(millis(50))
  model.command({ x: -400 })
  t.match(model.step(millis(3000)), { x: 0, y: 5000, isMoving: false })
})

t.test('everything holds while the objective changes, and then stands on the pixels of the new one', async t => {
  const model = new StageModel(OPTIONS)
  model.step(millis(0))
  model.command({ x: 1000.25 })
  t.match(model.step(millis(500)), { x: 1000.25, isMoving: false })
  model.command({ objective: '10x', y: 2000 })
  t.match(model.step(millis(790)), { x: 1000.25, y: 1000, objective: '20x', isMoving: true })
  t.match(model.goal, { x: 1000.5, y: 2000, objective: '10x' }, 'where it is going is known')
  t.match(model.step(millis(801)), { objective: '10x', isMoving: true })
  t.match(model.step(millis(2000)), { x: 1000.5, y: 2000, objective: '10x', isMoving: false })
  model.command({ objective: '20x' })
  t.match(model.step(millis(3000)), { x: 1000.25, objective: '20x' }, 'what was asked for is not forgotten')
})

t.test('says where it is once, and again with the first image taken there', async t => {
  const stage = new SimulatedStage(OPTIONS)
  const heard: StagePosition[] = []
  stage.onPosition(position => heard.push(position))
  stage.advance(millis(0))
  stage.report(undefined)
  t.equal(heard.length, 0, 'nothing is new')
  stage.report(0)
  t.match(heard, [{ state: { x: 1000 }, mediaTicks: 0 }])
  stage.report(6000)
  t.equal(heard.length, 1)
  stage.command({ x: 1100 }, 3)
  stage.advance(millis(1000))
  stage.report(undefined)
  stage.report(90_000)
  stage.report(96_000)
  t.match(heard.slice(1), [
    { state: { x: 1000 }, mediaTicks: 0, obeyed: { command: 3, mediaTicks: undefined } },
    { state: { x: 1100, isMoving: false }, mediaTicks: undefined, obeyed: { command: 3, mediaTicks: undefined } },
    { state: { x: 1100 }, mediaTicks: 90_000, obeyed: { command: 3, mediaTicks: 90_000 } },
  ])
  t.match(stage.stage, { travel: OPTIONS.travel, state: { x: 1100, rtpTimestamp: null } })
  stage.restart()
  stage.report(0)
  t.match(heard.at(-1), { mediaTicks: 0 }, 'images of a new run are other images')
  stage.command({ x: 1100 }, 4)
  t.match(heard.at(-1), { mediaTicks: 0, obeyed: { command: 4, mediaTicks: undefined } }, 'a command to where it is is answered')
  stage.report(6000)
  t.match(heard.at(-1), { mediaTicks: 0, obeyed: { command: 4, mediaTicks: 6000 } })
})

t.test('stops where it is, and goes on from there when it is told', async t => {
  const model = new StageModel(OPTIONS)
  model.step(millis(0))
  model.command({ x: 9000, focus: 80 })
  const before = model.step(millis(120))
  model.stop()
  const after = model.step(millis(2000))
  t.match(after, { x: before.x, isMoving: false, focus: before.focus }, 'within half a pixel')
  model.command({ y: 1200 })
  t.match(model.step(millis(4000)), { x: before.x, y: 1200, focus: before.focus, isMoving: false }, 'what was aimed at before is forgotten')
  model.command({ objective: '10x' })
  model.step(millis(4100))
  model.stop()
  t.match(model.step(millis(5000)), { objective: '10x', isMoving: false }, 'a turret comes to its end')
})
