import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { t } from 'tap'
import { symmetricLine } from '../../bench/lines/profiles.ts'
import { seededRandom } from '../../bench/scenarios/viewport-renditions.ts'
import { LinkSimulation } from '../../bench/simulation/link-simulation.ts'
import { LinkName } from '../wire/link.ts'
import { millis } from '../wire/units.ts'
import { DATA_FLAG, FRAME, LIVE_HEADER_BYTES, PART_FLAG, writeAnswer, writeClassReport, writeDataHeader, writeFeedback, writeParity, writeProbe, writeRequest, writeTail } from './carrier/frames.ts'
import { completeContract } from './link-classes.ts'
import { encodePathReport } from './measurement/path-report.ts'

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void
const heap = (): number => {
  collect()
  const { heapUsed, arrayBuffers } = process.memoryUsage()
  return heapUsed + arrayBuffers
}

const contract = completeContract({ name: LinkName.parse('test'), class: 'best-effort' })
const TWO_32 = 2 ** 32
const LIVE = 0
const CONTROL = 1

/** A link whose initiator may say anything; the responder is the one that is tested. */
function linkWithLiar(seed: number) {
  const simulation = new LinkSimulation({ contract, lines: [symmetricLine({ roundTripMillis: 40, rateBitsPerSecond: 50e6 })], random: seededRandom(seed) })
  const { up } = simulation.directions[0]!
  const { responder } = simulation
  let lie: ((number: number) => Buffer | undefined) | undefined
  up.to = (number, plaintext) => {
    responder.receive(0, number, plaintext)
    const frames = lie?.(number)
    // Beside what the initiator says in truth, so that only the lie can do harm.
    if (frames !== undefined) responder.receive(0, number, Buffer.concat([plaintext.subarray(0, 4), frames]))
  }
  simulation.run(millis(500))
  const sentAt: number[] = []
  const delays: number[] = []
  const messages: string[] = []
  simulation.initiator.hooks = {
    ...simulation.initiator.hooks,
    live: (_flow, payload) => delays.push(simulation.time.now - sentAt[payload.readUInt32BE(0)]!),
    message: (id, body) => messages.push(`${id} ${body.toString()}`),
  }
  return {
    simulation, responder, messages,
    /** The responder sends live packets and control messages for so long, while the initiator lies in every datagram. */
    play(duration: number, withLie?: (number: number) => Buffer | undefined) {
      lie = withLie
      const end = simulation.time.now + duration
      const [sentBefore, arrivedBefore] = [sentAt.length, delays.length]
      const one = (): void => {
        const payload = Buffer.alloc(1000)
        payload.writeUInt32BE(sentAt.length, 0)
        sentAt.push(simulation.time.now)
        responder.sendLive(0, payload)
        if (sentAt.length % 100 === 0) responder.endpoint.sendMessage('control', Buffer.from(`${sentAt.length}`), responder.now)
        if (simulation.time.now < end) simulation.time.after(millis(2), one)
      }
      one()
      simulation.run(millis(duration))
      lie = undefined
      simulation.run(millis(500))
      return { sent: sentAt.length - sentBefore, arrived: delays.length - arrivedBefore, longest: Math.max(...delays.slice(arrivedBefore)) }
    },
  }
}

function frame(length: number, write: (target: Buffer) => number): Buffer {
  const target = Buffer.alloc(length)
  return target.subarray(0, write(target))
}

function live(sequence: number, flow: number, place: number, parts: number, size = 1000, flags = 0): Buffer {
  return frame(size + 100, target => {
    const at = writeDataHeader(target, 0, LIVE, flags, sequence, LIVE_HEADER_BYTES + size)
    target.writeUInt16BE(flow, at)
    target.writeUInt16BE(place % 0x1_0000, at + 2)
    target[at + 4] = parts
    return at + LIVE_HEADER_BYTES + size
  })
}

function fragment(classId: number, sequence: number, id: number, offset: number, total: number, length: number): Buffer {
  return frame(length + 100, target => {
    const at = writeDataHeader(target, 0, classId, 0, sequence, 12 + length)
    target.writeUInt32BE(id, at)
    target.writeUInt32BE(offset, at + 4)
    target.writeUInt32BE(total, at + 8)
    return at + 12 + length
  })
}

