import { t } from 'tap'
import { randomSource } from '../../../test/harness/mutation.ts'
import { bytes, millis } from '../../wire/units.ts'
import { FecDecoder } from './fec-decoder.ts'
import type { RecoveredPacket } from './fec-decoder.ts'
import { FecEncoder } from './fec-encoder.ts'
import type { FecSettings, ParityPacket } from './fec-encoder.ts'

const MAX_BODY = bytes(64)
const openDecoder = (sourceWindow = 256, maxBlocks = 8): FecDecoder => new FecDecoder({ maxBodyLength: MAX_BODY, sourceWindow, maxBlocks })

interface Packet {
  readonly sequence: number
  readonly body: Uint8Array
}
type Sent = { readonly source: Packet } | { readonly parity: ParityPacket }

/** Packets of random length, empty ones too, with their parity in the order of sending. */
function send(count: number, settings: FecSettings | ((sequence: number) => FecSettings), seed = 1, from = 0): Sent[] {
  const random = randomSource(seed)
  const encoder = new FecEncoder({ maxBodyLength: MAX_BODY, maxBlockAge: millis(10) })
  const sent: Sent[] = []
  for (let sequence = from; sequence < from + count; sequence++) {
    encoder.configure(typeof settings === 'function' ? settings(sequence) : settings)
    const body = Uint8Array.from({ length: Math.floor(random() * (MAX_BODY + 1)) }, () => Math.floor(random() * 256))
    sent.push({ source: { sequence, body } })
    for (const parity of encoder.add(sequence, body, millis(0))) sent.push({ parity })
  }
  for (const parity of encoder.step(millis(1000))) sent.push({ parity })
  return sent
}

const sourcesOf = (sent: readonly Sent[]): Packet[] => sent.flatMap(item => ('source' in item ? [item.source] : []))
const parityOf = (sent: readonly Sent[]): ParityPacket[] => sent.flatMap(item => ('parity' in item ? [item.parity] : []))
const feed = (decoder: FecDecoder, items: readonly Sent[]): RecoveredPacket[] =>
  items.flatMap(item => ('source' in item ? decoder.receivedSource(item.source.sequence, item.source.body) : decoder.receivedParity(item.parity)))
const without = (sent: readonly Sent[], lost: readonly number[]): Sent[] => sent.filter(item => 'parity' in item || !lost.includes(item.source.sequence))
const bySequence = (packets: readonly Packet[]): Packet[] => packets.map(({ sequence, body }) => ({ sequence, body })).sort((one, other) => one.sequence - other.sequence)
function shuffled<Item>(items: readonly Item[], random: () => number): Item[] {
  return items.map(item => ({ item, key: random() })).sort((one, other) => one.key - other.key).map(({ item }) => item)
}

t.test('recovers any m losses of a block', async t => {
  const sent = send(6, { k: 6, m: 3 })
  const sources = sourcesOf(sent)
  let patterns = 0
  for (let pattern = 1; pattern < 1 << 6; pattern++) {
    const lost = sources.filter(({ sequence }) => (pattern >> sequence) & 1)
    if (lost.length > 3) continue
    patterns++
    t.same(bySequence(feed(openDecoder(), without(sent, lost.map(({ sequence }) => sequence)))), lost)
  }
  t.equal(patterns, 6 + 15 + 20)
})

t.test('recovers what is lost together with parity, as long as no more than m is', async t => {
  const sent = send(20, { k: 20, m: 4 })
  const decoder = openDecoder()
  const arrived = without(sent, [4, 5]).filter(item => !('parity' in item) || item.parity.index === 1 || item.parity.index === 3)
  t.same(bySequence(feed(decoder, arrived)), sourcesOf(sent).slice(4, 6))
  t.equal(decoder.recoveredPackets, 2)
  t.equal(decoder.pendingBlocks, 0)
})

t.test('recovers bursts of m in every place, across blocks too', async t => {
  const sent = send(96, { k: 24, m: 6 })
  for (let first = 0; first + 6 <= 96; first += 5) {
    const lost = Array.from({ length: 6 }, (_, place) => first + place)
    t.same(bySequence(feed(openDecoder(), without(sent, lost))), lost.map(sequence => sourcesOf(sent)[sequence]!))
  }
})

