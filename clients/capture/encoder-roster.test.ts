import t from 'tap'
import { OVERVIEW, tileId } from '../../relay/wire/ids.ts'
import { millis } from '../../relay/wire/units.ts'
import { EncoderRoster } from './encoder-roster.ts'
import { SparePolicy } from './spare-policy.ts'
import type { RenditionId } from '../../relay/wire/ids.ts'

const [A, B] = [tileId(0, 0), tileId(1, 0)]
const full = (...ids: RenditionId[]) => ids.map(renditionId => ({ renditionId, cadence: 'full' as const }))

t.test('starts what is demanded, in its order, and ends what is not any more', async t => {
  const roster = new EncoderRoster([OVERVIEW, A, B])
  roster.demand({ renditions: full(B, OVERVIEW), woken: [B, OVERVIEW] })
  t.same(roster.step(millis(0)), { stop: [], start: full(B, OVERVIEW), wakeAt: undefined })
  t.same(roster.step(millis(10)), { stop: [], start: [], wakeAt: undefined })
  roster.demand({ renditions: full(A, OVERVIEW), woken: [A] })
  t.same(roster.step(millis(20)), { stop: [B], start: full(A), wakeAt: undefined })
  roster.demand({ renditions: [], woken: [] })
  t.same(new Set(roster.step(millis(30)).stop), new Set([A, OVERVIEW]))
})

t.test('makes nothing that there is not', async t => {
  const roster = new EncoderRoster([OVERVIEW])
  roster.demand({ renditions: full(A), woken: [A] })
  t.same(roster.step(millis(0)).start, [])
})

t.test('what is woken while it runs gets a fresh encoder, but not twice in half a second', async t => {
  const roster = new EncoderRoster([A])
  const wake = { renditions: full(A), woken: [A] }
  roster.demand(wake)
  roster.step(millis(0))
  roster.keyFrameCame(A, 'full')
  roster.demand(wake)
  t.same(roster.step(millis(100)), { stop: [], start: [], wakeAt: 500 })
  t.same(roster.step(millis(500)).start, full(A))
  roster.demand(wake)
  roster.keyFrameCame(A, 'full')
  t.same(roster.step(millis(2000)).start, [], 'a keyframe came meanwhile')
})

t.test('another cadence needs another encoder', async t => {
  const roster = new EncoderRoster([A])
  roster.demand({ renditions: full(A), woken: [A] })
  roster.step(millis(0))
  roster.demand({ renditions: [{ renditionId: A, cadence: 'key' }], woken: [] })
  roster.keyFrameCame(A, 'full')
  t.same(roster.step(millis(1000)).start, [{ renditionId: A, cadence: 'key' }])
})

t.test('what failed begins again after a while, if it is still wanted', async t => {
  const roster = new EncoderRoster([A])
  roster.demand({ renditions: full(A), woken: [A] })
  roster.step(millis(0))
  roster.failed(A, millis(1000), millis(300))
  t.same(roster.step(millis(1100)), { stop: [], start: [], wakeAt: 1300 })
  t.same(roster.step(millis(1300)).start, full(A))
  roster.failed(A, millis(2000), millis(300))
  roster.demand({ renditions: [], woken: [] })
  t.same(roster.step(millis(9000)), { stop: [], start: [], wakeAt: undefined })
})

t.test('spare encoders are started one by one, where most are missing, and not while one was just taken', async t => {
  const policy = new SparePolicy(new Map([['tile', 4], ['overview', 1], ['none', 0]]))
  const idle = new Map<string, number>()
  const started: string[] = []
  let now = 0
  for (let next = policy.next(kind => idle.get(kind) ?? 0); next !== undefined; next = policy.next(kind => idle.get(kind) ?? 0)) {
    now = Math.max(now, next.notBefore)
    idle.set(next.kind, (idle.get(next.kind) ?? 0) + 1)
    started.push(next.kind)
    policy.started(millis(now))
  }
  t.same(started, ['tile', 'overview', 'tile', 'tile', 'tile'])
  t.equal(now, 400)
  idle.set('tile', 3)
  policy.taken(millis(1000))
  t.same(policy.next(kind => idle.get(kind) ?? 0), { kind: 'tile', notBefore: 1150 })
  policy.failed(millis(1010), millis(5000))
  t.same(policy.next(kind => idle.get(kind) ?? 0), { kind: 'tile', notBefore: 6010 })
})