const feedback = (largest: number, hold: number, codes: readonly number[], largestArrivedAt = 1e9) => frame(2000, target => writeFeedback(target, 0, { path: 0, largest, largestArrivedAt, hold, arrivals: Uint16Array.from(codes) }))
const request = (classId: number, cumulative: number, highest: number, ranges: readonly { first: number; count: number; round: number }[]) => frame(2000, target => writeRequest(target, 0, { classId, cumulative: cumulative % TWO_32, highest: highest % TWO_32, ranges }))
const answer = (id: number, heardAt: number, answeredAt: number) => frame(50, target => writeAnswer(target, 0, { id, askedAt: 1e12, heardAt, answeredAt, size: 9000 }))
const NO_COUNTS = { burstsByLength: [0, 0, 0, 0, 0, 0, 0], gapsByLength: [0, 0, 0, 0, 0] }
const GAUGES = { jitter: millis(3e6), delayVariation: { p50: millis(3e6), p95: millis(3e6) }, lossRatio: 1, throughput: 1e12 as never }

/** What can be told from a lie, and must change nothing. */
const LIES: Record<string, (number: number) => Buffer> = {
  'acknowledges what was never sent': number => feedback(2 ** 40 + number, 0, [1, 1, 1]),
  'acknowledges number 0': () => feedback(0, 0, [1]),
  'got it before it was sent': number => feedback(number, 0xffff_ffff, [0x2000]),
  'acknowledges with more entries than there are packets': () => feedback(1, 0, new Array<number>(500).fill(0x2000)),
  'speaks of paths that are not there': () => {
    const frames = feedback(1, 0, [1])
    frames[1] = 3
    return frames
  },
  'answers what was never asked': number => answer(1e9 + number, 1e12, 1e12),
  'answered before it heard': number => answer(number, 1e12, 1e12 - 1000),
  'answers with times that are no numbers': number => Buffer.concat([answer(number, NaN, NaN), answer(number, -Infinity, Infinity), answer(number, 1e308, 1e308), answer(number, Infinity, Infinity)]),
  'asks for what was never sent': number => request(LIVE, 0, 0, [{ first: 1e6 + number, count: 255, round: 1 }]),
  'has everything up to far ahead': number => request(CONTROL, 2 ** 31 + number, 2 ** 31 + number, []),
  'has a highest that was never sent': number => request(CONTROL, 0, 1e6 + number, []),
  'reports more than was sent': number => Buffer.concat([Buffer.from([FRAME.pathReport, 0]), frame(400, target => encodePathReport(target, 0, { number, totals: { packets: 1e12, bytes: 1e15 as never, lostPackets: 1e12, lossBursts: 0, duplicatePackets: 0, reorderedPackets: 0, ...NO_COUNTS }, gauges: GAUGES }))]),
  'reports of a path that is not there': number => Buffer.concat([Buffer.from([FRAME.pathReport, 9]), frame(400, target => encodePathReport(target, 0, { number, totals: { packets: 1, bytes: 1 as never, lostPackets: 0, lossBursts: 0, duplicatePackets: 0, reorderedPackets: 0, ...NO_COUNTS }, gauges: GAUGES }))]),
  'reports absurd totals of a class': () => frame(100, target => writeClassReport(target, 0, { classId: LIVE, values: new Array<number>(8).fill(2 ** 48 - 1) })),
  'sends parity of nonsense': number => Buffer.concat([0, 1, 17, 255].flatMap(k => [0, 1, 200].map(index => frame(300, target => writeParity(target, 0, { classId: LIVE, firstSequence: (number * 7919 * k) % TWO_32, k, m: 255 - k, index, symbol: new Uint8Array(k) }))))),
  'sent last what is 2^31 ahead': number => Buffer.concat([0, 1, 2, 3].map(classId => frame(10, target => writeTail(target, 0, classId, (2 ** 31 + number) % TWO_32)))),
  'sends frames of unknown types': number => Buffer.from([11 + (number % 245), 1, 2, 3]),
  'sends data of unknown classes': () => frame(50, target => writeDataHeader(target, 0, 4, 0, 1, 20) + 20),
}

