/** Makes `recorded-shapes.json`: frame sizes of the demo's recording, and of the same scene encoded as one stream. Takes minutes. */
import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { findFfmpeg } from '../../clients/capture/ffmpeg-binaries.ts'
import { loadRecording } from '../../clients/capture/recording.ts'
import { OVERVIEW } from '../../relay/wire/ids.ts'
import { tilePosition } from '../../relay/wire/pyramid.ts'
import { DEMO_SCENE, demoInput } from '../../scripts/demo/demo-scene.ts'
import { drawField } from '../../scripts/demo/field.ts'
import { demoRecording } from '../../scripts/demo/record.ts'
import type { RecordedShapes } from './traffic-shape.ts'

const run = promisify(execFile)
const WHOLE_BITS_PER_SECOND = 90_000_000
/** Encoders begin with a keyframe all at once, and without knowing the scene: no line sees that again. */
const BEGINNING_IMAGES = DEMO_SCENE.framesPerSecond
const { signal } = new AbortController()
const say = (line: string): void => void process.stderr.write(`${line}\n`)

const { pyramid, images } = await loadRecording(await demoRecording({ onProgress: say, signal }))
const chosen = pyramid.renditions.filter(({ id }) => id === OVERVIEW || tilePosition(id) !== undefined).map(({ id }) => id)
const sizes = Object.fromEntries(
  chosen.map(id => [id, images.slice(BEGINNING_IMAGES).map(frames => frames.find(({ renditionId }) => renditionId === id)?.payloads.reduce((sum, payload) => sum + payload.length, 0) ?? 0)]),
)

const directory = await mkdtemp(join(tmpdir(), 'kenkyo-shapes-'))
try {
  const field = join(directory, 'field.rgb')
  await drawField(field, DEMO_SCENE.field, share => say(`drawing: ${Math.round(100 * share)} %`), signal)
  const { ffmpeg } = await findFfmpeg({ ffmpeg: process.env['KENKYO_FFMPEG'] })
  const scene = demoInput(field)
  const { options } = scene.open(signal)
  const frames = DEMO_SCENE.framesPerSecond * DEMO_SCENE.seconds
  say('encoding the whole image')
  const { stdout } = await run(ffmpeg, [
    '-v', 'error', ...options, '-i', field, '-vf', scene.filters, '-frames:v', String(frames), '-c:v', 'libx264', '-preset', 'superfast', '-tune', 'zerolatency',
    '-threads', String(availableParallelism()), '-sc_threshold', '0', '-b:v', String(WHOLE_BITS_PER_SECOND), '-maxrate', String(WHOLE_BITS_PER_SECOND),
    '-bufsize', String(WHOLE_BITS_PER_SECOND / 2), '-g', String(DEMO_SCENE.framesPerSecond), '-f', 'framecrc', '-',
  ], { maxBuffer: 2 ** 24 })
  const whole = stdout.split('\n').filter(line => /^\s*\d/.test(line)).map(line => Number(line.split(',')[4]))
  const shapes: RecordedShapes = {
    version: 1,
    note: `The demo scene, ${DEMO_SCENE.width}x${DEMO_SCENE.height}: overview and ${chosen.length - 1} tiles as the capture agent encodes them; the whole image by libx264 superfast, zerolatency, ${WHOLE_BITS_PER_SECOND / 1e6} Mbit/s, half a second of buffer, a keyframe each second. Without the first second, in which every encoder begins with a keyframe at once.`,
    framesPerSecond: DEMO_SCENE.framesPerSecond, pyramid: sizes, whole: whole.slice(BEGINNING_IMAGES),
  }
  await writeFile(new URL('recorded-shapes.json', import.meta.url), `${JSON.stringify(shapes)}\n`)
} finally {
  await rm(directory, { recursive: true, force: true })
}