t.test('recovers out of any order, each packet once', async t => {
  const random = randomSource(3)
  for (let round = 0; round < 200; round++) {
    const sent = send(32, { k: 8, m: 2 }, round)
    const lost = [0, 8, 16, 24].flatMap(first => shuffled([0, 1, 2, 3, 4, 5, 6, 7], random).slice(0, 2).map(place => first + place))
    const decoder = openDecoder()
    // Early parity recovers packets that are only late; so what counts is that all are there in the end.
    const arrived = shuffled(without(sent, lost), random)
    const have = new Map<number, Uint8Array>()
    const recovered = feed(decoder, arrived)
    for (const { sequence, body } of [...recovered, ...sourcesOf(arrived)]) have.set(sequence, body)
    t.equal(new Set(recovered.map(({ sequence }) => sequence)).size, recovered.length)
    t.same(bySequence([...have].map(([sequence, body]) => ({ sequence, body }))), sourcesOf(sent))
  }
})

t.test('recovers the rest of a block when a retransmission makes up for what parity lacks', async t => {
  const sent = send(10, { k: 10, m: 2 })
  const decoder = openDecoder()
  t.same(feed(decoder, without(sent, [2, 3, 4])), [])
  t.equal(decoder.pendingBlocks, 1)
  const late = sourcesOf(sent)[3]!
  t.same(bySequence(decoder.receivedSource(late.sequence, late.body)), [sourcesOf(sent)[2]!, sourcesOf(sent)[4]!])
})

t.test('drops a block whose packets all came after its parity', async t => {
  const sent = send(4, { k: 4, m: 1 })
  const decoder = openDecoder()
  t.same(feed(decoder, without(sent, [0, 1])), [])
  t.equal(decoder.receivedSource(0, sourcesOf(sent)[0]!.body).length, 1)
  t.equal(decoder.pendingBlocks, 0)
})

t.test('keeps no block that lacks nothing, and ignores copies', async t => {
  const sent = send(40, { k: 10, m: 2 })
  const decoder = openDecoder()
  t.same(feed(decoder, [...sent, ...sent]), [])
  t.equal(decoder.pendingBlocks, 0)
  const next = send(10, { k: 10, m: 2 }, 1, 100)
  feed(decoder, without(next, [103, 107]).filter(item => 'source' in item))
  const [first, second] = parityOf(next)
  t.same([first!, first!, first!].flatMap(copy => decoder.receivedParity(copy)), [])
  t.equal(decoder.pendingBlocks, 1)
  t.equal(decoder.receivedParity(second!).length, 2)
  t.same([first!, second!].flatMap(copy => decoder.receivedParity(copy)), [])
})

t.test('recovers from a block closed early', async t => {
  const sent = send(5, { k: 20, m: 4 })
  t.equal(parityOf(sent).length, 1)
  t.same(feed(openDecoder(), without(sent, [4])), [sourcesOf(sent)[4]!])
})

t.test('recovers while settings change from block to block', async t => {
  const random = randomSource(5)
  const all: FecSettings[] = [{ k: 4, m: 1 }, { k: 48, m: 12 }, { k: 1, m: 1 }, { k: 17, m: 3 }]
  const sent = send(2000, () => all[Math.floor(random() * all.length)]!, 2)
  const lost = parityOf(sent).filter(({ index }) => index === 0).flatMap(({ firstSequence, k, m }) => shuffled(Array.from({ length: k }, (_, place) => firstSequence + place), random).slice(0, m))
  t.ok(lost.length > 300)
  t.same(bySequence(feed(openDecoder(), without(sent, lost))), bySequence(sourcesOf(sent).filter(({ sequence }) => lost.includes(sequence))))
})

t.test('counts parity that disagrees with its block, and goes on', async t => {
  const sent = send(8, { k: 8, m: 2 })
  const [first, second] = parityOf(sent)
  for (const lie of [{ k: 7 }, { m: 3 }, { symbol: new Uint8Array(second!.symbol.length - 1) }]) {
    const decoder = openDecoder()
    feed(decoder, without(sent, [1, 2]).filter(item => 'source' in item))
    decoder.receivedParity(first!)
    t.same(decoder.receivedParity({ ...second!, ...lie }), [])
    t.equal(decoder.refused.contradictory, 1)
    t.same(bySequence(decoder.receivedParity(second!)), sourcesOf(sent).slice(1, 3))
  }
})

t.test('refuses what no encoder can have made', async t => {
  const symbol = new Uint8Array(20)
  const good: ParityPacket = { firstSequence: 0, k: 4, m: 2, index: 0, symbol }
  const bad: Partial<ParityPacket>[] = [
    { k: 0 }, { k: 49 }, { k: 1.5 }, { m: 0 }, { m: 13 }, { index: 2 }, { index: -1 }, { index: NaN }, { firstSequence: -1 }, { firstSequence: 0.5 },
    { firstSequence: Number.MAX_SAFE_INTEGER }, { symbol: new Uint8Array(1) }, { symbol: new Uint8Array(MAX_BODY + 3) },
  ]
  const decoder = openDecoder()
  for (const change of bad) t.same(decoder.receivedParity({ ...good, ...change }), [])
  t.equal(decoder.refused.malformed, bad.length)
  t.equal(decoder.pendingBlocks, 0)
})

