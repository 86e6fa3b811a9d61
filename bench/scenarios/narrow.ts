import { z } from 'zod'
import { systemClock } from '../../relay/runtime/clock.ts'
import { numeric } from '../../relay/runtime/config.ts'
import { RelayFault } from '../../relay/wire/fault.ts'
import { OVERVIEW } from '../../relay/wire/ids.ts'
import { millis } from '../../relay/wire/units.ts'
import { demoRecording } from '../../scripts/demo/record.ts'
import { BROWSER, MEASURED_LINES } from '../all/needs.ts'
import { ReceiverProcess } from '../receiver/receiver-process.ts'
import { narrowUplink } from '../lines/profiles.ts'
import { FigureSheet } from '../report.ts'
import { NetworkedScene } from '../scene/networked-scene.ts'
import { randomView, renditionsInView, seededRandom } from './viewport-renditions.ts'
import type { KenkyoHandle } from '../../clients/viewer/inspect.ts'
import type { RenditionId } from '../../relay/wire/ids.ts'
import type { Measurement } from '../report.ts'
import type { BenchContext, Scenario } from './scenario.ts'

const Options = z.strictObject({
  seconds: numeric(z.int().min(5).max(3600)).optional(),
  uplinkBitrate: numeric(z.number().min(1e6).max(1e9)).default(40e6),
  others: numeric(z.int().min(0).max(8)).default(1),
  framesPerSecond: numeric(z.int().min(1).max(60)).default(20),
  recording: z.string().min(1).optional(),
  screenshot: z.string().min(1).optional(),
  seed: numeric(z.int()).default(20_261_122),
})

const WINDOW = { width: 1920, height: 1080 }
const ROUND_TRIP_MILLIS = 20
const SETTLE = millis(4000)
const POLL = millis(100)
const UPLINK_INTERVAL = millis(1000)
/** Slow panning back and forth over the field, in image pixels per second, and where it turns. */
const SPEED = { min: 100, max: 500 }

interface Samples {
  readonly native: number[]
  readonly withheld: number[]
  readonly named: number[]
  readonly gaps: number[]
  readonly uplink: number[]
}

/** Pans for a while, and writes down what the viewer says of itself. */
async function pan(scene: NetworkedScene, seconds: number, options: z.infer<typeof Options>, context: BenchContext): Promise<Samples> {
  const { viewer } = scene
  const random = seededRandom(options.seed)
  const samples: Samples = { native: [], withheld: [], named: [], gaps: [], uplink: [] }
  let position = { x: 3840, y: 2160 }
  let velocity = { x: 0, y: 0 }
  let turnAt = 0
  let lastDrawn = (await viewer.inspect()).drawLog.at(-1)?.drawnAtMs ?? 0
  let bytes = (await scene.network.counts('microscope')).up.deliveredBytes
  let at = performance.now()
  let countedAt = at
  const startedAt = at
  let saidAt = at
  let pictureTaken = false
  for (const end = at + seconds * 1000; at < end; ) {
    await Promise.race([systemClock.sleep(POLL, context.signal), scene.failed])
    const now = performance.now()
    const elapsed = (now - at) / 1000
    at = now
    if (now >= turnAt) {
      const angle = random() * 2 * Math.PI
      const speed = SPEED.min + random() * (SPEED.max - SPEED.min)
      velocity = { x: speed * Math.cos(angle), y: speed * Math.sin(angle) }
      turnAt = now + 1000 + 3000 * random()
    }
    position = { x: bounce(position.x + velocity.x * elapsed, 7680), y: bounce(position.y + velocity.y * elapsed, 4320) }
    await viewer.view({ ...position, scale: 1 })
    const state = await viewer.page.evaluate(glance, lastDrawn)
    samples.native.push(state.pointerIsNative ? 1 : 0)
    samples.withheld.push(state.withheld)
    if (state.withheld > 0) samples.named.push(state.isNamed ? 1 : 0)
    if (state.withheld > 2 && !pictureTaken && options.screenshot !== undefined && now - startedAt > 5000) {
      pictureTaken = true
      await viewer.page.screenshot({ path: options.screenshot })
    }
    for (const drawnAtMs of state.drawnAtMs) {
      samples.gaps.push((drawnAtMs - lastDrawn) / 1000)
      lastDrawn = drawnAtMs
    }
    if (now - countedAt >= UPLINK_INTERVAL) {
      const sent = (await scene.network.counts('microscope')).up.deliveredBytes
      const sentAt = performance.now()
      samples.uplink.push((8 * (sent - bytes) * 1000) / (sentAt - countedAt))
      bytes = sent
      countedAt = sentAt
    }
    if (now - saidAt > 30_000) {
      saidAt = now
      context.say(`${Math.round((now - startedAt) / 1000)} of ${seconds} seconds`)
    }
  }
  return samples
}

/** What the viewer says of itself, and what is on its page; in the page, and no more than is looked at here. */
function glance(since: number): { pointerIsNative: boolean; withheld: number; isNamed: boolean; drawnAtMs: number[] } {
  const { pointerIsNative, withheld, drawLog } = (globalThis as typeof globalThis & { readonly kenkyo: KenkyoHandle }).kenkyo.inspect()
  const isNamed = document.querySelector('ul.withheld') !== null
  return { pointerIsNative, withheld: withheld.length, isNamed, drawnAtMs: drawLog.map(({ drawnAtMs }) => drawnAtMs).filter(at => at > since) }
}

