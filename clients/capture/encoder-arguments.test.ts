import t from 'tap'
import { parseConfig } from '../../relay/runtime/config.ts'
import { RelayFault } from '../../relay/wire/fault.ts'
import { planPyramid } from '../../relay/wire/pyramid.ts'
import { gopFrames, planEncoder, renditionBitrate } from './encoder-arguments.ts'
import { encoderSettings, refuseContradictions, SourceSettings } from './settings.ts'
import type { Pyramid } from '../../relay/wire/pyramid.ts'

const EIGHT_K = planPyramid({ width: 7680, height: 4320, columns: 6, rows: 6, overviewWidth: 1920, framesPerSecond: 30 })
const SMALL = planPyramid({ width: 512, height: 288, columns: 2, rows: 1, overviewWidth: 256, framesPerSecond: 30, whole: 'VP9' })

const settingsOf = (over: object = {}) => encoderSettings(SourceSettings.parse(over))
const planOf = (pyramid: Pyramid, over: object = {}) => {
  const tracks = pyramid.renditions.map(({ id, codec }, index) => ({ ssrc: 100 + index, renditionId: id, codec, firstSequenceNumber: index }))
  return planEncoder(pyramid, 'null', settingsOf(over), tracks, 5000)
}
const option = (options: readonly string[], name: string): string | undefined => options[options.indexOf(name) + 1]

t.test('spends 80 to 100 Mbit/s on 8K at 30 frames per second, and lets an HD viewport have less than a quarter of its share', async t => {
  const rates = EIGHT_K.renditions.map(rendition => renditionBitrate(rendition, 30, {}))
  const sum = rates.reduce((total, rate) => total + rate, 0)
  t.ok(sum >= 80e6 && sum <= 100e6, `${sum / 1e6} Mbit/s`)
  const [overview = 0, tile = 0] = rates
  t.ok((6.3 * tile + overview) / (36 * tile) < 0.25)
})

t.test('keyframes of tiles come at least every third of a second, and not together', async t => {
  const { outputs } = planOf(EIGHT_K)
  const tiles = outputs.slice(1).map(({ options }) => option(options, '-force_key_frames'))
  t.ok(EIGHT_K.renditions.slice(1).every(rendition => gopFrames(rendition, 30) / 30 <= 0.33))
  const most = Math.max(...tiles.map(expression => tiles.filter(other => other === expression).length))
  t.ok(most <= 4, `at most ${most} of 36 at once`)
  t.equal(gopFrames(EIGHT_K.renditions[1]!, 2), 1)
})

t.test('cuts, scales and sends every rendition on its own', async t => {
  const { filterGraph, outputs } = planOf(SMALL)
  t.equal(filterGraph, '[0:v]null,split=4[s0][s1][s2][s3];[s0]scale=256:144:flags=area[r0];[s1]crop=256:288:0:0[r1];[s2]crop=256:288:256:0[r2];[s3]null[r3]')
  t.same(outputs.map(({ options }) => [option(options, '-map'), option(options, '-ssrc'), option(options, '-seq')]), [['[r0]', '100', '0'], ['[r1]', '101', '1'], ['[r2]', '102', '2'], ['[r3]', '103', '3']])
  t.ok(outputs.every(({ url }) => url.startsWith('rtp://127.0.0.1:5000?rtcpport=5000&')))
  t.ok(outputs.every(({ options }) => option(options, '-colorspace') === 'bt709' && option(options, '-color_range') === 'tv'))
})

t.test('tells each family of encoders how to delay nothing', async t => {
  const first = (over: object): string => planOf(SMALL, over).outputs[0]!.options.join(' ')
  t.match(first({}), '-c:v libx264 -preset fast -tune zerolatency -profile:v baseline')
  t.match(planOf(SMALL).outputs[1]!.options.join(' '), '-c:v libx264 -preset superfast -tune zerolatency -profile:v baseline')
  t.match(first({ encoder: 'h264_nvenc', preset: 'p3' }), '-preset p3 -tune ull -zerolatency 1')
  t.match(planOf(SMALL, { encoder: 'h264_vaapi' }).filterGraph, 'format=nv12,hwupload[r0]')
  t.match(first({ encoder: 'h264_v4l2m2m', encoderOptions: '-num_capture_buffers  16' }), '-num_capture_buffers 16')
  t.match(planOf(SMALL).outputs[3]!.options.join(' '), '-c:v libvpx-vp9')
  t.match(planOf({ ...SMALL, renditions: SMALL.renditions.map(rendition => ({ ...rendition, bitsPerSecond: 900_000 })) }).outputs[1]!.options.join(' '), '-b:v 900000 -maxrate 900000 -bufsize 360000')
})

t.test('names every mistake in the settings at once', async t => {
  try {
    parseConfig(SourceSettings, { environment: { KENKYO_THREADS: 'many' }, flags: { columns: '9', width: '7681', source: 'camera', encoder: 'x; rm' } })
    t.fail('accepted')
  } catch (error) {
    t.ok(error instanceof RelayFault && error.code === 'bad_config')
    for (const name of ['--columns', '--width', '--source', '--encoder', 'KENKYO_THREADS']) t.match((error as Error).message, name)
  }
  t.throws(() => refuseContradictions(SourceSettings.parse({ source: 'file' })), { code: 'bad_config' })
  t.throws(() => refuseContradictions(SourceSettings.parse({ source: 'pattern', input: 'x' })), { code: 'bad_config' })
})
