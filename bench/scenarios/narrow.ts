import { z } from 'zod'
import { systemClock } from '../../relay/runtime/clock.ts'
import { numeric } from '../../relay/runtime/config.ts'
import { RelayFault } from '../../relay/wire/fault.ts'
import { millis } from '../../relay/wire/units.ts'
import { demoRecording } from '../../scripts/demo/record.ts'
import { narrowUplink, parseLineProfile } from '../lines/profiles.ts'
import { FigureSheet } from '../report.ts'
import { NetworkedScene } from '../scene/networked-scene.ts'
import { seededRandom } from './viewport-renditions.ts'
import type { Measurement } from '../report.ts'
import type { BenchContext, Scenario } from './scenario.ts'

const Options = z.strictObject({
  seconds: numeric(z.int().min(5).max(3600)).optional(),
  uplinkBitrate: numeric(z.number().min(1e6).max(1e9)).default(40e6),
  scale: numeric(z.number().min(0.51).max(1)).default(0.55),
  recording: z.string().min(1).optional(),
  screenshot: z.string().min(1).optional(),
  seed: numeric(z.int()).default(20_261_122),
})

const WINDOW = { width: 1920, height: 1080 }
const ROUND_TRIP_MILLIS = 20
const SETTLE = millis(4000)
const POLL = millis(100)
/** Slow panning back and forth over the field, in image pixels per second, and where it turns. */
const SPEED = { min: 150, max: 700 }

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
    await viewer.view({ ...position, scale: options.scale })
    const state = await viewer.inspect()
    samples.native.push(state.pointerIsNative ? 1 : 0)
    samples.withheld.push(state.withheld.length)
    if (state.withheld.length > 0) samples.named.push((await viewer.page.locator('ul.withheld').count()) > 0 ? 1 : 0)
    if (state.withheld.length > 2 && !pictureTaken && options.screenshot !== undefined && now - startedAt > 5000) {
      pictureTaken = true
      await viewer.page.screenshot({ path: options.screenshot })
    }
    for (const { drawnAtMs } of state.drawLog) {
      if (drawnAtMs <= lastDrawn) continue
      samples.gaps.push((drawnAtMs - lastDrawn) / 1000)
      lastDrawn = drawnAtMs
    }
    const sent = (await scene.network.counts('microscope')).up.deliveredBytes
    if (elapsed > 0) samples.uplink.push((8 * (sent - bytes)) / elapsed)
    bytes = sent
    if (now - saidAt > 30_000) {
      saidAt = now
      context.say(`${Math.round((now - startedAt) / 1000)} of ${seconds} seconds`)
    }
  }
  return samples
}

const bounce = (position: number, length: number): number => Math.min(length * 0.85, Math.max(length * 0.15, position))

async function run(flags: Readonly<Record<string, unknown>>, context: BenchContext): Promise<Measurement> {
  const result = Options.safeParse(flags)
  if (!result.success) throw new RelayFault('bad_config', z.prettifyError(result.error))
  const { uplinkBitrate, scale } = result.data
  const { seconds = context.isQuick ? 20 : 300 } = result.data
  const { say, signal } = context
  const recording = result.data.recording ?? (await demoRecording({ onProgress: say, signal }))
  await using scene = await NetworkedScene.open({
    microscopeLine: narrowUplink({ upBitsPerSecond: uplinkBitrate, roundTripMillis: ROUND_TRIP_MILLIS, name: 'narrow' }),
    viewerLine: parseLineProfile('lan'),
    window: WINDOW, signal,
    agentArguments: ['--source', 'recording', '--loop', '--input', recording],
  })
  await scene.viewer.view({ x: 3840, y: 2160, scale })
  await scene.viewer.until('the pointer\'s tile', ({ pointerIsNative }) => pointerIsNative, 30)
  await Promise.race([systemClock.sleep(SETTLE, signal), scene.failed])
  const { native, withheld, named, gaps, uplink } = await pan(scene, seconds, result.data, context)
  const sheet = new FigureSheet()
  sheet.addMean({ name: 'native_under_pointer_ratio', unit: 'ratio', note: 'share of the time, looked at ten times a second', goal: { relation: '>=', bound: 0.95 } }, native)
  sheet.add({ name: 'longest_freeze_seconds', unit: 's', value: Math.max(...gaps), note: 'longest time between two pictures; samples are all of them', goal: { relation: '<=', bound: 1 } }, gaps)
  sheet.addMean({ name: 'withheld_tiles', unit: 'tiles', note: 'in view and not native for lack of room on the line' }, withheld)
  sheet.addMean({ name: 'withheld_named_ratio', unit: 'ratio', note: 'of the times that something was withheld, it was named on screen', goal: { relation: '>=', bound: 0.99 } }, named)
  sheet.add({ name: 'uplink_bits_per_second', unit: 'bit/s', note: 'on the emulated line, everything included' }, uplink)
  return {
    parameters: { seconds, uplinkBitrate, scale, roundTripMillis: ROUND_TRIP_MILLIS, recording, lines: scene.network.description },
    figures: sheet.figures, samples: sheet.samples, warnings: sheet.warnings,
  }
}

/** What a pathologist has when the microscope's line is half of what its pyramid needs. */
export const narrow: Scenario = {
  name: 'narrow',
  summary: 'Pan in real Chromium while the microscope\'s line carries half of its pyramid: what stays native, what freezes, what is named.',
  configure: command =>
    command
      .option('--seconds <n>', 'of panning (default 300; quick 20)')
      .option('--uplink-bitrate <bit/s>', 'what the microscope\'s line carries (default 40000000)')
      .option('--scale <factor>', 'device pixels per image pixel, above half (default 0.55: more tiles than the line carries)')
      .option('--recording <directory>', 'what the microscope plays (default: the demo)')
      .option('--screenshot <file>', 'a picture of the viewer while something is withheld')
      .option('--seed <n>', 'of all random choices'),
  run,
}
