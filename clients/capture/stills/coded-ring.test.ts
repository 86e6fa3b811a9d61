import { t } from 'tap'
import { OVERVIEW, tileId } from '../../../relay/wire/ids.ts'
import { rtpTimestamp } from '../../../relay/wire/units.ts'
import { CodedRing } from './coded-ring.ts'
import type { StampedFrame } from '../encoded-frame.ts'

const TILE = tileId(0, 0)
const STEP = 3000
const frame = (index: number, isKeyFrame: boolean, bytes = 10, renditionId = TILE): StampedFrame =>
  ({ renditionId, mediaTicks: index * STEP, timestamp: rtpTimestamp((0xffff_0000 + index * STEP) % 2 ** 32), isKeyFrame, payloads: [Buffer.alloc(bytes)] })
const at = (index: number) => frame(index, false).timestamp

t.test('leads from the keyframe to any frame of the last seconds, over the wrap of the clock too', async t => {
  const ring = new CodedRing([TILE])
  for (let index = 0; index < 300; index++) ring.push(frame(index, index % 10 === 0))
  t.same(ring.leadingTo(TILE, at(299))?.map(({ mediaTicks }) => mediaTicks / STEP), [290, 291, 292, 293, 294, 295, 296, 297, 298, 299])
  t.equal(ring.leadingTo(TILE, at(215))?.length, 6)
  t.equal(ring.leadingTo(TILE, at(100)), undefined, 'too long ago')
  t.equal(ring.leadingTo(TILE, at(300)), undefined, 'yet to come')
  t.equal(ring.leadingTo(tileId(1, 0), at(299)), undefined)
})

t.test('keeps the renditions it was told, from their first keyframe, within its bytes', async t => {
  const ring = new CodedRing([TILE])
  ring.push(frame(0, true, 10, OVERVIEW))
  ring.push(frame(0, false))
  t.equal(ring.bytes, 0)
  for (let index = 0; index < 80; index++) ring.push(frame(index, true, 1024 * 1024))
  t.ok(ring.bytes <= 64 * 1024 * 1024)
  t.ok(ring.leadingTo(TILE, at(79)))
  t.equal(ring.leadingTo(TILE, at(2)), undefined)
})
