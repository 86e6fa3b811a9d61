import { z } from 'zod'
import { systemClock } from '../../relay/runtime/clock.ts'
import { numeric } from '../../relay/runtime/config.ts'
import { RelayFault } from '../../relay/wire/fault.ts'
import { millis } from '../../relay/wire/units.ts'
import { demoRecording } from '../../scripts/demo/record.ts'
import { BROWSER, MEASURED_LINES } from '../all/needs.ts'
import { symmetricLine } from '../lines/profiles.ts'
import { FigureSheet } from '../report.ts'
import { NetworkedScene } from '../scene/networked-scene.ts'
import { seededRandom } from './viewport-renditions.ts'
import type { ViewerWindow } from '../chromium.ts'
import type { Measurement } from '../report.ts'
import type { BenchContext, Scenario } from './scenario.ts'

const Options = z.strictObject({
  pans: numeric(z.int().min(1).max(10_000)).optional(),
  jumps: numeric(z.int().min(0).max(10_000)).optional(),
  roundTripMillis: numeric(z.number().min(0).max(2000)).default(40),
  recording: z.string().min(1).optional(),
  seed: numeric(z.int()).default(20_261_122),
})

const WINDOW = { width: 1920, height: 1080 }
/** Software draws it in half of the time, and what a drag takes is drawing. */
const QUICK_WINDOW = { width: 1280, height: 720 }
/** A drag of so many pixels, at most so much of the window, in so many steps of one animation frame or more. */
const DRAG_PIXELS = { min: 500, max: 1300 }
const DRAG_SHARE = 0.9
const DRAG_STEPS = 20
const DRAG_STEP_MILLIS = 16
/** Every tile that was in view is sharp by then, or counts as abandoned when the view moves on. */
const PATIENCE_MILLIS = 3000
/** People look before they move on. */
const LOOK_MILLIS = { min: 300, max: 800 }

type Kind = 'drag' | 'jump'

interface Timing {
  readonly renditionId: string
  readonly enteredAtMs: number
  readonly sharpAtMs: number
}

/** Moves the view again and again, and gathers how long each tile that came into view took to be sharp. */
class Panning {
  readonly seconds: Record<Kind, number[]> = { drag: [], jump: [] }
  unsharp = 0
  readonly #scene: NetworkedScene
  readonly #window: ViewerWindow
  readonly #random: () => number
  readonly #signal: AbortSignal
  readonly #seen = new Set<string>()

  constructor(scene: NetworkedScene, window: ViewerWindow, seed: number, signal: AbortSignal) {
    this.#scene = scene
    this.#window = window
    this.#random = seededRandom(seed)
    this.#signal = signal
  }