/** Looks around the field at HD, somewhere else every few seconds, until it is told to stop. */
async function wander(receiver: ReceiverProcess, seed: number, stop: AbortSignal): Promise<void> {
  const random = seededRandom(seed)
  while (!stop.aborted) {
    const view = randomView(receiver.pyramid, WINDOW, random)
    const centre = { x: view.x + view.width / 2, y: view.y + view.height / 2 }
    const regions = new Map(receiver.pyramid.renditions.map(({ id, region }) => [id, region]))
    const distance = (id: RenditionId): number => {
      const region = regions.get(id)
      // The overview comes right after what is in the middle.
      if (region === undefined || id === OVERVIEW) return 1
      return Math.hypot(region.x + region.width / 2 - centre.x, region.y + region.height / 2 - centre.y)
    }
    const [overview, ...tiles] = renditionsInView(receiver.pyramid, view)
    const [pointed, ...rim] = tiles.toSorted((a, b) => distance(a) - distance(b))
    const wanted = [pointed, overview, ...rim].filter(id => id !== undefined)
    try {
      await receiver.watch(wanted)
      await systemClock.sleep(millis(2000 + 4000 * random()), stop)
    } catch {
      // The bench is over, or the receiver is: its own program tells.
      return
    }
  }
}

const bounce = (position: number, length: number): number => Math.min(length * 0.85, Math.max(length * 0.15, position))

async function run(flags: Readonly<Record<string, unknown>>, context: BenchContext): Promise<Measurement> {
  const result = Options.safeParse(flags)
  if (!result.success) throw new RelayFault('bad_config', z.prettifyError(result.error))
  const { uplinkBitrate, others, framesPerSecond } = result.data
  const { seconds = context.isQuick ? 12 : 300 } = result.data
  const { say, signal } = context
  const recording = result.data.recording ?? (await demoRecording({ onProgress: say, signal, framesPerSecond: result.data.framesPerSecond }))
  const sheet = new FigureSheet()
  await using scene = await NetworkedScene.open({
    microscopeLine: narrowUplink({ upBitsPerSecond: uplinkBitrate, roundTripMillis: ROUND_TRIP_MILLIS, name: 'narrow' }),
    window: WINDOW, sheet, isQuick: context.isQuick, signal,
    agentArguments: ['--source', 'recording', '--loop', '--input', recording],
  })
  await scene.viewer.view({ x: 3840, y: 2160, scale: 1 })
  await scene.viewer.until('the pointer\'s tile', ({ pointerIsNative }) => pointerIsNative, 30)
  await using receivers = new AsyncDisposableStack()
  const wandering = new AbortController()
  for (let other = 1; other <= others; other++) {
    const receiver = receivers.use(
      await ReceiverProcess.open({
        name: `other-${other}`, invitation: await scene.node.invite('viewer', `other-${other}`), // Past the emulator, which has enough to do.
        place: { ...scene.node.place('microscope'), enter: [] },
        frameDeadline: millis(1000), signal, onSecond: () => undefined,
      }),
    )
    receivers.defer(() => wandering.abort())
    void wander(receiver, result.data.seed + other, wandering.signal)
  }
  await Promise.race([systemClock.sleep(SETTLE, signal), scene.failed])
  const { native, withheld, named, gaps, uplink } = await pan(scene, seconds, result.data, context)
  sheet.addMean({ name: 'native_under_pointer_ratio', unit: 'ratio', note: 'share of the time, looked at ten times a second', goal: { relation: '>=', bound: 0.95 } }, native)
  sheet.add({ name: 'longest_freeze_seconds', unit: 's', value: Math.max(...gaps), note: 'longest time between two pictures; samples are all of them', goal: { relation: '<=', bound: 1 } }, gaps)
  sheet.addMean({ name: 'withheld_tiles', unit: 'tiles', note: 'in view and not native for lack of room on the line' }, withheld)
  sheet.addMean({ name: 'withheld_named_ratio', unit: 'ratio', note: 'of the times that something was withheld, it was named on screen', goal: { relation: '>=', bound: 0.99 } }, named)
  sheet.add({ name: 'uplink_bits_per_second', unit: 'bit/s', note: 'on the emulated line, everything included' }, uplink)
  return {
    parameters: { seconds, uplinkBitrate, others, framesPerSecond, roundTripMillis: ROUND_TRIP_MILLIS, recording, lines: scene.network.description },
    figures: sheet.figures, samples: sheet.samples, warnings: sheet.warnings,
  }
}

/** What a pathologist has when the microscope's line is half of what its pyramid needs. */
export const narrow: Scenario = {
  name: 'narrow',
  needs: [...MEASURED_LINES, ...BROWSER],
  summary: 'Pan in real Chromium while the microscope\'s line carries half of its pyramid: what stays native, what freezes, what is named.',
  configure: command =>
    command
      .option('--seconds <n>', 'of panning (default 300; quick 12)')
      .option('--uplink-bitrate <bit/s>', 'what the microscope\'s line carries (default 40000000)')
      .option('--others <n>', 'headless viewers who look elsewhere, each at an HD view (default 1: together more than the line carries, now and then)')
      .option('--frames-per-second <n>', 'of the demo, at the bit rate of 30 (default 20: what software decodes and draws beside everything else)')
      .option('--recording <directory>', 'what the microscope plays (default: the demo)')
      .option('--screenshot <file>', 'a picture of the viewer while something is withheld')
      .option('--seed <n>', 'of all random choices'),
  run,
}
