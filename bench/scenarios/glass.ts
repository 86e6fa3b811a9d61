import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { z } from 'zod'
import { readPatternTile } from '../../clients/capture/pattern.ts'
import { systemClock } from '../../relay/runtime/clock.ts'
import { numeric } from '../../relay/runtime/config.ts'
import { RelayFault } from '../../relay/wire/fault.ts'
import { millis, VIDEO_CLOCK_RATE } from '../../relay/wire/units.ts'
import { patternRecording } from '../../scripts/demo/record.ts'
import { BROWSER, MEASURED_LINES } from '../all/needs.ts'
import { symmetricLine } from '../lines/profiles.ts'
import { FigureSheet } from '../report.ts'
import { NetworkedScene } from '../scene/networked-scene.ts'
import { measureEncoding } from './encode-time.ts'
import type { Measurement } from '../report.ts'
import type { BenchContext, Scenario } from './scenario.ts'

const Options = z.strictObject({
  seconds: numeric(z.int().min(2).max(3600)).optional(),
  roundTripMillis: numeric(z.number().min(0).max(2000)).default(40),
  framesPerSecond: numeric(z.int().min(1).max(60)).default(30),
})

const WINDOW = { width: 1920, height: 1080 }
const PATTERN_SECONDS = 2
const LOSSES = [0, 0.01] as const
/** The one that asks more. */
const QUICK_LOSSES = [0.01] as const
/** From a change of view, or a joining, until everything has settled. */
const SETTLE = millis(3000)
/** How often the list of drawn instants is read; it keeps hundreds. */
const POLL = millis(500)

/** When an image was handed to the sender. */
interface Capture {
  /** Its number in the recording, which is what its pixels say. */
  readonly frameNumber: number
  readonly atMs: number
}

/** The agent's log, by RTP timestamp. */
async function readFrameLog(path: string, framesPerSecond: number): Promise<Map<number, Capture>> {
  const captures = new Map<number, Capture>()
  for (const line of (await readFile(path, 'utf8')).split('\n')) {
    const [timestamp, mediaTicks, atMs] = line.split(' ').map(Number)
    if (timestamp === undefined || mediaTicks === undefined || atMs === undefined || Number.isNaN(atMs)) continue
    const image = Math.round((mediaTicks * framesPerSecond) / VIDEO_CLOCK_RATE)
    captures.set(timestamp, { frameNumber: image % (PATTERN_SECONDS * framesPerSecond), atMs })
  }
  return captures
}

interface GlassRun {
  /** Seconds from the sender to the canvas, one for each instant that was drawn. */
  readonly latencies: number[]
  /** Pictures that were read back, and those whose pixels said the number that the log says. */
  readonly read: number
  readonly agreed: number
  readonly longestFreeze: number
  readonly framesPerSecond: number
}

interface GlassOptions {
  readonly loss: number
  readonly roundTripMillis: number
  readonly framesPerSecond: number
  readonly seconds: number
  readonly recording: string
}

async function runGlass({ loss, roundTripMillis, framesPerSecond, seconds, recording }: GlassOptions, sheet: FigureSheet, context: BenchContext): Promise<GlassRun> {
  const { signal } = context
  const directory = await mkdtemp(join(tmpdir(), 'kenkyo-glass-'))
  await using scope = new AsyncDisposableStack()
  scope.defer(() => rm(directory, { recursive: true, force: true }))
  const log = join(directory, 'frames.log')
  const drawn = new Map<number, number>()
  const pictures: { rtpTimestamp: number; frameNumber: number }[] = []
  const scene = await NetworkedScene.open({
    microscopeLine: symmetricLine({ roundTripMillis: roundTripMillis / 2, lossRatio: loss / 2 }),
    viewerLine: symmetricLine({ roundTripMillis: roundTripMillis / 2, lossRatio: loss / 2 }),
    window: WINDOW, sheet, isQuick: context.isQuick, signal,
    agentArguments: ['--source', 'recording', '--loop', '--input', recording, '--frame-log', log],
  })
  let longestFreeze = 0
  let rate = 0
  try {
    const { viewer } = scene
    const wait = (duration: number): Promise<void> => Promise.race([systemClock.sleep(millis(duration), signal), scene.failed])
    // The view begins where a tile begins, so that its code is in the corner.
    await viewer.view({ x: 2560 + WINDOW.width / 2, y: 1440 + WINDOW.height / 2, scale: 1 })
    await viewer.until('a sharp picture', ({ truth }) => truth.kind === 'native', 30)
    await wait(SETTLE)
    const beginning = await viewer.inspect()
    const from = beginning.drawLog.at(-1)?.drawnAtMs ?? 0
    for (let end = performance.now() + seconds * 1000; performance.now() < end; ) {
      const pixels = await viewer.capturePixels({ x: 0, y: 0, width: 1280, height: 64 })
      const tile = readPatternTile(pixels, { x: 0, y: 0, tileWidth: 1280, tileHeight: 720 })
      const shown = pixels.shown?.tiles.find(({ renditionId }) => renditionId === 'tile-2-2')
      if (tile !== undefined && shown !== undefined) pictures.push({ rtpTimestamp: shown.rtpTimestamp, frameNumber: tile.frameNumber })
      const { drawLog, freezes, framesPerSecond: now } = await viewer.inspect()
      longestFreeze = Math.max(longestFreeze, freezes.longestSeconds)
      rate = now
      for (const { rtpTimestamp, drawnAtMs } of drawLog) if (drawnAtMs > from && !drawn.has(rtpTimestamp)) drawn.set(rtpTimestamp, drawnAtMs)
      await wait(POLL)
    }
  } finally {
    await scene[Symbol.asyncDispose]()
  }
  const captures = await readFrameLog(log, framesPerSecond)
  const latencies: number[] = []
  for (const [rtpTimestamp, drawnAtMs] of drawn) {
    const capture = captures.get(rtpTimestamp)
    if (capture !== undefined) latencies.push((drawnAtMs - capture.atMs) / 1000)
  }
  const agreed = pictures.filter(({ rtpTimestamp, frameNumber }) => captures.get(rtpTimestamp)?.frameNumber === frameNumber).length
  return { latencies, read: pictures.length, agreed, longestFreeze, framesPerSecond: rate }
}

