import t from 'tap'
import { isKeyFrame, markInterPredicted } from './key-frame.ts'

t.test('finds H.264 keyframes in every packetization', async t => {
  const sps = [0x67, 0x42], idr = [0x65, 0x88]
  t.ok(isKeyFrame('H264', [Buffer.from(idr)]), 'single NAL unit')
  t.ok(isKeyFrame('H264', [Buffer.from([0x78, 0, 2, ...sps, 0, 2, 0x68, 0xce]), Buffer.from([0x7c, 0x85, 1])]), 'STAP-A, then FU-A')
  t.ok(isKeyFrame('H264', [Buffer.from([0x06, 5]), Buffer.from([0x7c, 0x85, 1])]), 'SEI, then FU-A of an IDR')
  t.notOk(isKeyFrame('H264', [Buffer.from([0x41, 0x9a])]), 'inter slice')
  t.notOk(isKeyFrame('H264', [Buffer.from([0x7c, 0x81, 1])]), 'FU-A of an inter slice')
  t.notOk(isKeyFrame('H264', [Buffer.from([0x78, 0xff, 0xff, 0x41])]), 'STAP-A with a length past its end')
  t.notOk(isKeyFrame('H264', [Buffer.alloc(0)]), 'nothing')
})

// frame_marker 10, profile 00, show_existing 0, frame_type, show_frame 1, error_resilient 0
const VP9_KEY = 0b1000_0010
const VP9_INTER = 0b1000_0110
const B = 0x08, E = 0x04, P = 0x40

t.test('tells VP9 keyframes from inter frames by their own header', async t => {
  t.ok(isKeyFrame('VP9', [Buffer.from([B, VP9_KEY])]))
  t.notOk(isKeyFrame('VP9', [Buffer.from([B, VP9_INTER])]))
  t.notOk(isKeyFrame('VP9', [Buffer.from([B, 0b1000_1000])]), 'show_existing_frame')
  t.ok(isKeyFrame('VP9', [Buffer.from([B, 0b1011_0001])]), 'profile 3, with its reserved bit')
  t.notOk(isKeyFrame('VP9', [Buffer.from([B, 0b1011_0011])]), 'inter frame of profile 3')
  t.notOk(isKeyFrame('VP9', []))
})

t.test('marks every payload of a VP9 inter frame as predicted, and none of a keyframe', async t => {
  const inter = [Buffer.from([B, VP9_INTER]), Buffer.from([0, 1]), Buffer.from([E, 2])]
  t.same(markInterPredicted(inter, false).map(payload => payload[0]), [B | P, P, E | P])
  t.same(markInterPredicted([Buffer.from([B | E, VP9_KEY])], true).map(payload => payload[0]), [B | E])
  t.notOk(isKeyFrame('VP9', inter), 'and is still told apart afterwards')
})
