import fc from 'fast-check'
import { t } from 'tap'
import { OVERVIEW, tileId } from '../../relay/wire/ids.ts'
import { millis, rtpTimestamp } from '../../relay/wire/units.ts'
import { FrameJudge } from './frame-judge.ts'
import type { RenditionId } from '../../relay/wire/ids.ts'
import type { ArrivedFrame, JudgedPacket } from './frame-judge.ts'

const DEADLINE = millis(500)
const TICKS = 3000
const END = millis(100_000)

interface Stream {
  readonly sequenceNumber?: number
  readonly timestamp?: number
  readonly packetsPerFrame?: number
}

/** The packets of `frames` frames, in the order in which they are sent. */
function packetsOf(frames: number, { sequenceNumber = 0, timestamp = 0, packetsPerFrame = 3 }: Stream = {}): JudgedPacket[] {
  return Array.from({ length: frames * packetsPerFrame }, (_, index) => ({
    sequenceNumber: (sequenceNumber + index) & 0xffff,
    timestamp: rtpTimestamp(timestamp + Math.floor(index / packetsPerFrame) * TICKS),
    marker: index % packetsPerFrame === packetsPerFrame - 1,
  }))
}

/** Feeds packets one per millisecond to a judge of one rendition and returns its verdicts. */
function judgeAll(packets: readonly JudgedPacket[]) {
  const judge = new FrameJudge(DEADLINE)
  judge.expect([OVERVIEW])
  for (const [at, packet] of packets.entries()) judge.push(OVERVIEW, packet, millis(at))
  judge.judge(END)
  return judge.take().get(OVERVIEW)
}

const without = (packets: readonly JudgedPacket[], ...lost: number[]): JudgedPacket[] =>
  packets.filter((_, index) => !lost.includes(index))

t.test('counts every frame after the first boundary as intact when nothing is lost', async t => {
  t.same(judgeAll(packetsOf(10)), { intact: 9, damaged: 0, missing: 0 })
})

t.test('does not count the frame that it joined in the middle of', async t => {
  t.same(judgeAll(packetsOf(10).slice(1)), { intact: 9, damaged: 0, missing: 0 })
  t.same(judgeAll(packetsOf(10).slice(2)), { intact: 9, damaged: 0, missing: 0 })
})

t.test('damages only the frame that lost a packet at its beginning or in its middle', async t => {
  t.same(judgeAll(without(packetsOf(10), 13)), { intact: 8, damaged: 1, missing: 0 }, 'middle')
  // The missing packet may have been the last of the frame before, but that one has its marker.
  t.same(judgeAll(without(packetsOf(10), 12)), { intact: 8, damaged: 1, missing: 0 }, 'first')
})

t.test('damages only the frame that lost its marker', async t => {
  t.same(judgeAll(without(packetsOf(10), 14)), { intact: 8, damaged: 1, missing: 0 })
})

t.test('trusts no frame whose beginning cannot be told from the end of the one before', async t => {
  t.same(judgeAll(without(packetsOf(10), 13, 14)), { intact: 7, damaged: 2, missing: 0 }, 'marker and more lost')
  t.same(judgeAll(without(packetsOf(10), 14, 15)), { intact: 7, damaged: 2, missing: 0 }, 'marker and next first lost')
})

t.test('does not mind the order of packets', async t => {
  const packets = packetsOf(10)
  const swapped = packets.map((_, index) => packets[index ^ 1]!)
  t.same(judgeAll(swapped), { intact: 9, damaged: 0, missing: 0 })
  const reversedFrames = packetsOf(8, { packetsPerFrame: 4 }).map((_, index, all) => all[index ^ 3]!)
  t.same(judgeAll([...packetsOf(1, { sequenceNumber: -4, timestamp: -TICKS, packetsPerFrame: 4 }), ...reversedFrames]), {
    intact: 8, damaged: 0, missing: 0,
  })
})

