import t from 'tap'
import { rtpTimestamp } from '../../../relay/wire/units.ts'
import { FramePlaces } from './frame-places.ts'

const state = { x: 100, y: 50, focus: 0, objective: '20x', isMoving: false, rtpTimestamp: 1000, obeyed: null }
const range = { min: 0, max: 1000 }
const stage = { objectives: [{ name: '10x', micrometresPerPixel: 0.5 }, { name: '20x', micrometresPerPixel: 0.25 }], travel: { x: range, y: range, focus: range }, state }

t.test('what was shown stays with the tissue when the stage moves, and is hidden under another objective', async t => {
  const places = new FramePlaces()
  t.equal(places.at(rtpTimestamp(0)), null)
  t.same(places.shift(null, rtpTimestamp(0)), { x: 0, y: 0 }, 'without a stage it stays in the image')
  places.restart(stage)
  const from = places.at(rtpTimestamp(1500))
  t.same(from, { x: 100, y: 50, objective: '20x' })
  places.told({ ...state, x: 110, rtpTimestamp: 2000 })
  t.same(places.shift(from, rtpTimestamp(1999)), { x: 0, y: 0 }, 'an image from before the move')
  t.same(places.shift(from, rtpTimestamp(2000)), { x: -40, y: 0 }, 'the stage went right: the tissue goes left')
  places.told({ ...state, objective: '10x', rtpTimestamp: 3000 })
  t.equal(places.shift(from, rtpTimestamp(3000)), undefined)
})
