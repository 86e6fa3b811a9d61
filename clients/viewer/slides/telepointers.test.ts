import { t } from 'tap'
import { MemberId, SlideId } from '../../../relay/wire/ids.ts'
import { millis } from '../../../relay/wire/units.ts'
import { POINTER_LIFE_MS, Telepointers } from './telepointers.ts'

const SLIDE = SlideId.parse('6f2d7a1e-62a5-4d0c-9e1f-0d5a8f4a7b11')
const OTHER = SlideId.parse('7f2d7a1e-62a5-4d0c-9e1f-0d5a8f4a7b12')
const at = (name: string, x: number | null, slideId = SLIDE) => ({ memberId: MemberId.parse(name), colour: 1, slideId, at: x === null ? null : { x, y: 0 } })

t.test('shows where each member pointed last, on the slide that is open', async t => {
  const pointers = new Telepointers()
  pointers.take(at('a', 1), millis(0))
  pointers.take(at('a', 2), millis(1))
  pointers.take(at('b', 3, OTHER), millis(2))
  t.same(pointers.on(SLIDE, millis(3)), [{ memberId: 'a', colour: 1, at: { x: 2, y: 0 } }])
  pointers.take(at('a', null), millis(4))
  t.same(pointers.on(SLIDE, millis(4)), [])
})

t.test('forgets a pointer that is silent, and never keeps more than it can show', async t => {
  const pointers = new Telepointers()
  pointers.take(at('a', 1), millis(0))
  t.equal(pointers.on(SLIDE, millis(POINTER_LIFE_MS - 1)).length, 1)
  t.same(pointers.on(SLIDE, millis(POINTER_LIFE_MS)), [])
  for (let index = 0; index < 1000; index++) pointers.take(at(`m${index}`, index), millis(1))
  t.equal(pointers.on(SLIDE, millis(2)).length, 64)
})
