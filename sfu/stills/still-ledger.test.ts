import { randomUUID } from 'node:crypto'
import { t } from 'tap'
import { MemberId, PublicationId, StillId } from '../../relay/wire/ids.ts'
import { STILL_LIMITS } from '../../relay/wire/still.ts'
import { millis } from '../../relay/wire/units.ts'
import { StillLedger } from './still-ledger.ts'
import type { StillAsked } from './still-ledger.ts'

const publicationId = PublicationId.parse(randomUUID())
const keptBy = MemberId.parse('reader')
const asked = (rtpTimestamp: number): StillAsked => ({ stillId: StillId.parse(randomUUID()), publicationId, rtpTimestamp, keptBy, askedAtMillis: 1_800_000_000_000 + rtpTimestamp })
const EXACT = { origin: 'exact' as const, missing: [] }
const ARRIVAL_MILLIS = STILL_LIMITS.arrivalSeconds * 1000

t.test('a still goes from wanted over arriving to kept, and no way back', async t => {
  const ledger = new StillLedger(millis(0))
  const { stillId, state } = ledger.ask(asked(1), millis(0))
  t.equal(state, 'wanted')
  t.equal(ledger.arriving(stillId).state, 'arriving')
  t.throws(() => ledger.arriving(stillId), { code: 'wrong_state' }, 'planes come once')
  ledger.kept(stillId, { origin: 'decoded', missing: [] })
  t.match(ledger.summaries, [{ stillId, state: 'kept', origin: 'decoded', fault: null }])
  t.notOk(ledger.failed(stillId, 'not_found'), 'what is kept does not fail')
  t.equal(ledger.wakeAt, undefined)
  t.throws(() => ledger.arriving(asked(2).stillId), { code: 'not_found' })
})

t.test('two people who keep the same frame get the same still; one that failed is asked for again', async t => {
  const ledger = new StillLedger(millis(0))
  const first = ledger.ask(asked(7), millis(0))
  t.equal(ledger.ask(asked(7), millis(1)).stillId, first.stillId)
  ledger.failed(first.stillId, 'not_found')
  t.not(ledger.ask(asked(7), millis(2)).stillId, first.stillId)
})

t.test('of a thousand requests few are passed on, each of the others has its code', async t => {
  const ledger = new StillLedger(millis(0))
  const codes = new Map<string, number>()
  for (let frame = 0; frame < 1000; frame++) {
    let code = 'asked'
    try {
      ledger.kept(ledger.ask(asked(frame), millis(frame)).stillId, EXACT)
    } catch (error) {
      code = (error as { code: string }).code
    }
    codes.set(code, (codes.get(code) ?? 0) + 1)
  }
  t.same([...codes.keys()], ['asked', 'rate_limited'])
  t.equal(codes.get('asked'), STILL_LIMITS.burst)
  for (let frame = 0; frame < STILL_LIMITS.pending; frame++) ledger.ask(asked(5000 + frame), millis(1_000_000))
  t.throws(() => ledger.ask(asked(6000), millis(1_000_000)), { code: 'overloaded' })
})

t.test('what does not come in time has failed, and is kept all the same when it comes after', async t => {
  const ledger = new StillLedger(millis(0))
  const { stillId } = ledger.ask(asked(1), millis(0))
  t.equal(ledger.wakeAt, ARRIVAL_MILLIS)
  t.notOk(ledger.expire(millis(ARRIVAL_MILLIS - 1)))
  t.ok(ledger.expire(millis(ARRIVAL_MILLIS)))
  t.match(ledger.get(stillId), { state: 'failed', fault: 'timeout' })
  ledger.kept(stillId, EXACT)
  t.match(ledger.get(stillId), { state: 'kept', fault: null })
})

t.test('a microscope that leaves takes with it what it has not begun to send', async t => {
  const ledger = new StillLedger(millis(0))
  const [begun, waiting] = [ledger.ask(asked(1), millis(0)), ledger.ask(asked(2), millis(0))]
  ledger.arriving(begun.stillId)
  t.ok(ledger.microscopeLeft())
  t.equal(ledger.get(begun.stillId)?.state, 'arriving')
  t.match(ledger.get(waiting.stillId), { state: 'failed', fault: 'unavailable' })
  t.notOk(ledger.microscopeLeft())
})

t.test('remembers a bounded number, failed ones the shortest', async t => {
  const ledger = new StillLedger(millis(0))
  const whole = Array.from({ length: STILL_LIMITS.listed }, (_, frame) => ({ ...asked(frame), state: 'kept', origin: 'exact', missingTiles: 0, fault: null } as const))
  ledger.found(whole)
  const { stillId } = ledger.ask(asked(9999), millis(0))
  t.equal(ledger.summaries.length, STILL_LIMITS.listed)
  t.equal(ledger.get(whole[0]!.stillId), undefined, 'the oldest made room')
  ledger.failed(stillId, 'not_found')
  ledger.ask(asked(10_000), millis(1))
  t.equal(ledger.get(stillId), undefined, 'the failed one made room')
  t.ok(ledger.get(whole[1]!.stillId))
})
