import { link, mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { z } from 'zod'
import { numeric } from '../../relay/runtime/config.ts'
import { systemClock } from '../../relay/runtime/clock.ts'
import { RelayFault } from '../../relay/wire/fault.ts'
import { millis } from '../../relay/wire/units.ts'
import { BROWSER, MEASURED_LINES } from '../all/needs.ts'
import { BrowserViewer } from '../chromium.ts'
import { effortFor, measureAccuracy } from '../lines/accuracy.ts'
import { EmulatedNetwork } from '../lines/emulated-network.ts'
import { symmetricLine } from '../lines/profiles.ts'
import { LocalNode } from '../local-node.ts'
import { FigureSheet } from '../report.ts'
import { startScan } from '../slides/kenkyo-transfer.ts'
import { FULL_SLIDE, QUARTER_SLIDE, writeSyntheticSlide } from '../slides/synthetic-slide.ts'
import { seededRandom } from './viewport-renditions.ts'
import type { KenkyoHandle } from '../../clients/viewer/inspect.ts'
import type { Measurement } from '../report.ts'
import type { BenchContext, Scenario } from './scenario.ts'

const Options = z.strictObject({
  slides: numeric(z.int().min(1).max(100)).optional(),
  jumps: numeric(z.int().min(0).max(200)).optional(),
  carrier: z.enum(['link', 'https']).default('link'),
  seed: numeric(z.int().min(1)).default(1),
})

const LEAF = 'scanner'
const LINE = symmetricLine({ name: 'first-view', roundTripMillis: 40, rateBitsPerSecond: 100e6, queueMillis: 40 })
const WINDOW = { width: 1280, height: 720 }
/** The scanner has started and looks into its folder by then. */
const SCANNER_START = millis(4000)
/** Between jumps: a reader looks at what is there. */
const LOOK = millis(1000)
const PATIENCE_SECONDS = 60
const GOAL_FIRST_SECONDS = 2
const GOAL_JUMP_SECONDS = 1

type ViewerGlobal = typeof globalThis & { readonly kenkyo: KenkyoHandle }

/** When things were seen in the browser, in milliseconds since the epoch. */
interface FirstSight {
  readonly announcedAt: number
  readonly sharpAt: number
  /** Part of the slide that had arrived by then. */
  readonly share: number
}

/** Waits in the page for the first slide, opens it, and waits until what is seen of it is sharp. */
function awaitFirstSight(viewer: BrowserViewer): Promise<FirstSight | null> {
  return viewer.page.evaluate(async patience => {
    const { kenkyo } = globalThis as ViewerGlobal
    const sharp = ['exact', 'early', 'recompressed', 'unverified']
    const deadline = performance.now() + 1000 * patience
    const rest = (): Promise<void> => new Promise(resolve => {
      setTimeout(resolve, 10)
    })
    let announcedAt: number | undefined
    while (performance.now() < deadline) {
      await rest()
      const { slides, slide } = kenkyo.inspect()
      const [first] = slides
      if (announcedAt === undefined) {
        if (first === undefined) continue
        announcedAt = Date.now()
        void kenkyo.openSlide(first.slideId)
      } else if (slide !== null && sharp.includes(slide.truth.kind)) return { announcedAt, sharpAt: Date.now(), share: slide.arrivedShare }
    }
    return null
  }, PATIENCE_SECONDS)
}

/** Jumps there, as one device pixel to one of the slide's. @returns Seconds until it was sharp, and what had arrived when it jumped; null when it never was. */
function jump(viewer: BrowserViewer, at: { readonly x: number; readonly y: number }): Promise<{ readonly seconds: number; readonly share: number } | null> {
  return viewer.page.evaluate(async ({ to, patience }) => {
    const { kenkyo } = globalThis as ViewerGlobal
    const { slide: before } = kenkyo.inspect()
    if (before === null) return null
    const from = performance.now()
    kenkyo.viewSlide({ x: to.x * before.image.width, y: to.y * before.image.height, scale: 1 })
    // What is said of the place before is not to be taken for this one's.
    const rest = (): Promise<void> => new Promise(resolve => {
      setTimeout(resolve, 5)
    })
    while (performance.now() - from < 1000 * patience) {
      await rest()
      const { slide } = kenkyo.inspect()
      if (slide?.truth.level === 0 && ['exact', 'early', 'recompressed', 'unverified'].includes(slide.truth.kind)) return { seconds: (performance.now() - from) / 1000, share: before.arrivedShare }
    }
    return null
  }, { to: at, patience: PATIENCE_SECONDS })
}

interface Samples {
  readonly first: number[]
  readonly announced: number[]
  readonly jumps: number[]
  unseen: number
  readonly shares: number[]
}

/** One slide, from the moment its file is complete in the scanner's folder. */
async function showOne(slide: string, { jumps, carrier, random, network, directory, samples }: { readonly jumps: number; readonly carrier: 'link' | 'https'; readonly random: () => number; readonly network: EmulatedNetwork; readonly directory: string; readonly samples: Samples }, { signal, say }: BenchContext): Promise<void> {
  const folder = join(directory, 'finished')
  await mkdir(folder, { recursive: true })
  await using node = await LocalNode.open({ workers: 1, statsIntervalSeconds: 10, network, signal })
  await using viewer = await BrowserViewer.open(await node.invite('viewer', 'reader'), WINDOW, node.browserPastLines())
  await using scanner = await startScan({ node, leaf: LEAF, files: [], carrier, stateDir: join(directory, 'scanner'), settings: ['--watch', folder] })
  await systemClock.sleep(SCANNER_START, signal)
  const sight = awaitFirstSight(viewer)
  const finishedAt = Date.now()
  await link(slide, join(folder, 'slide.svs'))
  const seen = await Promise.race([sight, scanner.failed, network.failed])
  if (seen === null) throw new RelayFault('timeout', `no sharp view in ${PATIENCE_SECONDS} s; the viewer says ${JSON.stringify((await viewer.inspect()).slide)}; ${viewer.pageErrors.join('; ')}`)
  samples.first.push((seen.sharpAt - finishedAt) / 1000)
  samples.announced.push((seen.announcedAt - finishedAt) / 1000)
  say(`sharp ${((seen.sharpAt - finishedAt) / 1000).toFixed(2)} s after the file was complete, ${((seen.sharpAt - seen.announcedAt) / 1000).toFixed(2)} s after the viewer heard of it`)
  for (let count = 0; count < jumps; count++) {
    await systemClock.sleep(LOOK, signal)
    const landed = await Promise.race([jump(viewer, { x: 0.1 + 0.8 * random(), y: 0.1 + 0.8 * random() }), scanner.failed, network.failed])
    if (landed === null) samples.unseen++
    else if (landed.share < 1) {
      samples.jumps.push(landed.seconds)
      samples.shares.push(landed.share)
    }
  }
}

async function run(flags: Readonly<Record<string, unknown>>, context: BenchContext): Promise<Measurement> {
  const result = Options.safeParse(flags)
  if (!result.success) throw new RelayFault('bad_config', z.prettifyError(result.error))
  const { isQuick, say, signal } = context
  const { slides = isQuick ? 1 : 7, jumps = isQuick ? 5 : 15, carrier, seed } = result.data
  const sheet = new FigureSheet()
  await using scope = new AsyncDisposableStack()
  const root = await mkdtemp(join(tmpdir(), 'kenkyo-first-view-'))
  scope.defer(() => rm(root, { recursive: true, force: true }))
  say('drawing a slide')
  const drawn = isQuick ? QUARTER_SLIDE : FULL_SLIDE
  const file = join(root, 'slide.svs')
  const slide = await writeSyntheticSlide(file, drawn)
  await using network = await EmulatedNetwork.open({ leaves: { [LEAF]: LINE }, signal })
  await measureAccuracy({ network, leaf: LEAF, profile: LINE, sheet, signal, setting: 'first-view', effort: effortFor(context) })
  const samples: Samples = { first: [], announced: [], jumps: [], unseen: 0, shares: [] }
  const random = seededRandom(seed)
  for (let count = 1; count <= slides; count++) {
    say(`slide ${count} of ${slides}`)
    const directory = join(root, `slide-${count}`)
    await showOne(file, { jumps, carrier, random, network, directory, samples }, context)
    await rm(directory, { recursive: true, force: true })
  }
  sheet.add({ name: 'first_view_seconds', unit: 's', note: 'from the file being complete in the watched folder to the first sharp viewport in Chromium', goal: { relation: '<=', bound: GOAL_FIRST_SECONDS } }, samples.first)
  sheet.add({ name: 'first_view_announced_seconds', unit: 's', note: 'of these, until the viewer heard of the slide: the folder looked into, the file opened and seen to stand still, names taken out' }, samples.announced)
  if (jumps > 0) {
    const from = samples.shares.length === 0 ? 0 : Math.min(...samples.shares)
    const to = samples.shares.length === 0 ? 0 : Math.max(...samples.shares)
    sheet.add({ name: 'jump_view_seconds', unit: 's', note: `to a random place at full resolution, while ${from.toFixed(2)} to ${to.toFixed(2)} of the slide was there; ${samples.unseen} never became sharp`, goal: { relation: '<=', bound: GOAL_JUMP_SECONDS } }, samples.jumps)
  }
  return {
    parameters: { slides, jumps, carrier, seed, bytes: slide.bytes, tiles: slide.tiles, width: drawn.width, height: drawn.height, rate: 100e6, roundTripMillis: 40, window: `${WINDOW.width}x${WINDOW.height}`, lines: network.description },
    figures: sheet.figures, samples: sheet.samples, warnings: sheet.warnings,
  }
}

/** Whether a slide can be read before it has arrived. */
export const firstView: Scenario = {
  name: 'first-view',
  needs: [...MEASURED_LINES, ...BROWSER],
  summary: 'From the end of a scan to the first sharp view of a slide of 700 MB over 100 Mbit/s and 40 ms, and to places a reader jumps to meanwhile; node, scanner and Chromium as they are.',
  configure: command =>
    command
      .option('--slides <n>', 'one after the other, each with a node of its own (default 7; quick 1)')
      .option('--jumps <n>', 'of a reader, while a slide arrives (default 15; quick 5)')
      .option('--carrier <kind>', 'link or https (default link)')
      .option('--seed <n>', 'of the places that are jumped to (default 1)'),
  run,
}
