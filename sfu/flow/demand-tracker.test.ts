import t from 'tap'
import { millis } from '../../relay/wire/units.ts'
import { DEMAND_INTERVAL, DemandTracker, LINGER } from './demand-tracker.ts'
import type { RenditionId } from '../../relay/wire/ids.ts'

const ids = (...names: string[]): RenditionId[] => names as RenditionId[]
const full = (...names: string[]) => names.map(renditionId => ({ renditionId, cadence: 'full' }))

t.test('asks for a thin overview while nobody watches', async t => {
  const { send, wakeAt } = new DemandTracker().step(millis(0))
  t.same(send, { serial: 1, renditions: [{ renditionId: 'overview', cadence: 'key' }], woken: [] })
  t.equal(wakeAt, undefined)
})

t.test('tells a first change at once, and gathers those that follow', async t => {
  const tracker = new DemandTracker()
  tracker.step(millis(0))
  tracker.want(ids('overview', 'tile-0-0'), true, millis(100))
  t.same(tracker.step(millis(100)).send, { serial: 2, renditions: full('overview', 'tile-0-0'), woken: ['overview', 'tile-0-0'] })
  for (let change = 1; change <= 20; change++) {
    tracker.want(ids('overview', `tile-${change % 8}-1`), false, millis(100 + change))
    t.equal(tracker.step(millis(100 + change)).send, undefined)
  }
  const { wakeAt } = tracker.step(millis(121))
  t.equal(wakeAt, 100 + DEMAND_INTERVAL)
  t.same(tracker.step(millis(150)).send, { serial: 3, renditions: full('overview', 'tile-4-1'), woken: ['tile-4-1'] })
})

t.test('lets a rendition linger, and starts it anew when somebody turns back to it', async t => {
  const tracker = new DemandTracker()
  tracker.want(ids('overview', 'tile-0-0'), true, millis(0))
  tracker.step(millis(0))
  tracker.want(ids('overview'), true, millis(100))
  t.equal(tracker.step(millis(100)).send, undefined, 'the same is sent as before')
  t.ok(tracker.demanded.has('tile-0-0' as RenditionId))
  tracker.want(ids('overview', 'tile-0-0'), true, millis(180))
  t.same(tracker.step(millis(180)).send?.woken, ['tile-0-0'], 'its consumer needs a keyframe')
  tracker.want(ids('overview'), true, millis(300))
  const { wakeAt = millis(0) } = tracker.step(millis(300))
  t.equal(wakeAt, 300 + LINGER)
  t.same(tracker.step(wakeAt).send?.renditions, full('overview'))
})

t.test('lets nothing linger on a full line', async t => {
  const tracker = new DemandTracker()
  tracker.want(ids('overview', 'tile-0-0'), true, millis(0))
  tracker.step(millis(0))
  tracker.want(ids('overview', 'tile-1-0'), false, millis(100))
  t.same(tracker.step(millis(100)).send?.renditions, full('overview', 'tile-1-0'))
})

t.test('says nothing when only the order of the rim changed', async t => {
  const tracker = new DemandTracker()
  tracker.want(ids('tile-0-0', 'overview', 'tile-1-0', 'tile-2-0'), true, millis(0))
  tracker.step(millis(0))
  tracker.want(ids('tile-0-0', 'overview', 'tile-2-0', 'tile-1-0'), true, millis(100))
  t.equal(tracker.step(millis(100)).send, undefined)
  tracker.want(ids('tile-1-0', 'overview', 'tile-2-0', 'tile-0-0'), true, millis(200))
  t.same(tracker.step(millis(200)).send?.renditions[0], { renditionId: 'tile-1-0', cadence: 'full' })
})

t.test('goes back to the thin overview when the last viewer has left', async t => {
  const tracker = new DemandTracker()
  tracker.want(ids('overview', 'tile-0-0'), true, millis(0))
  tracker.step(millis(0))
  tracker.want([], true, millis(100))
  tracker.step(millis(100))
  t.same(tracker.step(millis(100 + LINGER)).send?.renditions, [{ renditionId: 'overview', cadence: 'key' }])
  tracker.want(ids('overview'), true, millis(900))
  t.same(tracker.step(millis(900)).send, { serial: 3, renditions: full('overview'), woken: ['overview'] })
})
