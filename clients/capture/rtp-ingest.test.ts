import t from 'tap'
import { OVERVIEW, tileId } from '../../relay/wire/ids.ts'
import { rtpTimestamp } from '../../relay/wire/units.ts'
import { RtpIngest } from './rtp-ingest.ts'
import { parseRtp, serializeRtp } from '../../relay/recordings/rtp-packet.ts'
import type { EncodedFrame } from './encoded-frame.ts'

/** One-octet NAL units: an IDR slice and an inter slice. */
const IDR = Buffer.from([0x65, 1, 2, 3])
const SLICE = Buffer.from([0x41, 1, 2, 3])

const OVERVIEW_TRACK = { ssrc: 7, renditionId: OVERVIEW, codec: 'H264', firstSequenceNumber: 65_534 } as const
const TILE_TRACK = { ssrc: 8, renditionId: tileId(0, 0), codec: 'H264', firstSequenceNumber: 10 } as const

const packet = (ssrc: number, sequenceNumber: number, timestamp: number, payload: Buffer, marker = true): Buffer =>
  serializeRtp({ payloadType: 96, marker, sequenceNumber: sequenceNumber & 0xffff, timestamp: rtpTimestamp(timestamp), ssrc, payload })

const pushAll = (ingest: RtpIngest, packets: readonly Buffer[]): EncodedFrame[] =>
  packets.map(bytes => ingest.push(bytes)).filter(frame => frame !== undefined)

t.test('assembles frames of several packets over wrap-around of sequence number and timestamp', async t => {
  const ingest = new RtpIngest([OVERVIEW_TRACK])
  const start = 0xffff_f000
  const frames = pushAll(ingest, [
    packet(7, 65_534, start, IDR, false),
    packet(7, 65_535, start, SLICE),
    packet(7, 65_536, start + 3000, SLICE),
    packet(7, 65_537, start + 6000, SLICE),
  ])
  t.same(frames.map(({ mediaTicks, isKeyFrame, payloads }) => [mediaTicks, isKeyFrame, payloads.length]), [[0, true, 2], [3000, false, 1], [6000, false, 1]])
  t.same(ingest.takeCounts(), { notRtp: 0, unknownSsrc: 0, lost: 0, framesBroken: 0 })
})

t.test('places frames of streams with different random origins at the same media time', async t => {
  const ingest = new RtpIngest([OVERVIEW_TRACK, TILE_TRACK])
  const frames = pushAll(ingest, [
    packet(7, 65_534, 1_000_000, IDR),
    packet(8, 10, 77, IDR),
    packet(8, 11, 3077, SLICE),
    packet(7, 65_535, 1_003_000, SLICE),
  ])
  t.same(frames.map(frame => [frame.renditionId, frame.mediaTicks]), [['overview', 0], ['tile-0-0', 0], ['tile-0-0', 3000], ['overview', 3000]])
  t.ok(ingest.isAligned)
})

t.test('is not aligned when the first packet of a stream was not seen', async t => {
  const ingest = new RtpIngest([OVERVIEW_TRACK])
  ingest.push(packet(7, 65_535, 5000, IDR))
  t.notOk(ingest.isAligned)
})

t.test('after a gap passes nothing on before the next keyframe, and counts', async t => {
  const ingest = new RtpIngest([TILE_TRACK])
  const frames = pushAll(ingest, [
    packet(8, 10, 0, IDR),
    packet(8, 11, 3000, SLICE, false),
    // 12, the end of this frame, is lost.
    packet(8, 13, 6000, SLICE),
    packet(8, 14, 9000, SLICE),
    packet(8, 15, 12_000, IDR),
    packet(8, 16, 15_000, SLICE),
  ])
  t.same(frames.map(frame => frame.mediaTicks), [0, 12_000, 15_000])
  t.same(ingest.takeCounts(), { notRtp: 0, unknownSsrc: 0, lost: 1, framesBroken: 3 })
})

t.test('ignores repetitions and packets that come too late', async t => {
  const ingest = new RtpIngest([TILE_TRACK])
  const first = packet(8, 10, 0, IDR)
  t.equal(pushAll(ingest, [first, first, packet(8, 11, 3000, SLICE), first]).length, 2)
})

t.test('refuses hostile bytes one by one and goes on', async t => {
  const ingest = new RtpIngest([TILE_TRACK])
  const valid = packet(8, 10, 0, IDR)
  const withBits = (bits: number): Buffer => Buffer.concat([Buffer.from([0x80 | bits]), valid.subarray(1)])
  const hostile: readonly (readonly [string, Buffer])[] = [
    ['nothing', Buffer.alloc(0)],
    ['one byte', Buffer.from([0x80])],
    ['version 1', Buffer.concat([Buffer.from([0x40]), valid.subarray(1)])],
    ['a header alone', valid.subarray(0, 12)],
    ['fifteen sources in four bytes', withBits(0x0f)],
    ['an extension longer than the packet', withBits(0x10)],
    ['more padding than packet', Buffer.concat([withBits(0x20), Buffer.from([255])])],
    ['padding of nothing', Buffer.concat([withBits(0x20), Buffer.from([0])])],
  ]
  for (const [name, bytes] of hostile) t.equal(ingest.push(bytes), undefined, name)
  t.equal(ingest.push(packet(9, 1, 0, IDR)), undefined)
  t.equal(ingest.push(Buffer.from([0x80, 200, 0, 6, ...Array<number>(24).fill(0)])), undefined, 'RTCP')
  t.same(ingest.takeCounts(), { notRtp: hostile.length, unknownSsrc: 1, lost: 0, framesBroken: 0 })
  t.ok(ingest.push(valid))
})

t.test('survives seeded noise', async t => {
  let state = 42
  const random = (): number => (state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0)
  const ingest = new RtpIngest([TILE_TRACK, OVERVIEW_TRACK])
  for (let round = 0; round < 20_000; round++) {
    const bytes = packet(7 + (random() % 3), random(), random(), Buffer.from([random() & 0xff, random() & 0xff, random() & 0xff]), (random() & 1) === 1)
    for (let flips = random() % 4; flips > 0; flips--) bytes[random() % bytes.length] = random() & 0xff
    ingest.push(bytes.subarray(0, 1 + (random() % bytes.length)))
  }
  t.pass()
})

t.test('reads past contributing sources, extension and padding', async t => {
  const bytes = Buffer.from([0xb1, 0x60, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 9, 9, 9, 9, 0xbe, 0xde, 0, 1, 1, 2, 3, 4, 0x65, 0x66, 0, 2])
  t.same(parseRtp(bytes)?.payload, Buffer.from([0x65, 0x66]))
})
