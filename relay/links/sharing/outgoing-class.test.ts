import { t } from 'tap'
import { millis } from '../../wire/units.ts'
import { DATA_FLAG, LIVE_HEADER_BYTES, MESSAGE_HEADER_BYTES, PART_FLAG } from '../carrier/frames.ts'
import { MAX_MESSAGE_BYTES, MAX_OPEN_MESSAGES } from '../repair/message-assembler.ts'
import { LiveQueue } from './live-queue.ts'
import { MessageQueue } from './message-queue.ts'
import { OutgoingClass } from './outgoing-class.ts'
import type { PacketQueue } from './packet-queue.ts'

const T0 = millis(0)
const ROOM = 1300
const TIMES = { oneWay: millis(20), round: millis(45) }

function liveClass(packets: number) {
  const out = new OutgoingClass(new LiveQueue())
  for (let index = 0; index < packets; index++) out.queue.push(index % 2, Buffer.from([index]), ROOM, T0)
  return out
}

const drain = (out: OutgoingClass<PacketQueue>, now = T0) => {
  const packets = []
  for (let packet = out.next(ROOM, now); packet !== undefined; packet = out.next(ROOM, now)) packets.push(packet)
  return packets
}
const request = (cumulative: number, highest: number, ranges: readonly { first: number; count: number; round: number }[] = []) => ({ classId: 0, cumulative, highest, ranges })

t.test('packets are numbered as they leave, and placed in their flows', async t => {
  const packets = drain(liveClass(4))
  t.same(packets.map(({ sequence }) => sequence), [1, 2, 3, 4])
  t.same(packets.map(({ body }) => [body.readUInt16BE(0), body.readUInt16BE(2), body[LIVE_HEADER_BYTES]]), [[0, 0, 0], [1, 0, 1], [0, 1, 2], [1, 1, 3]])
})

t.test('what is asked for again goes first, once per round, and says so', async t => {
  const out = liveClass(3)
  drain(out)
  out.queue.push(0, Buffer.from([9]), ROOM, T0)
  const ranges = [{ first: 2, count: 1, round: 1 }]
  t.equal(out.requested(request(1, 3, ranges), TIMES, 160, millis(30)), 1)
  out.requested(request(1, 3, ranges), TIMES, 160, millis(31))
  const packets = drain(out, millis(31))
  t.same(packets.map(({ sequence, flags }) => [sequence, flags & DATA_FLAG.again]), [[2, 1], [4, 0]])
  out.requested(request(1, 3, [{ first: 2, count: 1, round: 1 }]), TIMES, 160, millis(32))
  t.same(drain(out, millis(32)), [], 'that round was answered')
  out.requested(request(1, 3, [{ first: 2, count: 1, round: 2 }]), TIMES, 160, millis(60))
  t.equal(drain(out, millis(60)).length, 1)
  t.equal(out.counts.retransmittedPackets, 2)
})

t.test('however often a packet is asked for, it waits once', async t => {
  const out = liveClass(200)
  drain(out)
  for (let round = 1; round <= 255; round++) out.requested(request(0, 200, [{ first: 1, count: 200, round }]), TIMES, 160, millis(1))
  t.ok(drain(out, millis(1)).length <= 200)
})

t.test('what is always of use is sent again after any number of rounds', async t => {
  const out = new OutgoingClass(new MessageQueue())
  out.queue.push(Buffer.alloc(10), T0)
  drain(out)
  let again = 0
  // On the wire rounds stop at 255.
  for (let round = 1; round <= 1000; round++) {
    out.requested(request(0, 1, [{ first: 1, count: 1, round: Math.min(round, 255) }]), TIMES, Infinity, millis(50 * round))
    again += drain(out, millis(50 * round)).length
  }
  t.ok(again >= 1000, `${again}`)
})

t.test('a request that comes too late is counted and not answered', async t => {
  const out = liveClass(3)
  drain(out)
  out.requested(request(1, 3, [{ first: 2, count: 1, round: 1 }]), TIMES, 160, millis(141))
  t.same(drain(out, millis(141)), [])
  t.equal(out.counts.deadlineMisses, 1)
})

t.test('live packets are kept for as long as they are of use', async t => {
  const out = liveClass(3)
  drain(out)
  out.step(160, millis(160))
  t.equal(out.storedPackets, 3)
  out.step(160, millis(161))
  t.equal(out.storedPackets, 0)
  t.equal(out.requested(request(1, 3, [{ first: 2, count: 1, round: 1 }]), TIMES, 160, millis(161)), 1)
  t.equal(out.counts.deadlineMisses, 1)
})

t.test('frames that speak of what was never sent count for nothing', async t => {
  const out = liveClass(5)
  drain(out)
  for (const [what, frame] of Object.entries({
    'all of it': request(6, 6), 'the highest': request(0, 6), 'a range beyond': request(0, 5, [{ first: 5, count: 2, round: 1 }]), 'a range far off': request(0, 5, [{ first: 2 ** 31, count: 1, round: 1 }]),
  })) t.equal(out.requested(frame, TIMES, 160, T0), undefined, what)
  t.equal(out.requested(request(2 ** 32 - 1, 5, [{ first: 2 ** 32 - 5, count: 3, round: 1 }]), TIMES, Infinity, T0), -1, 'numbers before the first mean that nothing came')
  t.same(drain(out), [])
})

