import { once } from 'node:events'
import { createWriteStream, existsSync } from 'node:fs'
import { t } from 'tap'
import { RawRing, ringFrames } from './raw-ring.ts'
import type { WriteStream } from 'node:fs'

const FRAME_BYTES = 200_000

async function write(pipe: WriteStream, from: number, to: number): Promise<void> {
  for (let frame = from; frame < to; frame++) if (!pipe.write(Buffer.alloc(FRAME_BYTES, frame))) await once(pipe, 'drain')
}

/** The frame once it is there. */
async function held(ring: RawRing, index: number) {
  const deadline = performance.now() + 10_000
  for (;;) {
    const frame = ring.hold(index)
    if (frame !== undefined) return frame
    if (performance.now() > deadline) throw new Error(`frame ${index} did not come`)
    await new Promise(resolve => setImmediate(resolve))
  }
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
