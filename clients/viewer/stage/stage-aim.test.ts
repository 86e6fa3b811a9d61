import t from 'tap'
import { millis } from '../../../relay/wire/units.ts'
import { clampToTravel, micrometresPerPixel, StageAim } from './stage-aim.ts'

const state = { x: 100, y: 200, focus: 0, objective: '20x', isMoving: false, rtpTimestamp: null, obeyed: null }
const stage = {
  objectives: [{ name: '4x', micrometresPerPixel: 1.25 }, { name: '20x', micrometresPerPixel: 0.25 }],
  travel: { x: { min: 0, max: 1000 }, y: { min: 0, max: 500 }, focus: { min: -50, max: 50 } },
  state,
}

t.test('knows how large a pixel is with the objective in place', async t => {
  t.equal(micrometresPerPixel(stage), 0.25)
  t.equal(micrometresPerPixel({ ...stage, state: { ...state, objective: '4x' } }), 1.25)
})

t.test('stops at the end of the travel and says so', async t => {
  t.same(clampToTravel(stage, { x: 1200, focus: -10 }), { target: { x: 1000, focus: -10 }, isClamped: true })
  t.same(clampToTravel(stage, { y: 0, objective: '4x' }), { target: { y: 0, objective: '4x' }, isClamped: false })
})

t.test('steps given faster than the stage moves add up', async t => {
  const aim = new StageAim()
  t.same(aim.place(state, millis(0)), { x: 100, y: 200, focus: 0 })
  aim.commanded({ x: 150 }, millis(0))
  aim.commanded({ focus: 3 }, millis(50))
  t.same(aim.place(state, millis(60)), { x: 150, y: 200, focus: 3 })
  t.same(aim.place({ ...state, x: 120, isMoving: true }, millis(5000)), { x: 150, y: 200, focus: 3 }, 'however long it takes')
})

t.test('believes the stage when a command came to nothing', async t => {
  const aim = new StageAim()
  aim.commanded({ x: 150 }, millis(0))
  t.equal(aim.place(state, millis(1000)).x, 100)
  aim.commanded({ y: 250 }, millis(2000))
  t.same(aim.place(state, millis(2010)), { x: 100, y: 250, focus: 0 }, 'an old aim does not come back with a new one')
  aim.refused()
  t.equal(aim.place(state, millis(2020)).y, 200)
})
