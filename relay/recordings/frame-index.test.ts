import t from 'tap'
import { millis, rtpTimestamp } from '../wire/units.ts'
import { decodeIndex, encodeIndexedFrame, framesInTime, FrameScanner } from './frame-index.ts'
import type { IndexedFrame } from './frame-index.ts'

const KEY = Buffer.from([0x65, 1])
const INTER = Buffer.from([0x41, 1])

/** Packets of one rendition, one after the other in a file with records of 10 bytes. */
class Tape {
  readonly #scanner = new FrameScanner('H264')
  #offset = 100
  sequenceNumber = 65_534

  push(timestamp: number, payload: Buffer, { marker = true, time = timestamp / 90 } = {}): IndexedFrame | undefined {
    const packet = { payloadType: 96, marker, sequenceNumber: this.sequenceNumber, timestamp: rtpTimestamp(timestamp), ssrc: 1, payload }
    this.sequenceNumber = (this.sequenceNumber + 1) & 0xffff
    const frame = this.#scanner.push(packet, { offset: this.#offset, byteLength: 10, time: millis(time) })
    this.#offset += 10
    return frame
  }
}

t.test('finds frames of several packets, from the first keyframe on', async t => {
  const tape = new Tape()
  t.equal(tape.push(0, INTER), undefined, 'nothing to build on')
  t.equal(tape.push(3000, KEY, { marker: false }), undefined)
  t.same(tape.push(3000, KEY), { ticks: 3000, offset: 110, byteLength: 20, isKeyFrame: true })
  t.same(tape.push(6000, INTER), { ticks: 6000, offset: 130, byteLength: 10, isKeyFrame: false }, 'over the wrap of sequence numbers')
})

t.test('counts nothing between a packet that is missing and the next keyframe', async t => {
  const tape = new Tape()
  t.ok(tape.push(0, KEY))
  tape.sequenceNumber++
  t.equal(tape.push(3000, INTER), undefined)
  t.equal(tape.push(6000, INTER), undefined)
  t.ok(tape.push(9000, KEY))
  t.equal(tape.push(12_000, INTER, { marker: false }), undefined)
  t.equal(tape.push(15_000, INTER), undefined, 'the end of the frame before did not come')
  t.ok(tape.push(18_000, KEY))
})

t.test('unwraps the RTP clock by when packets came, and lets frames of another clock go', async t => {
  const tape = new Tape()
  const day = 24 * 3600 * 90_000
  t.equal(tape.push(day + 5, KEY, { time: day / 90 })?.ticks, day + 5)
  t.equal(tape.push(day + 5 + 2 ** 31, KEY, { time: day / 90 }), undefined)
  t.equal(tape.push(day - 9, KEY, { time: day / 90 })?.ticks, day - 9)
})

t.test('an index is read back up to where it, or the file, was cut off', async t => {
  const frames = [0, 1, 2].map(index => ({ ticks: index * 3000, offset: 100 + index * 50, byteLength: 50, isKeyFrame: index === 0 }))
  const index = Buffer.concat(frames.map(encodeIndexedFrame))
  t.same(decodeIndex(index, 250), frames)
  t.same(decodeIndex(index.subarray(0, -1), 250), frames.slice(0, 2))
  t.same(decodeIndex(index, 249), frames.slice(0, 2))
  t.same(decodeIndex(Buffer.alloc(48, 0xff), 250), [], 'nonsense is no frame')
})

t.test('what a rendition that begins anew repeats takes the place of what was there', async t => {
  const frame = (ticks: number, offset: number, isKeyFrame = false): IndexedFrame => ({ ticks, offset, byteLength: 1, isKeyFrame })
  const frames = [frame(0, 0, true), frame(1, 1), frame(2, 2), frame(0, 3, true), frame(1, 4), frame(2, 5), frame(3, 6)]
  t.same(framesInTime(frames).map(({ offset }) => offset), [3, 4, 5, 6])
})