async function run(flags: Readonly<Record<string, unknown>>, context: BenchContext): Promise<Measurement> {
  const result = Options.safeParse(flags)
  if (!result.success) throw new RelayFault('bad_config', z.prettifyError(result.error))
  const { roundTripMillis, framesPerSecond } = result.data
  const { seconds = context.isQuick ? 8 : 60 } = result.data
  const recording = await patternRecording({ framesPerSecond, seconds: PATTERN_SECONDS }, { onProgress: context.say, signal: context.signal })
  const sheet = new FigureSheet()
  const bound = 0.2 + roundTripMillis / 2000
  for (const loss of context.isQuick ? QUICK_LOSSES : LOSSES) {
    context.say(`${100 * loss} % loss`)
    const { latencies, read, agreed, longestFreeze, framesPerSecond: rate } = await runGlass({ loss, roundTripMillis, framesPerSecond, seconds, recording }, sheet, context)
    const labels = { loss: String(loss) }
    const note = `from the sender to the canvas; ${roundTripMillis} ms RTT and the loss over both lines together, half on each; without encoding, compositor and screen`
    sheet.add({ name: 'capture_to_glass_seconds', labels, unit: 's', note }, latencies)
    if (latencies.length > 0) {
      const p95 = sheet.figures.at(-1)?.p95 ?? Infinity
      sheet.add({ name: 'capture_to_glass_p95_seconds', labels, unit: 's', value: p95, goal: { relation: '<=', bound }, note: '200 ms plus the one-way delay' }, latencies)
    }
    sheet.add({ name: 'pixels_agree_ratio', labels, unit: 'ratio', note: `${agreed} of ${read} pictures read back say the number of the frame they are called`, goal: { relation: '>=', bound: 1 } }, read === 0 ? [] : [agreed / read])
    sheet.add({ name: 'longest_freeze_seconds', labels, unit: 's' }, [longestFreeze])
    sheet.add({ name: 'drawn_frames_per_second', labels, unit: '1/s', note: 'at the end, in software GL' }, [rate])
  }
  sheet.add(
    { name: 'encode_seconds', unit: 's', note: 'one 1280x720 tile by libx264 at this project\'s settings, from its raw frame to its last RTP packet; apart from the above' },
    await measureEncoding(context.isQuick ? 20 : 100, context.signal),
  )
  return { parameters: { seconds, roundTripMillis, framesPerSecond, recording }, figures: sheet.figures, samples: sheet.samples, warnings: sheet.warnings }
}

/** How old a picture is when it is drawn. */
export const glass: Scenario = {
  name: 'glass',
  needs: [...MEASURED_LINES, ...BROWSER],
  summary: 'Capture to glass in real Chromium over an emulated path, at 0 and 1 % loss, read from the pixels and the agent\'s log.',
  configure: command =>
    command
      .option('--seconds <n>', 'for each loss (default 60; quick 8)')
      .option('--round-trip-millis <ms>', 'of the path from the browser to the microscope (default 40)')
      .option('--frames-per-second <n>', 'of the test card (default 30)'),
  run,
}
