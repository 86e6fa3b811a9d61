import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import t from 'tap'
import { CELL_HEIGHT, CELL_WIDTH, decodeCell, encodeCell } from './calibration-layout.ts'
import { readSlidePosition } from './calibration-reader.ts'
import { drawCalibrationSlide } from './calibration-slide.ts'
import { findFfmpeg } from './ffmpeg-binaries.ts'
import { i420Bytes, Specimen } from './specimen.ts'

const run = promisify(execFile)
const [SLIDE_WIDTH, SLIDE_HEIGHT] = [CELL_WIDTH * 18, CELL_HEIGHT * 17]
const specimen = new Specimen(drawCalibrationSlide(SLIDE_WIDTH, SLIDE_HEIGHT))
const [WIDTH, HEIGHT] = [640, 400]

/** A reproducible sequence of numbers from 0 to 1. @see "Numerical Recipes", 2nd edition, section 7.1 */
function* sequence(): Generator<number, never> {
  for (let state = 1; ;) yield (state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0) / 2 ** 32
}
const random = sequence()
const below = (limit: number): number => Math.floor(random.next().value * limit)

function view(x: number, y: number, level = 0): Uint8Array {
  const picture = new Uint8Array(i420Bytes(WIDTH, HEIGHT))
  specimen.draw({ level, x, y, width: WIDTH, height: HEIGHT, detail: level }, picture)
  return picture
}

t.test('any 640x400 pixels say where they are, to the pixel', async t => {
  const wrong: unknown[] = []
  for (let trial = 0; trial < 400; trial++) {
    const position = { x: below(SLIDE_WIDTH - WIDTH), y: below(SLIDE_HEIGHT - HEIGHT) }
    const read = readSlidePosition(view(position.x, position.y), WIDTH, HEIGHT)
    if (read?.x !== position.x || read.y !== position.y) wrong.push({ position, read })
  }
  t.same(wrong, [])
})

t.test('a view over the end of the slide is read modulo the slide', async t => {
  const { x, y } = readSlidePosition(view(SLIDE_WIDTH - 300, SLIDE_HEIGHT - 100), WIDTH, HEIGHT)!
  t.same([(x + SLIDE_WIDTH) % SLIDE_WIDTH, (y + SLIDE_HEIGHT) % SLIDE_HEIGHT], [SLIDE_WIDTH - 300, SLIDE_HEIGHT - 100])
})

t.test('coarser objectives are read, too', async t => {
  for (const [level, shrink] of [[1, 2], [2, 4]] as const) {
    for (let trial = 0; trial < 50; trial++) {
      const position = { x: below(SLIDE_WIDTH / shrink - WIDTH), y: below(SLIDE_HEIGHT / shrink - HEIGHT) }
      t.same(readSlidePosition(view(position.x, position.y, level), WIDTH, HEIGHT, shrink), { x: position.x * shrink, y: position.y * shrink })
    }
  }
})

t.test('positions survive H.264 at a poor rate', async t => {
  const root = await mkdtemp(join(tmpdir(), 'kenkyo-calibration-'))
  t.teardown(() => rm(root, { recursive: true }))
  const { ffmpeg } = await findFfmpeg({ ffmpeg: process.env['KENKYO_FFMPEG'] })
  const positions = Array.from({ length: 24 }, () => ({ x: below(SLIDE_WIDTH - WIDTH), y: below(SLIDE_HEIGHT - HEIGHT) }))
  const [raw, encoded, decoded] = ['raw.yuv', 'encoded.h264', 'decoded.yuv'].map(name => join(root, name)) as [string, string, string]
  await writeFile(raw, Buffer.concat(positions.map(({ x, y }) => view(x, y))))
  const format = ['-f', 'rawvideo', '-pix_fmt', 'yuv420p', '-s', `${WIDTH}x${HEIGHT}`]
  await run(ffmpeg, ['-v', 'error', ...format, '-r', '15', '-i', raw, '-c:v', 'libx264', '-preset', 'ultrafast', '-tune', 'zerolatency', '-qp', '38', '-bf', '0', encoded])
  await run(ffmpeg, ['-v', 'error', '-i', encoded, ...format, decoded])
  const pixels = await readFile(decoded)
  const size = i420Bytes(WIDTH, HEIGHT)
  t.same(positions.map((_, index) => readSlidePosition(pixels.subarray(index * size), WIDTH, HEIGHT)), positions)
})

t.test('what is no calibration slide says nothing', async t => {
  t.equal(readSlidePosition(new Uint8Array(WIDTH * HEIGHT).fill(120), WIDTH, HEIGHT), undefined, 'grey')
  t.equal(readSlidePosition(Uint8Array.from({ length: WIDTH * HEIGHT }, () => below(256)), WIDTH, HEIGHT), undefined, 'noise')
  t.equal(readSlidePosition(view(10, 10), 100, 100), undefined, 'too small')
})

t.test('codes carry large coordinates', async t => {
  for (const cell of [{ column: 0, row: 0 }, { column: 29, row: 28 }, { column: 4095, row: 2748 }]) t.same(decodeCell(encodeCell(cell)), cell)
})
