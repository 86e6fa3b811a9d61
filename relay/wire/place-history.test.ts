import { t } from 'tap'
import { PlaceHistory } from './place-history.ts'
import { rtpTimestamp } from './units.ts'

const state = (x: number, timestamp: number | null) => ({ x, y: 0, focus: 0, objective: '20x', isMoving: false, rtpTimestamp: timestamp, obeyed: null })

t.test('knows where the stage was when each image was taken', async t => {
  const history = new PlaceHistory()
  t.equal(history.at(rtpTimestamp(0)), undefined)
  history.told(state(1, null))
  t.match(history.at(rtpTimestamp(500)), { x: 1 }, 'the only one that is known')
  history.told(state(1, 2 ** 32 - 1000))
  history.told(state(2, 2000))
  history.told(state(2, 1000))
  history.told(state(3, null))
  t.match([-2000, -1000, 1999, 2000, 90_000].map(at => history.at(rtpTimestamp(at + 2 ** 32))?.x), [1, 1, 1, 2, 2])
  history.restart(state(9, 5))
  t.match(history.at(rtpTimestamp(0)), { x: 9, y: 0, objective: '20x' })
  history.restart()
  t.equal(history.at(rtpTimestamp(0)), undefined)
})
