import { t } from 'tap'
import { millis } from '../../relay/wire/units.ts'
import { frameSizeIn } from './frame-size.ts'
import { StreamProbe } from './stream-probe.ts'

// Parameter sets as encoders wrote them.
/** openh264, 640x360: Constrained Baseline, level 3.0, cropped. */
const SPS_640 = Buffer.from('Z0LAHoyNQFAX/LAPCIRq', 'base64')
/** x264, 1920x1080: High, level 4.0, 1088 lines of which 8 are cropped. */
const SPS_1080 = Buffer.from('67640028acd940780227e5c044000003000400000300f03c60c658', 'hex')
const stapA = (...units: Buffer[]): Buffer => Buffer.concat([Buffer.from([24]), ...units.flatMap(unit => [Buffer.from([unit.length >> 8, unit.length & 255]), unit])])
/** The beginning of a VP9 keyframe of profile 0, 640x360, behind a descriptor. */
const vp9Frame = (descriptor: readonly number[]): Buffer => Buffer.from([...descriptor, 0x82, 0x49, 0x83, 0x42, 0x00, 0x27, 0xf0, 0x16, 0x70])

t.test('reads sizes from H.264 parameter sets, alone and aggregated', async t => {
  t.same(frameSizeIn('H264', SPS_640), { width: 640, height: 360 })
  t.same(frameSizeIn('H264', SPS_1080), { width: 1920, height: 1080 })
  t.same(frameSizeIn('H264', stapA(Buffer.from([9, 240]), SPS_1080, Buffer.from([0x68, 1]))), { width: 1920, height: 1080 })
  for (const other of [Buffer.from([0x65, 1, 2, 3]), Buffer.from([0x7c, 0x85]), SPS_640.subarray(0, 5), Buffer.alloc(0)]) t.equal(frameSizeIn('H264', other), undefined)
})

t.test('reads sizes from VP9 keyframes behind any descriptor', async t => {
  t.same(frameSizeIn('VP9', vp9Frame([0x08])), { width: 640, height: 360 })
  t.same(frameSizeIn('VP9', vp9Frame([0x88, 0x05])), { width: 640, height: 360 }, 'with a picture id of 7 bits')
  t.same(frameSizeIn('VP9', vp9Frame([0x88, 0x80, 0x05])), { width: 640, height: 360 }, 'of 15 bits')
  t.same(frameSizeIn('VP9', vp9Frame([0xa8, 0x80, 0x05, 0x00, 0x01])), { width: 640, height: 360 }, 'with layers')
  t.same(frameSizeIn('VP9', Buffer.from([0x0a, 0x30, 0x01, 0x40, 0x00, 0xb4, 0x02, 0x80, 0x01, 0x68])), { width: 640, height: 360 }, "with the layers' sizes")
  t.equal(frameSizeIn('VP9', vp9Frame([0x48])), undefined, 'predicted from another picture')
  t.equal(frameSizeIn('VP9', vp9Frame([0x00])), undefined, 'not the beginning')
})

t.test('concludes after ten intervals, or when it has waited', async t => {
  const feed = (probe: StreamProbe, frames: number, step: number): void => {
    for (let frame = 0; frame < frames; frame++) probe.take(frame === 0 ? SPS_640 : Buffer.from([0x41]), (2 ** 32 - 6000 + frame * step) >>> 0, millis(frame))
  }
  const quick = new StreamProbe('H264')
  feed(quick, 10, 3000)
  t.equal(quick.conclude(millis(10)), undefined)
  feed(quick, 11, 3000)
  t.same(quick.conclude(millis(11)), { width: 640, height: 360, framesPerSecond: 30 })
  const slow = new StreamProbe('H264')
  feed(slow, 2, 90_000)
  t.equal(slow.conclude(millis(1000)), undefined)
  t.same(slow.conclude(millis(1600)), { width: 640, height: 360, framesPerSecond: 1 })
  t.equal(new StreamProbe('H264').conclude(millis(1e9)), undefined, 'nothing without a keyframe')
})
