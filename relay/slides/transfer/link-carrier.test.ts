import { createHash } from 'node:crypto'
import { mock } from 'node:test'
import { t } from 'tap'
import { seededRandom } from '../../../bench/scenarios/viewport-renditions.ts'
import { LinkSimulation } from '../../../bench/simulation/link-simulation.ts'
import { symmetricLine } from '../../../bench/lines/profiles.ts'
import { LinkReceiver } from '../../../sfu/slides/link-receiver.ts'
import { completeContract } from '../../links/link-classes.ts'
import { RelayFault } from '../../wire/fault.ts'
import { Sha256, SlideId } from '../../wire/ids.ts'
import { LinkName, PathName } from '../../wire/link.ts'
import { bitsPerSecond, millis } from '../../wire/units.ts'
import { decodeChunkPart, encodeAnswers, PART_BYTES } from './chunk-message.ts'
import { LinkCarrier } from './link-carrier.ts'
import type { Millis } from '../../wire/units.ts'
import type { ChunkLink } from './link-carrier.ts'

const slideId = SlideId.parse('3f2c5a52-9a0b-4b43-8c52-5f7d0a3f9b10')
const sha256Of = (body: Buffer): Sha256 => Sha256.parse(createHash('sha256').update(body).digest('hex'))
const never = new AbortController().signal
const settled = (): Promise<void> => new Promise(resolve => setImmediate(resolve))

/** A link that takes what there is room for, and a clock. */
function open(room = Infinity) {
  const state = { now: 0, room }
  const sent: Buffer[] = []
  let listener: Parameters<ChunkLink['listen']>[0] | undefined
  const link: ChunkLink = {
    rate: bitsPerSecond(100e6),
    waitingBytes: 0,
    send: message => (state.room-- > 0 ? sent.push(message) : undefined),
    listen: heard => (listener = heard),
    [Symbol.asyncDispose]: async () => undefined,
  }
  const carrier = new LinkCarrier(link, { now: () => millis(state.now), sleep: async () => undefined })
  const put = (chunk: Buffer, signal = never, isUrgent = false): Promise<'stored' | 'known'> => carrier.put(slideId, sha256Of(chunk), chunk, signal, isUrgent)
  const ticketOf = (index: number): number => decodeChunkPart(sent[index] ?? Buffer.alloc(0)).ticket
  return { carrier, state, sent, put, ticketOf, hear: () => listener as NonNullable<typeof listener> }
}

t.test('a chunk is put when the node says so, not when it arrived', async t => {
  const { put, sent, hear, ticketOf, carrier } = open()
  let outcome: string | undefined
  const done = put(Buffer.from('tiles')).then(it => (outcome = it))
  t.equal(sent.length, 1)
  hear().arrived(1)
  await settled()
  t.equal(outcome, undefined)
  hear().control(encodeAnswers([{ ticket: ticketOf(0), outcome: 'known' }]))
  await done
  t.equal(outcome, 'known')
  t.equal(carrier.unansweredBytes, 0)
})

t.test('a refusal is thrown with its code', async t => {
  const { put, hear, ticketOf } = open()
  const done = put(Buffer.from('tiles'))
  hear().control(encodeAnswers([{ ticket: ticketOf(0), outcome: 'quota_exceeded' }]))
  await t.rejects(done, { code: 'quota_exceeded' })
})

t.test('what is urgent waits for room before the others', async t => {
  const { put, sent, state, hear } = open(1)
  for (const [text, isUrgent] of [['a', false], ['b', false], ['c', true], ['d', true]] as const) put(Buffer.from(text), never, isUrgent).catch(() => undefined)
  state.room = 3
  hear().arrived(1)
  t.same(sent.map(message => decodeChunkPart(message).body.toString()), ['a', 'c', 'd', 'b'])
})

