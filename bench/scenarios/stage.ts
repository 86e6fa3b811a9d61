import { mkdtemp, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { z } from 'zod'
import { systemClock } from '../../relay/runtime/clock.ts'
import { numeric } from '../../relay/runtime/config.ts'
import { RelayFault } from '../../relay/wire/fault.ts'
import { millis } from '../../relay/wire/units.ts'
import { BROWSER, LINES } from '../all/needs.ts'
import { BrowserViewer } from '../chromium.ts'
import { symmetricLine } from '../lines/profiles.ts'
import { readShownPosition } from '../picture/shown-position.ts'
import { isTelling, ReferenceSlide } from '../picture/slide-position.ts'
import { FigureSheet } from '../report.ts'
import { NetworkedScene } from '../scene/networked-scene.ts'
import { FULL_SLIDE, writeSyntheticSlide } from '../slides/synthetic-slide.ts'
import { seededRandom } from './viewport-renditions.ts'
import type { Inspection, KenkyoHandle } from '../../clients/viewer/inspect.ts'
import type { StageTarget } from '../../relay/wire/stage.ts'
import type { Measurement } from '../report.ts'
import type { BenchContext, Scenario } from './scenario.ts'

const Options = z.strictObject({
  slide: z.string().min(1).optional(),
  commands: numeric(z.int().min(1).max(1000)).optional(),
  roundTripMillis: numeric(z.number().min(0).max(2000)).default(40),
  framesPerSecond: numeric(z.int().min(1).max(60)).default(15),
  width: numeric(z.int().min(640).max(7680).multipleOf(64)).default(7680),
  height: numeric(z.int().min(360).max(4320).multipleOf(8)).default(4320),
  seed: numeric(z.int()).default(20_261_124),
})
type Options = z.infer<typeof Options>

/** A real slide, where this project's data are kept beside it. */
const REAL_SLIDE = resolve(import.meta.dirname, '../../../shared/data/CMU-1-Small-Region.svs')
const WINDOW = { width: 1280, height: 720 }
/** What has to be tissue around a position, in pixels. */
const PATCH = 256
/** Standard deviation of brightness at places that are chosen: what little there is in faint ones, an encoder may leave out. */
const PLACE_CONTRAST = 20
/** From the first sharp picture until everything has settled, and from one answer to the next command. */
const SETTLE = millis(3000)
const PAUSE = millis(500)
const ANSWER_SECONDS = 20
/** The lines have no rate of their own; on busy cores, finding that out takes minutes. */
const UPLINK_BITS_PER_SECOND = 200_000_000

interface Place {
  readonly x: number
  readonly y: number
}

/** Positions with tissue in the middle of the picture, in pixels of the slide. */
async function choosePlaces(reference: ReferenceSlide, count: number, seed: number): Promise<Place[]> {
  const random = seededRandom(seed)
  const places: Place[] = []
  for (let attempt = 0; places.length < count; attempt++) {
    if (attempt > 200 * count) throw new RelayFault('bad_slide', 'there is too little tissue on the slide')
    const place = { x: Math.floor(random() * (reference.width - PATCH) + PATCH / 2), y: Math.floor(random() * (reference.height - PATCH) + PATCH / 2) }
    if (isTelling(await reference.cut(place.x - PATCH / 2, place.y - PATCH / 2, PATCH, PATCH), PLACE_CONTRAST)) places.push(place)
  }
  return places
}

type ViewerGlobal = typeof globalThis & { readonly kenkyo: Pick<KenkyoHandle, 'claimStage' | 'moveStage'> }

/** Sends the stage there. @returns When, in milliseconds since the epoch on the page's clock. */
const command = (viewer: BrowserViewer, target: StageTarget): Promise<number> =>
  viewer.page.evaluate(to => {
    const at = performance.timeOrigin + performance.now()
    ;(globalThis as ViewerGlobal).kenkyo.moveStage(to)
    return at
  }, target)

/** Takes the stage, at an instant on the page's clock that another page may use, too. */
const claim = (viewer: BrowserViewer, atMs = 0): Promise<void> =>
  viewer.page.evaluate(async at => {
    const now = (): number => performance.timeOrigin + performance.now()
    if (at > now()) await new Promise(resolve => setTimeout(resolve, at - now() - 5))
    while (now() < at);
    await (globalThis as ViewerGlobal).kenkyo.claimStage()
  }, atMs)

/** Two viewers take the stage in the same instant, again and again. @returns Of each round, how many held it then, by what each was told. */
async function contend(first: BrowserViewer, second: BrowserViewer, rounds: number): Promise<number[]> {
  const holders: number[] = []
  for (let round = 0; round < rounds; round++) {
    const at = Date.now() + 500
    await Promise.all([claim(first, at), claim(second, at)])
    const [a, b] = [await first.until('a holder', ({ stage }) => stage?.holder != null, ANSWER_SECONDS), await second.until('a holder', ({ stage }) => stage?.holder != null, ANSWER_SECONDS)]
    holders.push([a, b].filter(({ stage }) => stage?.isMine === true).length)
    const holder = a.stage?.isMine === true ? first : second
    await holder.page.getByRole('button', { name: 'Give it back' }).click()
    for (const viewer of [first, second]) await viewer.until('nobody', ({ stage }) => stage?.holder === null, ANSWER_SECONDS)
  }
  return holders
}

/** The first picture drawn that was taken with the stage there, if it was drawn yet. */
function firstDrawn({ stage, drawLog }: Inspection, { x, y }: Place): Inspection['drawLog'][number] | undefined {
  if (stage === null || stage.isMoving || stage.rtpTimestamp === null) return undefined
  const { rtpTimestamp } = stage
  if (Math.abs(stage.x - x) > 1e-6 || Math.abs(stage.y - y) > 1e-6) return undefined
  return drawLog.find(drawn => ((drawn.rtpTimestamp - rtpTimestamp) | 0) >= 0)
}

interface LoopRun {
  /** From a command to the first picture that shows it, in seconds. */
  readonly closedLoop: number[]
  /** How far from where it was commanded each position was shown, in pixels; only those that could be read. */
  readonly errors: number[]
  readonly commands: number
  readonly correlations: number[]
}

/** Commands one place after the other, and reads back each from the pixels. */
async function runLoop(scene: NetworkedScene, reference: ReferenceSlide, places: readonly Place[], context: BenchContext): Promise<LoopRun> {
  const { viewer } = scene
  const { stage } = await viewer.inspect()
  const micrometresPerPixel = stage?.objectives[0]?.micrometresPerPixel
  if (micrometresPerPixel === undefined) throw new RelayFault('unavailable', 'there is no stage')
  await claim(viewer)
  const run: LoopRun = { closedLoop: [], errors: [], commands: places.length, correlations: [] }
  for (const [index, place] of places.entries()) {
    const target = { x: place.x * micrometresPerPixel, y: place.y * micrometresPerPixel }
    const commandedAt = await command(viewer, target)
    const inspection = await viewer.until(`the stage at ${place.x}, ${place.y}`, state => firstDrawn(state, target) !== undefined, ANSWER_SECONDS)
    const drawn = firstDrawn(inspection, target)
    if (drawn === undefined) throw new Error('what was found before is there')
    run.closedLoop.push((drawn.drawnAtMs - commandedAt) / 1000)
    const shown = await readShownPosition(viewer, reference, place, drawn.rtpTimestamp)
    if (shown !== undefined) {
      run.errors.push(Math.max(Math.abs(shown.x - place.x), Math.abs(shown.y - place.y)))
      run.correlations.push(shown.correlation)
    }
    context.say(`${index + 1} of ${places.length}: ${((drawn.drawnAtMs - commandedAt) / 1000).toFixed(3)} s, ${shown === undefined ? 'not found in the pixels' : `shown ${shown.x - place.x}, ${shown.y - place.y} px off`}`)
    await Promise.race([systemClock.sleep(PAUSE, context.signal), scene.failed])
  }
  return run
}

/** A second viewer, next to the node, and the first one want the stage at once. */
async function contention(scene: NetworkedScene, { isQuick, say }: BenchContext): Promise<number[]> {
  await scene.viewer.page.getByRole('button', { name: 'Give it back' }).click()
  await using other = await BrowserViewer.open(await scene.node.invite('viewer', 'other'), { width: 640, height: 360 }, scene.node.browserPastLines())
  await other.until('the stage', ({ stage }) => stage !== null, 60)
  say('two viewers contend for the stage')
  return await contend(scene.viewer, other, isQuick ? 3 : 10)
}

/** The slide asked for, the real one, or one that is made. */
async function slidePath(asked: string | undefined, directory: string): Promise<string> {
  if (asked !== undefined) return resolve(asked)
  const isThere = await stat(REAL_SLIDE).then(() => true, () => false)
  if (isThere) return REAL_SLIDE
  const path = join(directory, 'synthetic.svs')
  await writeSyntheticSlide(path, { ...FULL_SLIDE, width: 12_000, height: 9000 })
  return path
}

async function run(flags: Readonly<Record<string, unknown>>, context: BenchContext): Promise<Measurement> {
  const result = Options.safeParse(flags)
  if (!result.success) throw new RelayFault('bad_config', z.prettifyError(result.error))
  const options: Options = result.data
  const { commands = context.isQuick ? 4 : 40, roundTripMillis, framesPerSecond, width, height, seed } = options
  await using scope = new AsyncDisposableStack()
  const directory = await mkdtemp(join(tmpdir(), 'kenkyo-stage-bench-'))
  scope.defer(() => rm(directory, { recursive: true, force: true }))
  const slide = await slidePath(options.slide, directory)
  const reference = await ReferenceSlide.open(slide)
  const places = await choosePlaces(reference, commands, seed)
  const sheet = new FigureSheet()
  const line = symmetricLine({ roundTripMillis: roundTripMillis / 2 })
  const scene = scope.use(await NetworkedScene.open({
    microscopeLine: line, viewerLine: line, window: WINDOW, sheet, isQuick: context.isQuick, signal: context.signal,
    agentArguments: ['--source', 'slide', '--slide', slide, '--uplink-bitrate', String(UPLINK_BITS_PER_SECOND), '--width', String(width), '--height', String(height), '--frames-per-second', String(framesPerSecond)],
  }))
  await scene.viewer.view({ x: width / 2, y: height / 2, scale: 1 })
  await scene.viewer.until('a sharp picture', ({ truth }) => truth.kind === 'native', 60)
  await Promise.race([systemClock.sleep(SETTLE, context.signal), scene.failed])
  const { closedLoop, errors, correlations } = await runLoop(scene, reference, places, context)
  const holders = await contention(scene, context)
  const how = `${roundTripMillis} ms RTT over both lines together, half on each; ${width}x${height} at up to ${framesPerSecond} frames per second`
  sheet.add({ name: 'closed_loop_seconds', unit: 's', note: `from the command in the browser to the first picture drawn with the stage there, its travel included; ${how}` }, closedLoop)
  sheet.add({ name: 'position_error_pixels', unit: 'pixels', value: Math.max(0, ...errors), note: 'largest; from the pixels on the canvas, found on the slide as libvips decodes it', goal: { relation: '<=', bound: 0 } }, errors)
  sheet.add({ name: 'positions_read_ratio', unit: 'ratio', value: errors.length / places.length, note: `${errors.length} of ${places.length} positions were found in the pixels`, goal: { relation: '>=', bound: 1 } }, places.map((_, index) => (index < errors.length ? 1 : 0)))
  sheet.add({ name: 'position_correlation', unit: 'ratio', note: 'of the picture with the slide where it was found' }, correlations)
  const alone = holders.filter(count => count === 1).length
  sheet.add({ name: 'one_holder_ratio', unit: 'ratio', value: alone / holders.length, note: `${alone} of ${holders.length} times that two viewers took the stage in the same millisecond, exactly one held it`, goal: { relation: '>=', bound: 1 } }, holders)
  return { parameters: { slide: options.slide === undefined ? (slide === REAL_SLIDE ? 'CMU-1-Small-Region.svs' : 'synthetic') : 'as asked', commands, roundTripMillis, framesPerSecond, width, height, seed }, figures: sheet.figures, samples: sheet.samples, warnings: sheet.warnings }
}

/** How long a stage takes to be seen where it was told to go, and whether it is there. */
export const stage: Scenario = {
  name: 'stage',
  needs: [...LINES, ...BROWSER],
  summary: 'The virtual microscope steered from real Chromium over an emulated path: when a command is seen, and where, read from the pixels.',
  configure: cli =>
    cli
      .option('--slide <file>', 'on the stage (default: a real one where it is there, else a synthetic one)')
      .option('--commands <n>', 'positions commanded (default 40; quick 4)')
      .option('--round-trip-millis <ms>', 'of the path from the browser to the microscope (default 40)')
      .option('--frames-per-second <n>', 'of the microscope, at most (default 15)')
      .option('--width <pixels>', 'of its image (default 7680)')
      .option('--height <pixels>', 'of its image (default 4320)')
      .option('--seed <n>', 'of the positions'),
  run,
}