for (const [lie, tell] of Object.entries(LIES)) {
  t.test(`the far end ${lie}: nothing comes of it`, async t => {
    const link = linkWithLiar(7)
    const played = link.play(1500, tell)
    t.equal(played.arrived, played.sent)
    t.ok(played.longest < 60, `the slowest took ${played.longest} ms`)
    t.equal(link.messages.length, Math.floor(played.sent / 100))
    const { paths, classes } = link.responder.endpoint.snapshot(link.responder.now)
    t.ok(paths[0]!.roundTrip! > 39 && paths[0]!.roundTrip! < 50, `round trip ${paths[0]!.roundTrip}`)
    t.equal(paths[0]!.outages, 0)
    t.ok(paths[0]!.mtu <= 1500)
    t.ok(classes.every(({ totals }) => totals.out.retransmittedPackets === 0))
  })
}

/** What may be true, as far as anybody can tell: it may cost the liar its own picture, but neither memory nor time. */
const STRAINS: Record<string, () => (number: number) => Buffer> = {
  'asks for everything again and again': () => number => request(LIVE, 0, 0, Array.from({ length: 20 }, (_, index) => ({ first: Math.max(1, 50 * index), count: 50, round: 1 + (number % 255) }))),
  'says that nothing arrives, ever later': () => number => feedback(Math.max(1, number - 1), number % 30_000, [...new Array<number>(100).fill(0)], (number * 7e6) % TWO_32),
  'never finishes a packet that comes in parts': () => {
    let sequence = 1
    return () => live(sequence++, 5, sequence - 2, PART_FLAG.continues | (sequence > 2 ? PART_FLAG.continuation : 0))
  },
  'leaves out one place in each flow, and no sequence number': () => {
    let sequence = 1
    return () => Buffer.concat(Array.from({ length: 6 }, () => live(sequence, sequence % 1024, 1 + Math.floor(sequence++ / 1024), 0)))
  },
  'leaves out every other sequence number': () => {
    let sequence = 1
    return () => Buffer.concat(Array.from({ length: 6 }, () => live((sequence += 2), sequence % 64, Math.floor(sequence / 64), 0)))
  },
  'jumps ahead by 2^30 each time': () => {
    let sequence = 1
    return () => live((sequence = (sequence + 2 ** 30) % TWO_32), 0, sequence, 0)
  },
  'begins messages and never ends them': () => {
    let sequence = 1
    return () => Buffer.concat(Array.from({ length: 6 }, () => fragment(3, sequence, sequence++, 0, 1_000_000, 1000)))
  },
  'sends messages of one byte far ahead of the next': () => {
    let sequence = 1
    return () => Buffer.concat(Array.from({ length: 6 }, () => fragment(CONTROL, sequence, sequence++, 0, 1000, 1000)))
  },
  'sends fragments of one byte': () => {
    let sequence = 1
    return () => Buffer.concat(Array.from({ length: 16 }, () => fragment(2, sequence, 1 + (sequence >> 16), (sequence * 2) % 1e6, 1e6 + 1, (sequence++, 1))))
  },
  'sent last what is as far ahead as may be': () => {
    let highest = 0
    return () => frame(10, target => writeTail(target, 0, LIVE, (highest += 4000) % TWO_32))
  },
  'leaves out as many packets as may be': () => {
    let sequence = 1
    return () => live((sequence += 32_000) % TWO_32, 0, sequence, 0)
  },
  'repeats packets': () => number => live(Math.max(1, number % 50), 1, number % 50, 0, 1000, DATA_FLAG.again),
}

for (const [strain, begin] of Object.entries(STRAINS)) {
  t.test(`the far end ${strain}: memory stays bounded, and control goes on`, async t => {
    const link = linkWithLiar(11)
    const before = heap()
    const began = performance.now()
    const played = link.play(4000, begin())
    const grown = heap() - before
    t.comment(`${JSON.stringify(played)}, ${Math.round(grown / 1e6)} MB, ${Math.round(performance.now() - began)} ms of work`)
    // Messages under way may take 64 MiB; the rest is what the collector has not got to yet.
    t.ok(grown < 110e6, `grew by ${Math.round(grown / 1e6)} MB`)
    link.play(1500)
    const after = link.play(1000)
    t.equal(after.arrived, after.sent, 'once it stops all is well')
    t.ok(link.messages.length >= 30)
  })
}