  async move(kind: Kind): Promise<void> {
    const { viewer } = this.#scene
    await (kind === 'drag' ? this.#drag() : this.#jump())
    const deadline = performance.now() + PATIENCE_MILLIS
    let state = await viewer.inspect()
    while (state.tilesPending > 0 && performance.now() < deadline) {
      await this.#wait(30)
      state = await viewer.inspect()
    }
    this.unsharp += state.tilesPending
    this.#take(kind, state.tileTimings)
    await this.#wait(this.#between(LOOK_MILLIS))
  }

  /** What came before the first move is no pan. */
  async forget(): Promise<void> {
    this.#take('jump', (await this.#scene.viewer.inspect()).tileTimings)
    this.seconds.jump.length = 0
  }

  #take(kind: Kind, timings: readonly Timing[]): void {
    for (const { renditionId, enteredAtMs, sharpAtMs } of timings) {
      const key = `${renditionId} ${enteredAtMs}`
      if (this.#seen.has(key)) continue
      this.#seen.add(key)
      this.seconds[kind].push((sharpAtMs - enteredAtMs) / 1000)
    }
  }

  /** With the mouse, as people do. Away from the border that is nearer, so that there is something to come. */
  async #drag(): Promise<void> {
    const { viewer } = this.#scene
    const { viewport, image } = await viewer.inspect()
    if (viewport === null || image === null) throw new RelayFault('unavailable', 'the viewer has no view')
    const angle = this.#random() * 2 * Math.PI
    const { width, height } = this.#window
    const asked = this.#between(DRAG_PIXELS)
    // It begins and ends within the window.
    const length = Math.min(asked, (DRAG_SHARE * width) / Math.abs(Math.cos(angle)), (DRAG_SHARE * height) / Math.abs(Math.sin(angle)))
    const turn = (position: number, extent: number, whole: number, by: number): number =>
      position - by < 0 ? -Math.abs(by) : position + extent - by > whole ? Math.abs(by) : by
    const dx = turn(viewport.x, viewport.width, image.width, length * Math.cos(angle))
    const dy = turn(viewport.y, viewport.height, image.height, length * Math.sin(angle))
    const from = { x: (width - dx) / 2, y: (height - dy) / 2 }
    const { mouse } = viewer.page
    await mouse.move(from.x, from.y)
    await mouse.down()
    for (let step = 1; step <= DRAG_STEPS; step++) {
      // Ease in and out: hands have mass.
      const way = 0.5 - 0.5 * Math.cos((Math.PI * step) / DRAG_STEPS)
      await Promise.all([mouse.move(from.x + dx * way, from.y + dy * way), this.#wait(DRAG_STEP_MILLIS)])
    }
    await mouse.up()
  }

  /** To somewhere else at once: nothing can be foreseen. */
  async #jump(): Promise<void> {
    const { viewer } = this.#scene
    const { image } = await viewer.inspect()
    if (image === null) throw new RelayFault('unavailable', 'the viewer has no image')
    await viewer.view({ x: this.#random() * image.width, y: this.#random() * image.height, scale: 1 })
  }

  #between({ min, max }: { readonly min: number; readonly max: number }): number {
    return min + this.#random() * (max - min)
  }

  #wait(duration: number): Promise<void> {
    return Promise.race([systemClock.sleep(millis(duration), this.#signal), this.#scene.failed])
  }
}

async function run(flags: Readonly<Record<string, unknown>>, context: BenchContext): Promise<Measurement> {
  const result = Options.safeParse(flags)
  if (!result.success) throw new RelayFault('bad_config', z.prettifyError(result.error))
  const { roundTripMillis, seed } = result.data
  const { pans = context.isQuick ? 3 : 200, jumps = context.isQuick ? 6 : 50 } = result.data
  const { say, signal } = context
  const recording = result.data.recording ?? (await demoRecording({ onProgress: say, signal }))
  const line = symmetricLine({ roundTripMillis: roundTripMillis / 2, name: 'half-path' })
  const sheet = new FigureSheet()
  const window = context.isQuick ? QUICK_WINDOW : WINDOW
  await using scene = await NetworkedScene.open({
    microscopeLine: line, viewerLine: line, window, sheet, isQuick: context.isQuick, signal,
    agentArguments: ['--source', 'recording', '--loop', '--input', recording],
  })
  const panning = new Panning(scene, window, seed, signal)
  await scene.viewer.view({ x: 3840, y: 2160, scale: 1 })
  await scene.viewer.until('a sharp picture', ({ truth }) => truth.kind === 'native', 30)
  await panning.forget()
  const before = await scene.viewer.inspect()
  for (let pan = 1; pan <= pans; pan++) {
    await panning.move('drag')
    if (pan % 20 === 0) say(`${pan} of ${pans} pans`)
  }
  for (let jump = 1; jump <= jumps; jump++) await panning.move('jump')
  const after = await scene.viewer.inspect()
  const { drag, jump } = panning.seconds
  const path = `${roundTripMillis} ms RTT from the browser to the microscope, half of it on each side of the node; samples are tiles`
  sheet.add({ name: 'pan_to_sharp_seconds', unit: 's', note: `from a tile's entering the view in ${pans} drags; ${path}`, goal: { relation: '<=', bound: 0.3 } }, drag)
  sheet.add({ name: 'jump_to_sharp_seconds', unit: 's', note: `the same in ${jumps} jumps, which nothing foresees`, goal: { relation: '<=', bound: 0.3 } }, jump)
  sheet.add({ name: 'tiles_abandoned_total', unit: 'tiles', note: 'left the view before they were sharp: not among the samples' }, [after.tilesAbandoned - before.tilesAbandoned])
  sheet.add({ name: 'tiles_unsharp_total', unit: 'tiles', note: `not sharp ${PATIENCE_MILLIS / 1000} s after the view rested` }, [panning.unsharp])
  sheet.add({ name: 'drawn_frames_per_second', unit: '1/s', note: 'at the end, in software GL; a tile is sharp when it is drawn' }, [after.framesPerSecond])
  return {
    parameters: { pans, jumps, window: `${window.width}x${window.height}`, roundTripMillis, seed, recording, lines: scene.network.description },
    figures: sheet.figures, samples: sheet.samples, warnings: sheet.warnings,
  }
}

/** How long people wait for detail. */
export const detail: Scenario = {
  name: 'detail',
  needs: [...MEASURED_LINES, ...BROWSER],
  summary: 'Pan in real Chromium over an emulated path: from a tile entering the view to its first sharp pixels.',
  configure: command =>
    command
      .option('--pans <n>', 'drags with the mouse (default 200; quick 3, in a smaller window)')
      .option('--jumps <n>', 'jumps to random places (default 50; quick 6)')
      .option('--round-trip-millis <ms>', 'of the path from the browser to the microscope (default 40)')
      .option('--recording <directory>', 'what the microscope plays (default: the demo)')
      .option('--seed <n>', 'of all random choices'),
  run,
}
