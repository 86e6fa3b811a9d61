import { t } from 'tap'
import { readSlidePosition } from '../../clients/capture/calibration-reader.ts'
import { SPECIMEN_MICROMETRES_PER_PIXEL } from '../../clients/capture/simulated-microscope.ts'
import { RawClient } from '../harness/raw-client.ts'
import { Stage as Scene } from '../harness/stage.ts'
import type { CanvasPixels } from '../../bench/chromium.ts'
import type { Inspection } from '../../clients/viewer/inspect.ts'
import type { StageTarget } from '../../relay/wire/stage.ts'

const CANVAS = { width: 1280, height: 720 }
const IMAGE = { width: 3840, height: 2160 }
const scene = await Scene.open(
  ['--source', 'stage', '--specimen', 'calibration', '--width', '3840', '--height', '2160', '--columns', '4', '--rows', '4', '--frames-per-second', '10'],
  CANVAS,
)
t.teardown(() => scene[Symbol.asyncDispose]())
const { viewer } = scene

/** Luma of limited range. @see Rec. ITU-R BT.709-6 item 3.2 */
function lumaOf({ data, width, height }: CanvasPixels): Uint8Array {
  const luma = new Uint8Array(width * height)
  for (let pixel = 0; pixel < luma.length; pixel++) {
    const [red = 0, green = 0, blue = 0] = data.subarray(4 * pixel, 4 * pixel + 3)
    luma[pixel] = 16 + (219 * (0.2126 * red + 0.7152 * green + 0.0722 * blue)) / 255
  }
  return luma
}

/** The slide position at the centre of the canvas, in micrometres, as its pixels say; once they are native and of the position commanded. */
async function shownPosition(): Promise<{ x: number; y: number } | undefined> {
  for (let attempt = 0; attempt < 30; attempt++) {
    const pixels = await viewer.capturePixels({ x: 0, y: 0, ...CANVAS })
    if (pixels.truth.pixels !== 'native') continue
    const topLeft = readSlidePosition(lumaOf(pixels), pixels.width, pixels.height)
    if (topLeft === undefined) continue
    return {
      x: (topLeft.x + CANVAS.width / 2) * SPECIMEN_MICROMETRES_PER_PIXEL,
      y: (topLeft.y + CANVAS.height / 2) * SPECIMEN_MICROMETRES_PER_PIXEL,
    }
  }
  return undefined
}

const command = (target: StageTarget): Promise<void> => viewer.page.evaluate(to => (globalThis as never as { kenkyo: { moveStage(target: StageTarget): void } }).kenkyo.moveStage(to), target)
const isAt = ({ x, y }: { x: number; y: number }) => ({ stage, shown }: Inspection): boolean =>
  stage !== null && !stage.isMoving && stage.x === x && stage.y === y && stage.rtpTimestamp !== null &&
  shown !== null && ((shown.rtpTimestamp - stage.rtpTimestamp) | 0) >= 0

t.test('the stage goes where it is told, and the pixels say so', async t => {
  await viewer.view({ x: IMAGE.width / 2, y: IMAGE.height / 2, scale: 1 })
  await viewer.until('a sharp picture', ({ truth }) => truth.kind === 'native', 60)
  const { stage } = await viewer.inspect()
  const targets = [[400, 300], [401, 300], [640.25, 411.5], [520, 389.75], [700, 250]].map(([x = 0, y = 0]) => ({ x, y }))
  t.ok(stage !== null && targets.every(({ x, y }) => x >= stage.travel.x.min && x <= stage.travel.x.max && y <= stage.travel.y.max), 'within its travel')
  for (const target of targets) {
    await command(target)
    await viewer.until(`the stage at ${target.x}, ${target.y}`, isAt(target), 30)
    t.same(await shownPosition(), target, `shown is ${target.x}, ${target.y}`)
  }
})

t.test('focus and objective change what is seen', async t => {
  await command({ focus: 60 })
  await viewer.until('out of focus', ({ stage }) => stage?.focus === 60 && !stage.isMoving, 30)
  await command({ focus: 0, objective: '10x' })
  await viewer.until('in focus under 10x', ({ stage }) => stage?.focus === 0 && stage.objective === '10x' && !stage.isMoving, 30)
  const read = async (): Promise<number | undefined> => {
    const pixels = await viewer.capturePixels({ x: 0, y: 0, ...CANVAS })
    return pixels.truth.pixels === 'native' ? readSlidePosition(lumaOf(pixels), pixels.width, pixels.height, 2)?.x : undefined
  }
  let x = await read()
  for (let attempt = 0; attempt < 60 && (x ?? -1) !== (700 / SPECIMEN_MICROMETRES_PER_PIXEL) - CANVAS.width; attempt++) x = await read()
  t.equal(x, 700 / SPECIMEN_MICROMETRES_PER_PIXEL - CANVAS.width, 'twice the field around the same point')
})

t.test('refuses what the stage cannot do, and tells the viewer', async t => {
  await command({ x: 999_999 })
  await viewer.until('the refusal', ({ stage }) => stage?.fault?.code === 'out_of_range')
  await using other = await RawClient.join(await scene.under.invite('viewer', { member: 'other' }))
  const { publicationId } = await viewer.inspect()
  t.equal(await other.refusal('moveStage', { publicationId, target: { objective: '63x' } }), 'out_of_range')
  t.equal(await other.refusal('moveStage', { publicationId, target: {} }), 'bad_message')
  t.equal(await other.refusal('moveStage', { publicationId, target: { x: 'NaN' } }), 'bad_message')
})

t.test('encodes nothing but what is watched', async t => {
  const before = await scene.under.metric('kenkyo_rendition_bytes_total', { direction: 'in', rendition: 'tile-0-0' })
  t.equal(before, 0, 'a corner that nobody looked at was never sent')
})