t.test('no datagram costs more than its share of time', async t => {
  const link = linkWithLiar(1)
  const { endpoint } = link.responder
  const many = (one: () => Buffer): Buffer => {
    const frames: Buffer[] = [Buffer.alloc(4)]
    for (let size = 4; size < 8900; size += frames.at(-1)!.length) frames.push(one())
    return Buffer.concat(frames)
  }
  let number = 1e6
  let sequence = 0
  const costly: Record<string, () => Buffer> = {
    tails: () => frame(10, target => writeTail(target, 0, LIVE, (sequence += 4000) % TWO_32)),
    jumps: () => live((sequence += 2 ** 30) % TWO_32, 0, 0, 0, 1),
    probes: () => frame(20, target => writeProbe(target, 0, { id: 1, askedAt: 0, size: 0 })),
    requests: () => request(LIVE, 0, 0, Array.from({ length: 180 }, () => ({ first: 1, count: 255, round: 255 }))),
    parity: () => frame(300, target => writeParity(target, 0, { classId: LIVE, firstSequence: sequence++, k: 200, m: 50, index: sequence % 50, symbol: new Uint8Array(4) })),
  }
  const left = link.simulation.directions[0]!.down.packets
  for (const [name, one] of Object.entries(costly)) {
    const plaintext = many(one)
    const began = performance.now()
    for (let round = 0; round < 10; round++) endpoint.receive(0, number++, plaintext, 9000, link.responder.now)
    endpoint.step(millis(link.responder.now))
    t.comment(`${name}: ${((performance.now() - began) / 10).toFixed(2)} ms each`)
  }
  t.ok(link.simulation.directions[0]!.down.packets - left < 200, 'no datagram is answered by hundreds')
})

t.test('plaintexts cut short at every byte, and random ones, do no harm', async t => {
  const link = linkWithLiar(3)
  const random = seededRandom(42)
  const { endpoint } = link.responder
  const whole = Buffer.concat([
    Buffer.alloc(4), live(1, 0, 0, 0, 50), feedback(1, 0, [1, 2, 3]), request(LIVE, 0, 1, [{ first: 1, count: 1, round: 1 }]), answer(1, 1, 2),
    frame(20, target => writeProbe(target, 0, { id: 1, askedAt: 1, size: 100 })), frame(10, target => writeTail(target, 0, 0, 1)),
    frame(100, target => writeClassReport(target, 0, { classId: 0, values: [1, 2, 3, 4, 5, 6, 7, 8] })),
    frame(100, target => writeParity(target, 0, { classId: 0, firstSequence: 1, k: 4, m: 2, index: 1, symbol: new Uint8Array(20) })),
    fragment(3, 1, 0, 0, 50, 50),
  ])
  let number = 1000
  const feed = (plaintext: Buffer): void => endpoint.receive(Math.floor(random() * 2), number++, plaintext, plaintext.length + 58, link.responder.now)
  t.doesNotThrow(() => {
    for (let length = 0; length <= whole.length; length++) feed(Buffer.from(whole.subarray(0, length)))
  })
  const before = heap()
  t.doesNotThrow(() => {
    for (let round = 0; round < 60_000; round++) {
      const plaintext = round % 3 === 0 ? Buffer.from(Array.from({ length: Math.floor(random() * 80) }, () => Math.floor(random() * 256))) : Buffer.from(whole)
      // Any bytes changed; and frame types mostly real ones, but for the one that says goodbye.
      for (let change = Math.floor(random() * 6); change >= 0 && plaintext.length > 4; change--) plaintext[4 + Math.floor(random() * (plaintext.length - 4))] = Math.floor(random() * 256)
      if (plaintext.length > 4 && random() < 0.5) plaintext[4] = Math.floor(random() * 10)
      feed(plaintext)
      if (round % 50 === 0) link.simulation.run(millis(1))
    }
  })
  t.ok(endpoint.lies > 1000)
  const grown = heap() - before
  t.comment(`grew by ${Math.round(grown / 1e6)} MB`)
  t.ok(grown < 80e6)
})