t.test('gives back nothing of a block whose lengths or padding are impossible', async t => {
  for (const forge of [(symbol: Uint8Array) => (symbol[0]! ^= 0x80), (symbol: Uint8Array) => (symbol[symbol.length - 1]! ^= 1)]) {
    const sent = send(4, { k: 4, m: 1 }, 9)
    const parity = parityOf(sent)[0]!
    forge(parity.symbol)
    const shorter = sourcesOf(sent).find(({ body }) => body.length + 2 < parity.symbol.length)!
    const decoder = openDecoder()
    t.same(feed(decoder, without(sent, [shorter.sequence])), [])
    t.equal(decoder.refused.impossible, 1)
    t.equal(decoder.recoveredPackets, 0)
  }
  const decoder = openDecoder()
  decoder.receivedSource(0, new Uint8Array(30))
  t.same(decoder.receivedParity({ firstSequence: 0, k: 2, m: 1, index: 0, symbol: new Uint8Array(10) }), [])
  t.equal(decoder.refused.contradictory, 1, 'a packet is longer than its symbol')
})

t.test('forgets packets and blocks that left its window', async t => {
  const decoder = openDecoder(64, 4)
  const sent = send(8, { k: 8, m: 1 })
  feed(decoder, without(sent, [3]).filter(item => 'source' in item))
  decoder.receivedSource(200, new Uint8Array(1))
  t.same(decoder.receivedParity(parityOf(sent)[0]!), [])
  t.same(decoder.receivedParity({ ...parityOf(sent)[0]!, firstSequence: 300 }), [])
  t.equal(decoder.refused.outside, 2)
  for (let block = 0; block < 10; block++) decoder.receivedParity({ firstSequence: 201 + 4 * block, k: 4, m: 1, index: 0, symbol: new Uint8Array(4) })
  t.equal(decoder.pendingBlocks, 4)
  t.equal(decoder.refused.evicted, 6)
})

t.test('does not hold on to the buffers of what it was given', async t => {
  const sent = send(6, { k: 6, m: 2 })
  const decoder = openDecoder()
  const expected = sourcesOf(sent).slice(1, 3).map(({ sequence, body }) => ({ sequence, body: body.slice() }))
  const recovered: RecoveredPacket[] = []
  for (const item of without(sent, [1, 2])) {
    recovered.push(...feed(decoder, [item]))
    if ('source' in item) item.source.body.fill(0xff)
    else item.parity.symbol.fill(0xff)
  }
  t.same(bySequence(recovered), expected)
})

t.test('survives a hostile peer: never throws, waits for a bounded number of blocks, and works for honest packets after', async t => {
  for (let seed = 1; seed <= 40; seed++) {
    const random = randomSource(seed)
    const pick = (...values: readonly number[]): number => values[Math.floor(random() * values.length)]!
    const decoder = openDecoder(128, 6)
    let next = 0
    for (let event = 0; event < 1500; event++) {
      const noise = Uint8Array.from({ length: pick(0, 1, 2, 3, 20, 64, 66, 67, 200) }, () => (random() < 0.7 ? 0 : Math.floor(random() * 256)))
      if (random() < 0.5) {
        next += pick(0, 1, 1, 1, 2, -3)
        decoder.receivedSource(pick(next, next, next, -1, NaN, 0.5), noise)
      } else {
        decoder.receivedParity({ firstSequence: pick(next, next - 3, next + 5, next - 200, next + 1000, -1, NaN), k: pick(1, 2, 3, 8, 48, 49, 0, 255, -1), m: pick(1, 2, 12, 13, 0, 255), index: pick(0, 1, 2, 11, 12, 255), symbol: noise })
      }
      if (decoder.pendingBlocks > 6) t.fail(`seed ${seed}: ${decoder.pendingBlocks} blocks wait`)
    }
    // Farther on than any block that the peer made up.
    const sent = send(8, { k: 8, m: 2 }, seed, next + 3000)
    const lost = [2, 6].map(place => sourcesOf(sent)[place]!)
    t.same(bySequence(feed(decoder, without(sent, lost.map(({ sequence }) => sequence)))), lost)
  }
})
