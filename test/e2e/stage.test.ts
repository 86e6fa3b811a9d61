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
const claim = (): Promise<void> => viewer.page.evaluate(() => (globalThis as never as { kenkyo: { claimStage(): Promise<void> } }).kenkyo.claimStage())
const isAt = ({ x, y }: { x: number; y: number }) => ({ stage, shown }: Inspection): boolean =>
  stage !== null && !stage.isMoving && stage.x === x && stage.y === y && stage.rtpTimestamp !== null &&
  shown !== null && ((shown.rtpTimestamp - stage.rtpTimestamp) | 0) >= 0

t.test('the stage goes where it is told, and the pixels say so', async t => {
  await viewer.view({ x: IMAGE.width / 2, y: IMAGE.height / 2, scale: 1 })
  await viewer.until('a sharp picture', ({ truth }) => truth.kind === 'native', 60)
  await command({ x: 400 })
  t.match((await viewer.inspect()).stage, { isMine: false, fault: { code: 'wrong_state' } }, 'not before it was taken')
  await claim()
  const { stage } = await viewer.inspect()
  t.match(stage, { isMine: true, holder: { memberId: 'someone' }, fault: null })
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
  const rtpTimestamp = null
  t.equal(await other.refusal('moveStage', { publicationId, target: { x: 500 }, rtpTimestamp }), 'conflict')
  await viewer.page.getByRole('button', { name: 'Give it back' }).click()
  await other.find(({ type, holder }) => type === 'stageHeld' && holder === null)
  await other.ok('claimStage')
  t.equal(await other.refusal('moveStage', { publicationId, target: { objective: '63x' }, rtpTimestamp }), 'out_of_range')
  t.equal(await other.refusal('moveStage', { publicationId, target: {}, rtpTimestamp }), 'bad_message')
  t.equal(await other.refusal('moveStage', { publicationId, target: { x: 'NaN' }, rtpTimestamp }), 'bad_message')
  const { shown } = await viewer.inspect()
  t.equal(await other.refusal('moveStage', { publicationId, target: { x: 500 }, rtpTimestamp: ((shown?.rtpTimestamp ?? 0) + 900_000) % 2 ** 32 }), 'out_of_range', 'a frame from the future')
})

t.test('a stop stops the stage where it is, whoever holds it, and the hold is gone', async t => {
  await using other = await RawClient.join(await scene.under.invite('viewer', { member: 'other' }))
  await using technician = await RawClient.join(await scene.under.invite('technician', { member: 'hands' }))
  const { publicationId, stage } = await viewer.inspect()
  await other.ok('claimStage')
  // The focus motor is slow: it takes half a second for that.
  await other.ok('moveStage', { publicationId, target: { focus: stage?.travel.focus.max }, rtpTimestamp: null })
  await technician.ok('stopStage')
  await viewer.until('the stop', ({ stage: now }) => now?.isMoving === false && now.holder === null && now.stoppedBy?.memberId === 'hands', 10)
  const { stage: stopped } = await viewer.inspect()
  t.ok(stopped !== null && stage !== null && stopped.focus >= 0 && stopped.focus < stage.travel.focus.max, `at ${stopped?.focus}`)
  t.equal(await other.refusal('moveStage', { publicationId, target: { focus: 0 }, rtpTimestamp: null }), 'wrong_state')
  await claim()
  await command({ focus: 0 })
  await viewer.until('sharp again', ({ stage: now }) => now?.focus === 0 && !now.isMoving && now.stoppedBy === null, 10)
})

t.test('knows how long a command takes to come back as a picture', async t => {
  const { stage } = await viewer.inspect()
  await command({ x: (stage?.x ?? 0) + 5 })
  await viewer.until('a latency', ({ stage: now }) => (now?.closedLoopMillis.length ?? 0) > (stage?.closedLoopMillis.length ?? 0), 10)
  const { stage: measured } = await viewer.inspect()
  t.ok(measured?.closedLoopMillis.every(latency => latency > 0))
  t.ok(await viewer.page.getByText(/command to picture \d+ ms/).isVisible())
})

t.test('encodes nothing but what is watched', async t => {
  const before = await scene.under.metric('kenkyo_rendition_bytes_total', { direction: 'in', rendition: 'tile-0-0' })
  t.equal(before, 0, 'a corner that nobody looked at was never sent')
})
