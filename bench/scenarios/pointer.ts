import { z } from 'zod'
import { systemClock } from '../../relay/runtime/clock.ts'
import { numeric } from '../../relay/runtime/config.ts'
import { RelayFault } from '../../relay/wire/fault.ts'
import { millis } from '../../relay/wire/units.ts'
import { BROWSER, LINES } from '../all/needs.ts'
import { BrowserViewer } from '../chromium.ts'
import { symmetricLine } from '../lines/profiles.ts'
import { FigureSheet } from '../report.ts'
import { NetworkedScene } from '../scene/networked-scene.ts'
import { seededRandom } from './viewport-renditions.ts'
import type { Measurement } from '../report.ts'
import type { BenchContext, Scenario } from './scenario.ts'

const Options = z.strictObject({
  moves: numeric(z.int().min(10).max(5000)).optional(),
  roundTripMillis: numeric(z.number().min(0).max(2000)).default(40),
})

const WINDOW = { width: 1280, height: 720 }
/** A small picture: two browsers that decode 8K without hardware on one machine would measure that machine. */
const SOURCE = ['--source', 'stage', '--specimen', 'calibration', '--width', '1280', '--height', '720', '--columns', '2', '--rows', '2', '--frames-per-second', '5']
/** From the first picture until everything has settled. */
const SETTLE = millis(2000)
/** Between two moves: as a hand moves and rests. Random, so that no period of any part is met. */
const PAUSE = { least: 40, most: 260 }
/** How long the last pointers may take. */
const LAST = millis(1500)
/** On top of the path, in seconds. */
const BOUND = 0.1

/** A move of the pointer, when its event was handled in the page. */
interface Moved {
  readonly x: number
  readonly y: number
  readonly atMs: number
}

type Page = BrowserViewer['page']

/** Notes when pointer events reach the page, before the viewer handles them. Both pages share this machine's clock. */
function noteMoves(page: Page): Promise<void> {
  return page.evaluate(() => {
    const moves: { x: number; y: number; atMs: number }[] = []
    Object.assign(globalThis, { moves })
    globalThis.addEventListener('pointermove', event => moves.push({ x: event.clientX, y: event.clientY, atMs: performance.timeOrigin + performance.now() }), { capture: true })
  })
}

const readMoves = (page: Page): Promise<Moved[]> => page.evaluate(() => (globalThis as never as { moves: Moved[] }).moves)

async function run(flags: Readonly<Record<string, unknown>>, context: BenchContext): Promise<Measurement> {
  const result = Options.safeParse(flags)
  if (!result.success) throw new RelayFault('bad_config', z.prettifyError(result.error))
  const { roundTripMillis } = result.data
  const { moves = context.isQuick ? 60 : 300 } = result.data
  const { signal } = context
  const sheet = new FigureSheet()
  await using scene = await NetworkedScene.open({
    microscopeLine: symmetricLine({ roundTripMillis: 0, lossRatio: 0 }),
    viewerLine: symmetricLine({ roundTripMillis, lossRatio: 0 }),
    agentArguments: SOURCE,
    window: WINDOW, sheet, isQuick: context.isQuick, signal,
  })
  await using other = await BrowserViewer.open(await scene.node.invite('viewer', 'other'), WINDOW, scene.node.browserPastLines())
  await other.until('the first picture', ({ shown }) => shown !== null, 60)
  const wait = (duration: number): Promise<void> => Promise.race([systemClock.sleep(millis(duration), signal), scene.failed])
  await wait(SETTLE)
  const random = seededRandom(1)
  await noteMoves(scene.viewer.page)
  for (let move = 0; move < moves; move++) {
    // Every place once, so that it says which move it was.
    await scene.viewer.page.mouse.move(200 + (move % 800), 150 + Math.floor(move / 800) * 20)
    await wait(PAUSE.least + random() * (PAUSE.most - PAUSE.least))
  }
  await wait(LAST)
  const moved = await readMoves(scene.viewer.page)
  const { pointing: { log } } = await other.inspect()
  const { viewport, canvas } = await scene.viewer.inspect()
  if (viewport === null) throw new RelayFault('unavailable', 'there is no picture to point at')
  const fit = { x: canvas.width / 2 - (viewport.x + viewport.width / 2) * viewport.scale, y: canvas.height / 2 - (viewport.y + viewport.height / 2) * viewport.scale }
  const heard: number[] = []
  const drawn: number[] = []
  for (const { at, heardAtMs, drawnAtMs } of log) {
    const [x, y] = [at.x * viewport.scale + fit.x, at.y * viewport.scale + fit.y]
    const move = moved.find(each => Math.abs(each.x - x) < 0.4 && Math.abs(each.y - y) < 0.4)
    if (move === undefined) continue
    heard.push((heardAtMs - move.atMs) / 1000)
    if (drawnAtMs !== null) drawn.push((drawnAtMs - move.atMs) / 1000)
  }
  const oneWay = roundTripMillis / 2000
  const note = `from the pointer event in one Chromium to its pointer's being in the other's page before the next paint; ${roundTripMillis} ms RTT on the first one's line, the other beside the node, whose line is memory; both show a picture of 1280x720 at 5 frames per second`
  sheet.add({ name: 'pointer_seconds', unit: 's', note }, drawn)
  const p95 = sheet.figures.at(-1)?.p95 ?? Infinity
  if (drawn.length > 0) sheet.add({ name: 'pointer_p95_seconds', unit: 's', value: p95, goal: { relation: '<=', bound: BOUND + oneWay }, note: '100 ms plus the path, one way' }, drawn)
  sheet.add({ name: 'pointer_heard_seconds', unit: 's', note: 'the same, to the arrival of the notification' }, heard)
  sheet.add({ name: 'path_seconds', unit: 's', note: 'of the path, one way, as set; how exactly it is emulated is above' }, [oneWay])
  sheet.add({ name: 'pointers_seen_ratio', unit: 'ratio', note: `${heard.length} of ${moves} moves; the others were overtaken by the next one` }, [heard.length / moves])
  return { parameters: { moves, roundTripMillis }, figures: sheet.figures, samples: sheet.samples, warnings: sheet.warnings }
}

/** How soon others see where somebody points. */
export const pointer: Scenario = {
  name: 'pointer',
  needs: [...LINES, ...BROWSER],
  summary: 'From a pointer\'s move in one Chromium to its being drawn in another, over an emulated line.',
  configure: command =>
    command
      .option('--moves <n>', 'of the pointer (default 300; quick 60)')
      .option('--round-trip-millis <ms>', 'of the line of who points (default 40)'),
  run,
}