t.test('waits for room, and sends in the order of asking', async t => {
  const { put, sent, state, hear } = open(1)
  const chunks = ['a', 'b', 'c'].map(text => Buffer.from(text))
  for (const chunk of chunks) put(chunk).catch(() => undefined)
  t.equal(sent.length, 1)
  state.room = 2
  hear().arrived(1)
  t.same(sent.map(message => decodeChunkPart(message).body.toString()), ['a', 'b', 'c'])
})

t.test('a long chunk leaves in parts', async t => {
  const { put, sent } = open()
  const chunk = Buffer.alloc(2 * PART_BYTES + 1, 5)
  put(chunk).catch(() => undefined)
  t.ok(Buffer.concat(sent.map(message => decodeChunkPart(message).body)).equals(chunk))
})

t.test('what is not answered is sent again, under the same ticket', async t => {
  mock.timers.enable({ apis: ['setInterval'] })
  t.teardown(() => mock.timers.reset())
  const { put, sent, hear, state, ticketOf } = open()
  const done = put(Buffer.from('tiles'))
  hear().arrived(1)
  state.now = 10_001
  mock.timers.tick(250)
  t.equal(sent.length, 2)
  t.equal(ticketOf(1), ticketOf(0))
  hear().control(encodeAnswers([{ ticket: ticketOf(1), outcome: 'overloaded' }]))
  state.now += 501
  mock.timers.tick(250)
  t.equal(sent.length, 3)
  hear().control(encodeAnswers([{ ticket: ticketOf(0), outcome: 'stored' }]))
  t.equal(await done, 'stored')
})

t.test('nobody waits for what was given up, and all fail when the link ends', async t => {
  const { put, hear, carrier } = open()
  const abort = new AbortController()
  const given = put(Buffer.from('a'), abort.signal)
  const other = put(Buffer.from('b'))
  abort.abort(new RelayFault('timeout', 'enough'))
  await t.rejects(given, { code: 'timeout' })
  t.equal(carrier.unansweredBytes, 1)
  hear().closed(new RelayFault('unavailable', 'gone'))
  await t.rejects(other, { code: 'unavailable' })
  await t.rejects(put(Buffer.from('c')), { code: 'unavailable' })
  t.equal(carrier.unansweredBytes, 0)
})

t.test('nonsense from the node changes nothing', async t => {
  const { put, hear, ticketOf } = open()
  const done = put(Buffer.from('tiles'))
  for (const message of [Buffer.alloc(0), Buffer.from('{"type":"demandChanged"}'), Buffer.from([1, 2, 0, 9]), encodeAnswers([{ ticket: 999, outcome: 'stored' }])]) hear().control(message)
  hear().arrived(77)
  hear().control(encodeAnswers([{ ticket: ticketOf(0), outcome: 'stored' }]))
  t.equal(await done, 'stored')
})

