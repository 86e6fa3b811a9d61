import { once } from 'node:events'
import { createWriteStream, existsSync } from 'node:fs'
import { t } from 'tap'
import { millis } from '../../../relay/wire/units.ts'
import { RawRing, ringFrames } from './raw-ring.ts'
import type { WriteStream } from 'node:fs'

const FRAME_BYTES = 200_000

async function write(pipe: WriteStream, from: number, to: number): Promise<void> {
  for (let frame = from; frame < to; frame++) if (!pipe.write(Buffer.alloc(FRAME_BYTES, frame))) await once(pipe, 'drain')
}

/** The frame once it is there. */
async function held(ring: RawRing, index: number) {
  const frame = await ring.holdWhenRead(index, millis(10_000))
  if (frame === undefined) throw new Error(`frame ${index} did not come`)
  return frame
}

t.test('has the latest frames, and keeps one that is held while others come', async t => {
  await using ring = await RawRing.open(4, FRAME_BYTES)
  const pipe = createWriteStream(ring.path)
  await write(pipe, 0, 6)
  using third = await held(ring, 3)
  t.ok(third.planes.length === FRAME_BYTES && third.planes.every(byte => byte === 3))
  await write(pipe, 6, 40)
  {
    using last = await held(ring, 39)
    t.ok(last.planes.every(byte => byte === 39))
    t.equal(ring.hold(38), undefined, 'as many are held as may be')
  }
  for (const index of [39, 38, 37, 36]) {
    using frame = ring.hold(index)
    t.ok(frame?.planes.every(byte => byte === index), `frame ${index}`)
  }
  t.ok(third.planes.every(byte => byte === 3), 'what is held is not written over')
  t.equal(ring.hold(20), undefined, 'it left the ring')
  t.equal(ring.hold(40), undefined, 'it has not come')
  pipe.end()
})

t.test('a frame whose encoded form was faster is waited for, however slowly it comes, and not for ever', async t => {
  await using ring = await RawRing.open(2, FRAME_BYTES)
  const pipe = createWriteStream(ring.path)
  const first = ring.holdWhenRead(0, millis(10_000))
  const second = ring.holdWhenRead(1, millis(10_000))
  t.equal(ring.hold(0), undefined, 'it has not come')
  pipe.write(Buffer.alloc(FRAME_BYTES / 2, 0))
  await write(pipe, 0, 1)
  pipe.write(Buffer.alloc(FRAME_BYTES / 2, 1))
  {
    using frame = await first
    t.equal(frame?.planes.length, FRAME_BYTES)
  }
  {
    using frame = await second
    t.ok(frame?.planes.subarray(FRAME_BYTES / 2).every(byte => byte === 1))
  }
  t.equal(await ring.holdWhenRead(2, millis(1)), undefined, 'nothing comes')
  const third = ring.holdWhenRead(2, millis(60_000))
  pipe.end()
  t.equal(await third, undefined, 'and nothing will')
})

t.test('ends while nobody ever wrote, and leaves nothing', async t => {
  const ring = await RawRing.open(2, FRAME_BYTES)
  const { path } = ring
  await ring[Symbol.asyncDispose]()
  t.notOk(existsSync(path))
})

t.test('has the seconds that were asked for, or what memory they may take', async t => {
  t.equal(ringFrames(2, 15, 50_000_000, 4_000_000_000), 30)
  t.equal(ringFrames(2, 15, 50_000_000, 1_000_000_000), 17)
  t.equal(ringFrames(2, 15, 50_000_000, 100_000_000), 0)
})