t.test('messages are under way within the window, until their arrival makes room', async t => {
  const out = new OutgoingClass(new MessageQueue())
  const ticket = out.queue.push(Buffer.alloc(20_000), T0)!
  const sent = []
  while (out.hasWork(10)) sent.push(out.next(ROOM, T0)!)
  t.equal(sent.length, 10)
  t.equal(out.requested(request(4, 10), TIMES, Infinity, T0), 4)
  t.equal(out.storedPackets, 6)
  while (out.hasWork(10)) sent.push(out.next(ROOM, T0)!)
  t.equal(sent.length, 14)
  while (out.hasWork(1000)) sent.push(out.next(ROOM, T0)!)
  const last = sent.at(-1)!
  t.equal(last.endOf, ticket)
  out.queue.ended(ticket, last.sequence)
  t.same(out.queue.arrived(last.sequence - 1), [])
  t.same(out.queue.arrived(last.sequence), [ticket])
  t.equal(out.queue.unarrived, 0)
})

t.test('a message is cut to the room of each packet', async t => {
  const queue = new MessageQueue()
  const body = Buffer.from(Uint8Array.from({ length: 3000 }, (_, index) => index % 251))
  queue.push(body, T0)
  const pieces = [1300, 700, 1300].map(room => queue.take(room, T0)!.body)
  t.same(pieces.map(({ length }) => length), [1300, 700, 1036])
  t.same(pieces.map(piece => [piece.readUInt32BE(0), piece.readUInt32BE(4), piece.readUInt32BE(8)]), [[0, 0, 3000], [0, 1288, 3000], [0, 1976, 3000]])
  t.ok(Buffer.concat(pieces.map(piece => piece.subarray(MESSAGE_HEADER_BYTES))).equals(body))
  t.ok(queue.isEmpty)
})

t.test('messages push back rather than being dropped', async t => {
  const many = new MessageQueue()
  let taken = 0
  while (many.push(Buffer.alloc(1), T0) !== undefined) taken++
  t.equal(taken, MAX_OPEN_MESSAGES / 2, 'half of what the far end has room for')
  const large = new MessageQueue()
  for (taken = 0; large.push(Buffer.alloc(MAX_MESSAGE_BYTES), T0) !== undefined; ) taken++
  t.ok(taken <= 5)
  t.equal(large.push(Buffer.alloc(0), T0), undefined)
  t.equal(new MessageQueue().push(Buffer.alloc(MAX_MESSAGE_BYTES + 1), T0), undefined)
})

t.test('an urgent message goes before the others, but for what is half sent, and each is told when it arrived', async t => {
  const queue = new MessageQueue()
  const [half, plain, second] = ['h'.repeat(1500), 'p', 's'].map(text => queue.push(Buffer.from(text), T0)!)
  const taken: { readonly text: string; readonly endOf: number | undefined }[] = []
  const take = (): void => {
    const packet = queue.take(1100, T0)!
    taken.push({ text: String.fromCharCode(packet.body[MESSAGE_HEADER_BYTES]!), endOf: packet.endOf })
    if (packet.endOf !== undefined) queue.ended(packet.endOf, taken.length)
  }
  take()
  const [urgent, next] = ['u', 'n'].map(text => queue.push(Buffer.from(text), T0, true)!)
  while (!queue.isEmpty) take()
  t.same(taken.map(({ text }) => text), ['h', 'h', 'u', 'n', 'p', 's'])
  t.same(queue.arrived(3), [half, urgent])
  t.same(queue.arrived(6), [next, plain, second])
  t.equal(queue.waitingBytes, 0)
})

t.test('live packets that wait too long, or are too many, are dropped whole, the oldest first', async t => {
  const queue = new LiveQueue()
  // In three parts each.
  for (let packet = 0; packet < 10; packet++) queue.push(0, Buffer.alloc(3000, packet), 1100, millis(10 * packet))
  t.equal(queue.take(1100, millis(50))?.body[LIVE_HEADER_BYTES], 0)
  queue.expire(50, millis(75))
  const rest = []
  for (let packet = queue.take(1100, millis(75)); packet !== undefined; packet = queue.take(1100, millis(75))) rest.push(packet.body)
  t.equal(queue.takeDropped(), 2 + 3 + 3)
  t.equal(rest.length, 7 * 3)
  t.equal(rest[0]![LIVE_HEADER_BYTES], 3)
  t.same(rest.slice(0, 3).map(body => body[4]), [PART_FLAG.continues, PART_FLAG.continues | PART_FLAG.continuation, PART_FLAG.continuation])
  for (let packet = 0; packet < 5000; packet++) queue.push(0, Buffer.alloc(2000, packet), 1100, millis(100))
  let left = 0
  const first = queue.take(1100, millis(100))
  for (let packet = first; packet !== undefined; packet = queue.take(1100, millis(100))) left++
  t.ok(left <= 8192)
  t.equal((first!.body[4]! & PART_FLAG.continuation), 0, 'what is left begins with a beginning')
})
