import { t } from 'tap'
import { SIGNALING_LIMITS } from '../../relay/wire/signaling.ts'
import { millis } from '../../relay/wire/units.ts'
import { RequestGate } from './request-gate.ts'
import { TokenBucket } from './token-bucket.ts'

const request = (requestId: number) => ({ type: 'leave', requestId }) as const

t.test('lets a burst pass, then the sustained rate', async t => {
  const bucket = new TokenBucket(10, 3, millis(0))
  t.same([0, 0, 0, 0].map(at => bucket.take(millis(at))), [true, true, true, false])
  t.same([bucket.take(millis(100)), bucket.take(millis(100))], [true, false])
  t.same([0, 1, 2, 3].map(() => bucket.take(millis(60_000))), [true, true, true, false], 'never saves up more than the burst')
})

t.test('counts every frame, decoded or not', async t => {
  const gate = new RequestGate(millis(0))
  for (let i = 0; i < SIGNALING_LIMITS.requestBurst; i++) gate.countFrame(millis(0))
  t.throws(() => gate.countFrame(millis(0)), { code: 'rate_limited' })
})

t.test('takes each request id once, and only growing', async t => {
  const gate = new RequestGate(millis(0))
  gate.admit(request(0))
  gate.admit(request(7))
  for (const id of [7, 3, 0]) t.throws(() => gate.admit(request(id)), { code: 'replayed' }, String(id))
})

t.test('bounds the requests that wait for their reply', async t => {
  const gate = new RequestGate(millis(0))
  for (let id = 0; id < SIGNALING_LIMITS.outstandingRequests; id++) gate.admit(request(id))
  t.throws(() => gate.admit(request(100)), { code: 'overloaded' })
  gate.finished()
  gate.admit(request(101))
})

t.test('loses patience after a run of refused messages, not after scattered ones', async t => {
  const gate = new RequestGate(millis(0))
  for (let i = 1; i < SIGNALING_LIMITS.consecutiveFaults; i++) t.equal(gate.refused(), false)
  gate.succeeded()
  for (let i = 1; i < SIGNALING_LIMITS.consecutiveFaults; i++) t.equal(gate.refused(), false)
  t.equal(gate.refused(), true)
})
