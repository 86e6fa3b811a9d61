import { t } from 'tap'
import { millis } from '../../wire/units.ts'
import { MAX_SESSION_PACKETS, StampSession } from './stamp-session.ts'
import { delayQuantiles } from './stamp-summary.ts'
import type { ReflectedPacket } from './stamp-packet.ts'
import type { ReflectorKind } from './stamp-session.ts'

const OFFSET = 5000
const QUALITY = { isSynchronized: false, isPtp: false, error: millis(1) }
const END = millis(1_000_000)

function session(capacity: number, reflector: ReflectorKind = 'unknown'): StampSession {
  return new StampSession({ capacity, reflector, replyTimeout: millis(1000) })
}

/** The reply to packet `number`, which was sent at ten times its number. */
function reply(number: number, sequenceNumber: number, out = 20, kept = 1): ReflectedPacket {
  const receiveTimestamp = millis(number * 10 + out + OFFSET)
  return { sequenceNumber, timestamp: millis(receiveTimestamp + kept), errorEstimate: QUALITY, receiveTimestamp, senderSequenceNumber: number, senderTimestamp: millis(number * 10), senderErrorEstimate: QUALITY, senderTtl: 0 }
}

function sendAll(book: StampSession, count: number): void {
  for (let number = 0; number < count; number++) book.send(millis(number * 10))
}

t.test('takes four stamps apart into round trip, variation each way and clock offset', async t => {
  const book = session(3)
  sendAll(book, 3)
  t.same(book.receive(reply(0, 0, 20), millis(41)), { sequenceNumber: 0, sentAt: 0, reflectorReceivedAt: 5020, reflectorSentAt: 5021, receivedAt: 41, roundTrip: 40 })
  book.receive(reply(1, 1, 25), millis(56))
  book.receive(reply(2, 2, 20), millis(71))
  t.ok(book.isComplete)
  const summary = book.summarize(END)
  t.same(summary.roundTrip, { p50: 45, p95: 50, max: 50 })
  t.same(summary.delayVariation, { out: { p50: 0, p95: 5, max: 5 }, in: { p50: 0, p95: 10, max: 10 } })
  t.equal(summary.clockOffset, OFFSET)
  t.match(summary, { sent: 3, received: 3, pending: 0, lossRatio: 0, lossRatios: { out: 0, in: 0 } })
})

t.test('tells loss by direction where the reflector counts', async t => {
  const book = session(10)
  sendAll(book, 10)
  // 2 and 5 never reach the reflector; the replies to 1, 3 and 4 are lost; 9 is answered.
  const reached = [0, 1, 3, 4, 6, 7, 8, 9]
  for (const [counted, number] of reached.entries()) {
    if (![1, 3, 4].includes(number)) book.receive(reply(number, counted), millis(number * 10 + 41))
  }
  const summary = book.summarize(END)
  t.match(summary, { sent: 10, received: 5, lossRatio: 0.5, lossRatios: { out: 0.2, in: 3 / 8 } })
})

t.test('leaves the direction of loss open where it cannot be known', async t => {
  for (const kind of ['stateless', 'unknown'] as const) {
    const book = session(4, kind)
    sendAll(book, 4)
    for (const number of [0, 1, 3]) book.receive(reply(number, number), millis(number * 10 + 41))
    t.match(book.summarize(END), { lossRatio: 0.25, lossRatios: { out: undefined, in: undefined }, reordered: { out: undefined, in: undefined, roundTrip: 0 } })
  }
  const told = session(4, 'stateful')
  sendAll(told, 4)
  for (const number of [0, 1, 3]) told.receive(reply(number, number), millis(number * 10 + 41))
  t.same(told.summarize(END).lossRatios, { out: 0, in: 0.25 }, 'known to count, so the reply was lost')
})

t.test('does not divide the loss by a count that no honest reflector can have reached', async t => {
  const book = session(4, 'stateful')
  sendAll(book, 4)
  book.receive(reply(0, 4_000_000_000), millis(41))
  t.match(book.summarize(END), { received: 1, lossRatio: 0.75, lossRatios: { out: undefined, in: undefined } })
})

t.test('tells what is lost from what may still come', async t => {
  const book = session(3)
  book.send(millis(0))
  book.send(millis(5000))
  book.send(millis(5900))
  t.match(book.summarize(millis(6100)), { sent: 3, received: 0, pending: 1, lossRatio: 1, lossRatios: { out: undefined, in: undefined }, roundTrip: undefined, clockOffset: undefined })
  t.match(session(1).summarize(millis(0)), { sent: 0, lossRatio: 0 })
})

t.test('counts copies on the way out apart from copies on the way back, and measures the first only', async t => {
  const book = session(2)
  sendAll(book, 2)
  book.receive(reply(0, 0), millis(41))
  t.equal(book.receive(reply(0, 0), millis(45)), 'duplicate', 'the same reply twice')
  t.equal(book.receive(reply(0, 0), millis(46)), 'duplicate', 'and again')
  t.equal(book.receive(reply(0, 1, 30), millis(52)), 'duplicate', 'the request came twice')
  book.receive(reply(1, 2), millis(60))
  const summary = book.summarize(END)
  t.same(summary.duplicates, { in: 2, out: 1 })
  t.match(summary, { received: 2, lossRatio: 0, roundTrip: { max: 49 } })
})

t.test('counts overtaking by direction', async t => {
  const book = session(4, 'stateful')
  sendAll(book, 4)
  // 1 overtakes 0 on the way out; the reply to 2 is overtaken by that to 3 on the way back.
  for (const [number, counted, at] of [[1, 0, 60], [0, 1, 61], [3, 3, 80], [2, 2, 81]] as const) book.receive(reply(number, counted, 20), millis(at))
  t.same(book.summarize(END).reordered, { out: 1, in: 1, roundTrip: 2 })
})

t.test('refuses answers to what was never sent, and stamps that contradict each other', async t => {
  const book = session(2)
  sendAll(book, 1)
  t.equal(book.receive(reply(1, 1), millis(50)), 'unsolicited', 'not sent yet')
  t.equal(book.receive(reply(4_294_967_295, 1), millis(50)), 'unsolicited')
  t.equal(book.receive({ ...reply(0, 0), senderTimestamp: millis(0.001) }, millis(50)), 'unsolicited', 'another stamp than that of the request')
  t.equal(book.receive(reply(0, 0, 20, -1), millis(50)), 'implausible', 'sent before it was received')
  t.equal(book.receive(reply(0, 0, 20, 60), millis(50)), 'implausible', 'kept longer than it was away')
  book.refuse('forged')
  t.match(book.summarize(END), { received: 0, refused: { unsolicited: 3, implausible: 2, forged: 1, truncated: 0 } })
})

t.test('is bounded', async t => {
  t.throws(() => session(MAX_SESSION_PACKETS + 1))
  t.throws(() => session(0))
  const book = session(1)
  book.send(millis(0))
  t.throws(() => book.send(millis(1)))
})

t.test('takes quantiles by nearest rank', async t => {
  t.equal(delayQuantiles(new Float64Array(0)), undefined)
  t.same(delayQuantiles(Float64Array.of(7)), { p50: 7, p95: 7, max: 7 })
  t.same(delayQuantiles(Float64Array.from({ length: 100 }, (_, index) => 100 - index)), { p50: 50, p95: 95, max: 100 })
})
