import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { t } from 'tap'
import { readShownPosition } from '../../bench/picture/shown-position.ts'
import { ReferenceSlide } from '../../bench/picture/slide-position.ts'
import { SMALL_SLIDE, writeSyntheticSlide } from '../../bench/slides/synthetic-slide.ts'
import { Stage as Scene } from '../harness/stage.ts'
import type { Inspection } from '../../clients/viewer/inspect.ts'
import type { StageTarget } from '../../relay/wire/stage.ts'

const MICROMETRES_PER_PIXEL = 0.25
const IMAGE = { width: 2560, height: 1440 }
const root = await mkdtemp(join(tmpdir(), 'kenkyo-virtual-e2e-'))
t.teardown(() => rm(root, { recursive: true }))
const path = join(root, 'slide.svs')
await writeSyntheticSlide(path, { ...SMALL_SLIDE, periodTiles: 8, quality: 80 })
const reference = await ReferenceSlide.open(path)
const scene = await Scene.open(
  ['--source', 'slide', '--slide', path, '--width', String(IMAGE.width), '--height', String(IMAGE.height), '--columns', '4', '--rows', '4', '--frames-per-second', '10'],
  { width: 1280, height: 720 },
)
t.teardown(() => scene[Symbol.asyncDispose]())
const { viewer } = scene

const command = (target: StageTarget): Promise<void> => viewer.page.evaluate(to => (globalThis as never as { kenkyo: { moveStage(target: StageTarget): void } }).kenkyo.moveStage(to), target)
const claim = (): Promise<void> => viewer.page.evaluate(() => (globalThis as never as { kenkyo: { claimStage(): Promise<void> } }).kenkyo.claimStage())
const isAt = ({ x, y }: { x: number; y: number }) => ({ stage, shown }: Inspection): boolean =>
  stage !== null && !stage.isMoving && stage.x === x && stage.y === y && stage.rtpTimestamp !== null &&
  shown !== null && ((shown.rtpTimestamp - stage.rtpTimestamp) | 0) >= 0

t.test('a slide on the stage is shown where the stage was told to go, to the pixel', async t => {
  await viewer.view({ x: IMAGE.width / 2, y: IMAGE.height / 2, scale: 1 })
  await viewer.until('a sharp picture', ({ truth }) => truth.kind === 'native', 60)
  await claim()
  const { stage } = await viewer.inspect()
  t.same(stage?.objectives.map(({ name }) => name), ['40x', '20x', '10x', '5x', '2.5x'])
  for (const pixel of [{ x: 900, y: 900 }, { x: 901, y: 900 }, { x: 2100, y: 1103 }, { x: 1560, y: 377 }]) {
    const target = { x: pixel.x * MICROMETRES_PER_PIXEL, y: pixel.y * MICROMETRES_PER_PIXEL }
    await command(target)
    const { stage: reached } = await viewer.until(`the stage at ${target.x}, ${target.y}`, isAt(target), 30)
    const shown = await readShownPosition(viewer, reference, pixel, reached?.rtpTimestamp ?? 0)
    t.match(shown, pixel, `shown is ${pixel.x}, ${pixel.y}`)
  }
})

t.test('a weaker objective shows the same place smaller', async t => {
  await command({ objective: '20x' })
  const { stage } = await viewer.until('20x', state => state.stage?.objective === '20x' && !state.stage.isMoving && state.stage.rtpTimestamp !== null, 30)
  t.same([stage?.x, stage?.y], [390, 94.5], 'on whole pixels of it')
  t.match(await readShownPosition(viewer, reference, { x: 780, y: 189 }, stage?.rtpTimestamp ?? 0, 2), { x: 780, y: 189 })
})

t.test('no image that is marked as coarse is called anything else, and the stage names the first that is not', async t => {
  const seen: Pick<Inspection, 'shown' | 'truth'>[] = []
  await command({ objective: '40x' })
  for (const pixel of [{ x: 400, y: 500 }, { x: 2300, y: 1200 }, { x: 500, y: 1200 }]) {
    const target = { x: pixel.x * MICROMETRES_PER_PIXEL, y: pixel.y * MICROMETRES_PER_PIXEL }
    await command(target)
    const reached = await viewer.until(`the stage at ${target.x}, ${target.y}`, state => {
      seen.push(state)
      return isAt(target)(state)
    }, 30)
    t.equal((reached.stage?.rtpTimestamp ?? 1) % 2, 0)
  }
  const shown = seen.filter(({ shown: instant, truth }) => instant !== null && truth.kind !== 'stale' && truth.kind !== 'none')
  t.ok(shown.length > 0)
  for (const { shown: instant, truth } of shown) {
    const isCoarse = [instant?.overviewRtpTimestamp, ...(instant?.tiles ?? []).map(tile => tile.rtpTimestamp)].some(timestamp => (timestamp ?? 0) % 2 === 1)
    t.equal(truth.kind === 'coarse', isCoarse, `${truth.kind} at ${instant?.rtpTimestamp ?? 0}`)
  }
})