t.test('takes a marker that comes after the whole next frame', async t => {
  const packets = packetsOf(4)
  const [marker] = packets.splice(5, 1)
  t.same(judgeAll([...packets, marker!]), { intact: 3, damaged: 0, missing: 0 })
})

t.test('counts a packet once, however often it comes', async t => {
  const packets = packetsOf(10)
  t.same(judgeAll([...packets, ...packets]), { intact: 9, damaged: 0, missing: 0 })
  const lossy = without(packets, 13)
  t.same(judgeAll([...lossy, ...lossy]), { intact: 8, damaged: 1, missing: 0 })
})

t.test('follows sequence number and timestamp over their wrap-around', async t => {
  const packets = packetsOf(40, { sequenceNumber: 65_500, timestamp: 0xffff_ffff - 20 * TICKS })
  t.same(judgeAll(packets), { intact: 39, damaged: 0, missing: 0 })
  t.same(judgeAll(without(packets, 37)), { intact: 38, damaged: 1, missing: 0 }, 'loss next to the wrap')
})

t.test('accepts the last packet at the deadline and not after it', async t => {
  for (const [arrival, expected] of [[600, { intact: 1, damaged: 0, missing: 0 }], [601, { intact: 0, damaged: 1, missing: 0 }]] as const) {
    const judge = new FrameJudge(DEADLINE)
    judge.expect([OVERVIEW])
    const [end, first, last] = [packetsOf(1).at(-1)!, ...packetsOf(1, { sequenceNumber: 3, timestamp: TICKS, packetsPerFrame: 2 })]
    judge.push(OVERVIEW, end, millis(90))
    judge.push(OVERVIEW, first!, millis(100))
    judge.push(OVERVIEW, last!, millis(arrival))
    judge.judge(millis(1000))
    t.same(judge.take().get(OVERVIEW), expected, `${arrival} ms`)
  }
})

t.test('judges nothing before its deadline', async t => {
  const judge = new FrameJudge(DEADLINE)
  judge.expect([OVERVIEW])
  for (const packet of packetsOf(2)) judge.push(OVERVIEW, packet, millis(0))
  judge.judge(millis(500))
  t.same(judge.take().get(OVERVIEW), { intact: 0, damaged: 0, missing: 0 })
  judge.judge(millis(501))
  t.same(judge.take().get(OVERVIEW), { intact: 1, damaged: 0, missing: 0 })
  t.equal(judge.takeInstants(), 2)
})

t.test('still uses a late marker as the beginning of the next frame', async t => {
  const judge = new FrameJudge(DEADLINE)
  judge.expect([OVERVIEW])
  const packets = packetsOf(3)
  for (const packet of packets.slice(0, 5)) judge.push(OVERVIEW, packet, millis(0))
  judge.judge(millis(501))
  for (const packet of packets.slice(5)) judge.push(OVERVIEW, packet, millis(510))
  judge.judge(END)
  t.same(judge.take().get(OVERVIEW), { intact: 1, damaged: 1, missing: 0 })
})

t.test('measures the deadline from the first packet of the instant in any rendition', async t => {
  const tile = tileId(0, 0)
  const judge = new FrameJudge(DEADLINE)
  judge.expect([OVERVIEW, tile])
  for (const packet of packetsOf(1)) judge.push(tile, packet, millis(0))
  const second: Stream = { sequenceNumber: 3, timestamp: TICKS }
  for (const packet of packetsOf(2, { sequenceNumber: 0 })) judge.push(OVERVIEW, packet, millis(0))
  for (const packet of packetsOf(1, second)) judge.push(tile, packet, millis(501))
  judge.judge(END)
  t.same(judge.take().get(OVERVIEW), { intact: 1, damaged: 0, missing: 0 })
  t.same(judge.take().get(tile), { intact: 0, damaged: 0, missing: 0 }, 'taken already')
})

