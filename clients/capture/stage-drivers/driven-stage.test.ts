import t from 'tap'
import { millis } from '../../../relay/wire/units.ts'
import { createLogger } from '../../../relay/runtime/log.ts'
import { DrivenStage } from './driven-stage.ts'
import type { StageTarget } from '../../../relay/wire/stage.ts'
import type { StagePosition } from '../encoded-frame.ts'
import type { DriverState, StageDriver } from './stage-driver.ts'

/** A driver that a test moves by hand. */
class HandDriver implements StageDriver {
  readonly limits = { objectives: [{ name: '20x', micrometresPerPixel: 0.25 }], travel: { x: { min: 0, max: 1000 }, y: { min: 0, max: 1000 }, focus: { min: 0, max: 0 } } }
  readonly objective = '20x'
  state: DriverState = { kind: 'ready', place: { x: 1, y: 2, focus: 0, isMoving: false, command: undefined } }
  readonly wanted: (StageTarget | 'stop')[] = []
  say: (state: DriverState) => void = () => undefined
  onState(listener: (state: DriverState) => void): void {
    this.say = listener
  }
  moveTo(target: StageTarget): void {
    this.wanted.push(target)
  }
  stop(): void {
    this.wanted.push('stop')
  }
  [Symbol.asyncDispose](): Promise<void> {
    return Promise.resolve()
  }
}

t.test('names the first image that was surely taken where the stage is, and none while it does not answer', async t => {
  let now = millis(0)
  const driver = new HandDriver()
  const stage = new DrivenStage({ driver, cameraDelay: millis(200), clock: { now: () => now, sleep: () => Promise.resolve() }, log: createLogger({ level: 'silent', program: 'test' }) })
  const heard: StagePosition[] = []
  stage.onPosition(position => heard.push(position))
  t.match(stage.stage.state, { x: 1, y: 2, objective: '20x', rtpTimestamp: null })
  stage.command({ x: 50 }, 4)
  stage.stop(5)
  t.same(driver.wanted, [{ x: 50 }, 'stop'])
  driver.say({ kind: 'ready', place: { x: 30, y: 2, focus: 0, isMoving: false, command: 5 } })
  t.match(heard.at(-1), { state: { x: 30 }, mediaTicks: undefined })
  now = millis(199)
  stage.imageArrived(9000)
  t.equal(heard.length, 1, 'that image may be older')
  now = millis(200)
  stage.imageArrived(12_000)
  stage.imageArrived(15_000)
  t.equal(heard.length, 2)
  t.match(heard.at(-1), { state: { x: 30 }, mediaTicks: 12_000, obeyed: { command: 5, mediaTicks: 12_000 } })
  driver.say({ kind: 'interrupted', code: 'timeout', place: { x: 30, y: 2, focus: 0, isMoving: false, command: 5 } })
  now = millis(1000)
  stage.imageArrived(90_000)
  t.match(heard.at(-1), { state: { x: 30 }, mediaTicks: undefined }, 'where it is now, nobody knows')
})