/** Chunks of 512 KiB by the carrier over a simulated line, beside live video or alone. */
function simulate({ rate, roundTrip, loss, liveBits }: { readonly rate: number; readonly roundTrip: number; readonly loss: number; readonly liveBits: number }) {
  const contract = completeContract({ name: LinkName.parse('test'), class: 'best-effort', paths: [{ name: PathName.parse('only') }] })
  const lines = [symmetricLine({ roundTripMillis: roundTrip, rateBitsPerSecond: rate, lossRatio: loss, queueMillis: roundTrip })]
  const simulation = new LinkSimulation({ contract, lines, random: seededRandom(5), initial: bitsPerSecond(rate) })
  const { initiator, responder } = simulation
  const receiver = new LinkReceiver({ putSquare: async () => 'stored', putChunk: async (_slideId, _sha256, body) => ((result.storedBytes += body.length), 'stored') }, message => responder.endpoint.sendMessage('control', message, responder.now) !== undefined, error => t.fail(String(error)))
  const result = { storedBytes: 0, delays: [] as { readonly at: number; readonly delay: number }[], liveSent: 0 }
  const link: ChunkLink = {
    get rate() {
      return initiator.endpoint.capacityFor('bulk')
    },
    get waitingBytes() {
      return initiator.endpoint.messages.bulk.out.queue.waitingBytes
    },
    send: message => initiator.endpoint.sendMessage('bulk', message, initiator.now),
    listen: listener => {
      initiator.hooks = {
        live: () => undefined,
        message: (id, body) => {
          if (id === 'control') listener.control(body)
        },
        arrived: (id, ticket) => {
          if (id === 'bulk') listener.arrived(ticket)
        },
      }
    },
    [Symbol.asyncDispose]: async () => undefined,
  }
  responder.hooks = {
    live: (_flow, packet) => result.delays.push({ at: simulation.time.now, delay: simulation.time.now - packet.readDoubleBE(0) }),
    message: (id, body) => {
      if (id === 'bulk') receiver.take(body)
    },
    arrived: () => undefined,
  }
  const carrier = new LinkCarrier(link, { now: () => initiator.now, sleep: async () => undefined })
  const chunk = Buffer.alloc(512 * 1024, 0x5a)
  const name = sha256Of(chunk)
  let underWay = 0
  const run = async (duration: number, hasBulk: boolean, hasLive: boolean): Promise<void> => {
    for (let time = 0; time < duration; time++) {
      for (; hasBulk && underWay < carrier.window; underWay++) void carrier.put(slideId, name, chunk, never).then(() => underWay--, () => undefined)
      // Frames of 33 ms, sent over a third of it.
      for (let packet = 0; hasLive && time % 33 < 11 && packet < liveBits / 8 / 1100 / 330; packet++, result.liveSent++) {
        const body = Buffer.alloc(1100)
        body.writeDoubleBE(simulation.time.now)
        initiator.sendLive(0, body)
      }
      simulation.run(millis(1))
      // What the node stores and answers is not of the simulated clock.
      if (time % 5 === 0) await settled()
    }
  }
  return { simulation, carrier, result, run, now: (): Millis => simulation.time.now }
}

t.test('chunks of 512 KiB yield to live video within a round trip, lose none of it, and fill what it leaves', async t => {
  const roundTrip = 40
  const { carrier, result, run, now } = simulate({ rate: 100e6, roundTrip, loss: 0, liveBits: 20e6 })
  await run(2000, true, false)
  const liveFrom = now()
  await run(3000, true, true)
  const until = now()
  const stored = result.storedBytes
  await run(3000, true, true)
  const early = result.delays.filter(({ at }) => at < liveFrom + roundTrip / 2 + roundTrip).map(({ delay }) => delay)
  const late = result.delays.filter(({ at }) => at >= liveFrom + roundTrip / 2 + roundTrip).map(({ delay }) => delay).sort((a, b) => a - b)
  t.ok(early.length > 0)
  const p95 = late[Math.floor(0.95 * late.length)] ?? Infinity
  t.ok(p95 < roundTrip / 2 + 10, `a packet of live took ${p95.toFixed(1)} ms from a round trip on`)
  const share = ((result.storedBytes - stored) * 8000) / (now() - until) / (100e6 - 20e6 * 1.08)
  t.ok(share > 0.9, `chunks got ${share.toFixed(3)} of what live left`)
  await run(500, false, false)
  t.equal(result.delays.length, result.liveSent)
  await carrier[Symbol.asyncDispose]()
})

t.test('fills a line of 100 Mbit/s, 150 ms and 1 % of loss', async t => {
  const { carrier, result, run, now } = simulate({ rate: 100e6, roundTrip: 150, loss: 0.01, liveBits: 0 })
  await run(4000, true, false)
  const [from, before] = [now(), result.storedBytes]
  await run(8000, true, false)
  const share = ((result.storedBytes - before) * 8000) / (now() - from) / (100e6 * 0.99 * (1420 / 1500))
  t.ok(share > 0.93, `${share.toFixed(3)} of what goes`)
  await carrier[Symbol.asyncDispose]()
})
