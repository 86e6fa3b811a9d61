import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import t from 'tap'
import { systemClock } from '../../relay/runtime/clock.ts'
import { createLogger } from '../../relay/runtime/log.ts'
import { tilePosition } from '../../relay/wire/pyramid.ts'
import { findFfmpeg } from './ffmpeg-binaries.ts'
import { readPatternTile } from './pattern.ts'
import { recordSource } from './record.ts'
import { loadRecording } from './recording.ts'
import { SourceSettings } from './settings.ts'
import { planSource } from './source-plan.ts'
import type { EncodedFrame, SourceEnd } from './encoded-frame.ts'

const run = promisify(execFile)
const root = await mkdtemp(join(tmpdir(), 'kenkyo-encode-'))
t.teardown(() => rm(root, { recursive: true }))

const { ffmpeg } = await findFfmpeg({ ffmpeg: process.env['KENKYO_FFMPEG'] })
const context = { clock: systemClock, log: createLogger({ level: 'silent', program: 'test' }) }
const settingsOf = (over: object): SourceSettings => SourceSettings.parse({ ffmpeg, ...over })
const CARD = { source: 'pattern', width: 512, height: 320, columns: 2, rows: 2, overviewWidth: 256 }
const FRAMES = 12

/** The frames of one rendition as an H.264 byte stream. @see RFC 6184 section 5; ITU-T H.264 annex B */
function toAnnexB(frames: readonly EncodedFrame[]): Buffer {
  const startCode = Buffer.from([0, 0, 0, 1])
  return Buffer.concat(
    frames.flatMap(frame => frame.payloads).flatMap(payload => {
      const type = payload[0]! & 0x1f
      if (type === 28) {
        const isStart = (payload[1]! & 0x80) !== 0
        return isStart ? [startCode, Buffer.from([(payload[0]! & 0xe0) | (payload[1]! & 0x1f)]), payload.subarray(2)] : [payload.subarray(2)]
      }
      if (type !== 24) return [startCode, payload]
      const units: Buffer[] = []
      for (let at = 1; at + 2 < payload.length; at += 2 + payload.readUInt16BE(at)) units.push(startCode, payload.subarray(at + 2, at + 2 + payload.readUInt16BE(at)))
      return units
    }),
  )
}

async function decodeToRgba(frames: readonly EncodedFrame[], name: string): Promise<Buffer> {
  const path = join(root, `${name}.h264`)
  await writeFile(path, toAnnexB(frames))
  const { stdout } = await run(ffmpeg, ['-v', 'error', '-i', path, '-f', 'rawvideo', '-pix_fmt', 'rgba', '-'], { encoding: 'buffer', maxBuffer: 1 << 28 })
  return stdout
}

t.test('a recorded test card shows every tile at its place and the same frame number at the same instant', async t => {
  const plan = await planSource(settingsOf(CARD), context)
  const directory = join(root, 'card')
  await recordSource({ plan, output: directory, seconds: FRAMES / 30 }, new AbortController().signal)
  const { pyramid, images } = await loadRecording(directory)
  t.equal(images.length, FRAMES)
  for (const { id, width, height } of pyramid.renditions) {
    const position = tilePosition(id)
    if (position === undefined) continue
    const frames = images.flatMap(image => image.filter(frame => frame.renditionId === id))
    const pixels = await decodeToRgba(frames, id)
    const codes = frames.map((_, index) =>
      readPatternTile({ data: pixels.subarray(index * width * height * 4, (index + 1) * width * height * 4), width, height }, { x: 0, y: 0, tileWidth: width, tileHeight: height }),
    )
    t.same(codes, Array.from({ length: FRAMES }, (_, frameNumber) => ({ ...position, frameNumber })), id)
  }
})

t.test('a replay gives every rendition of every image, and begins again without going back in time', async t => {
  const plan = await planSource(settingsOf({ source: 'recording', input: join(root, 'card'), loop: true }), context)
  const seen: EncodedFrame[] = []
  const enough = Promise.withResolvers<undefined>()
  await using source = await plan.open(frame => {
    seen.push(frame)
    if (seen.length === 5 * (FRAMES + 2)) enough.resolve(undefined)
  }, new AbortController().signal)
  await enough.promise
  await source.close()
  t.same(await source.closed, { code: 'done' })
  const overview = seen.filter(frame => frame.renditionId === 'overview')
  t.same(overview.slice(0, FRAMES + 2).map(frame => frame.mediaTicks), Array.from({ length: FRAMES + 2 }, (_, image) => image * 3000))
  t.ok(overview[FRAMES]?.isKeyFrame, 'the loop begins with a keyframe')
})

t.test('a file is probed, cut and encoded, and ends', async t => {
  const path = join(root, 'film.mp4')
  await run(ffmpeg, ['-v', 'error', '-f', 'lavfi', '-i', 'testsrc2=size=322x242:rate=25', '-t', '0.4', '-pix_fmt', 'yuv444p', path])
  const plan = await planSource(settingsOf({ source: 'file', input: path, columns: 2, rows: 1 }), context)
  t.match(plan.pyramid, { width: 322, height: 242, framesPerSecond: 25 })
  let frames = 0
  await using source = await plan.open(() => frames++, new AbortController().signal)
  t.same(await source.closed, { code: 'ended' })
  t.equal(frames, 30)
})

t.test('what is no video is refused with one line that does not repeat its name', async t => {
  const text = join(root, 'Yamada-Hanako.mp4')
  await writeFile(text, 'not a video')
  for (const input of [text, join(root, 'absent.mp4')]) {
    const thrown: unknown = await planSource(settingsOf({ source: 'file', input }), context).catch((error: unknown) => error)
    t.match(thrown, { code: 'bad_source' })
    t.notMatch((thrown as Error).message, /Yamada|\n/)
  }
  await t.rejects(planSource(settingsOf({ ...CARD, columns: 8, rows: 8 }), context), { code: 'bad_config' })
  await t.rejects(planSource(settingsOf({ ...CARD, ffmpeg: '/nonexistent/ffmpeg' }), context), { code: 'bad_config' })
})

t.test('an encoder that cannot run, or is killed, says so and leaves nothing running', async t => {
  const hopeless = await planSource(settingsOf({ ...CARD, encoder: 'no_such_encoder' }), context)
  await using failed = await hopeless.open(() => undefined, new AbortController().signal)
  const end: SourceEnd = await failed.closed
  t.match(end, { code: 'failed', fault: { code: 'encoder_failed', message: /no_such_encoder/ } })

  const plan = await planSource(settingsOf(CARD), context)
  const stop = new AbortController()
  const first = Promise.withResolvers<undefined>()
  await using stopped = await plan.open(() => first.resolve(undefined), stop.signal)
  await first.promise
  stop.abort()
  t.same(await stopped.closed, { code: 'done' })
})