t.test('calls a frame missing when only other renditions show its instant', async t => {
  const tile = tileId(0, 0)
  const judge = new FrameJudge(DEADLINE)
  judge.expect([OVERVIEW, tile])
  for (const packet of packetsOf(5)) judge.push(OVERVIEW, packet, millis(0))
  for (const packet of [...packetsOf(2), ...packetsOf(1, { sequenceNumber: 12, timestamp: 4 * TICKS })]) judge.push(tile, packet, millis(1))
  judge.judge(END)
  const tallies = judge.take()
  t.same(tallies.get(OVERVIEW), { intact: 4, damaged: 0, missing: 0 })
  t.same(tallies.get(tile), { intact: 1, damaged: 1, missing: 2 })
})

t.test('begins anew with a rendition that left and came back, and ignores what is not expected', async t => {
  const judge = new FrameJudge(DEADLINE)
  const watch = (renditions: RenditionId[]): void => judge.expect(renditions)
  watch([OVERVIEW])
  for (const packet of packetsOf(3)) judge.push(OVERVIEW, packet, millis(0))
  judge.judge(millis(600))
  t.same(judge.take().get(OVERVIEW), { intact: 2, damaged: 0, missing: 0 })
  // A frame is cut off when the flow pauses, and the numbers go on where they stopped.
  for (const packet of packetsOf(1, { sequenceNumber: 9, timestamp: 3 * TICKS }).slice(0, 1)) judge.push(OVERVIEW, packet, millis(700))
  watch([])
  for (const packet of packetsOf(1, { sequenceNumber: 10, timestamp: 4 * TICKS })) judge.push(OVERVIEW, packet, millis(800))
  watch([OVERVIEW])
  for (const packet of packetsOf(4, { sequenceNumber: 13, timestamp: 90 * TICKS })) judge.push(OVERVIEW, packet, millis(3000))
  judge.judge(END)
  t.same(judge.take().get(OVERVIEW), { intact: 3, damaged: 0, missing: 0 })
})

t.test('never calls a frame intact that lost a packet, and misses no frame that lost none next to it', async () => {
  const frames = 30
  fc.assert(
    fc.property(
      fc.uniqueArray(fc.integer({ min: 3, max: frames * 3 - 1 }), { maxLength: 40 }),
      fc.integer({ min: 0, max: 0xffff }),
      fc.integer({ min: 0, max: 0xffff_ffff }),
      (lost, sequenceNumber, timestamp) => {
        const packets = packetsOf(frames, { sequenceNumber, timestamp })
        const tally = judgeAll(without(packets, ...lost))
        const isHit = (frame: number): boolean => [0, 1, 2].some(offset => lost.includes(frame * 3 + offset))
        const counted = Array.from({ length: frames - 1 }, (_, index) => index + 1)
        const untouched = counted.filter(frame => !isHit(frame))
        const provable = untouched.filter(frame => !isHit(frame - 1))
        const intact = tally?.intact ?? -1
        return intact <= untouched.length && intact >= provable.length
      },
    ),
    { seed: 20261122, numRuns: 300 },
  )
})

t.test('tells of every frame how many packets came and when the last one did', async t => {
  const frames: ArrivedFrame[] = []
  const judge = new FrameJudge(DEADLINE, frame => frames.push(frame))
  judge.expect([OVERVIEW])
  const packets = packetsOf(3)
  for (const [at, packet] of without(packets, 4).entries()) judge.push(OVERVIEW, packet, millis(at))
  judge.push(OVERVIEW, packets[0]!, millis(200))
  judge.judge(END)
  t.same(frames, [
    { renditionId: OVERVIEW, timestamp: 0, packets: 3, lastAt: 2 },
    { renditionId: OVERVIEW, timestamp: TICKS, packets: 2, lastAt: 4 },
    { renditionId: OVERVIEW, timestamp: 2 * TICKS, packets: 3, lastAt: 7 },
  ], 'the first frame too, and what came twice once')
})
