import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { z } from 'zod'
import { numeric } from '../../relay/runtime/config.ts'
import { RelayFault } from '../../relay/wire/fault.ts'
import { BROWSER } from '../all/needs.ts'
import { BrowserViewer } from '../chromium.ts'
import { LocalNode } from '../local-node.ts'
import { FigureSheet } from '../report.ts'
import { startScan } from '../slides/kenkyo-transfer.ts'
import { FULL_SLIDE, QUARTER_SLIDE, writeSyntheticSlide } from '../slides/synthetic-slide.ts'
import { seededRandom } from './viewport-renditions.ts'
import type { KenkyoHandle } from '../../clients/viewer/inspect.ts'
import type { InspectedSlide } from '../../clients/viewer/slides/inspected-slide.ts'
import type { Measurement } from '../report.ts'
import type { BenchContext, Scenario } from './scenario.ts'

const Options = z.strictObject({
  file: z.string().optional(),
  views: numeric(z.int().min(1).max(1000)).optional(),
  seed: numeric(z.int().min(1)).default(1),
  screenshot: z.string().optional(),
})

const WINDOW = { width: 1280, height: 720 }
/** Device pixels per pixel of level 0: native, coarser ones, enlarged. */
const SCALES = [1, 0.25, 0.0625, 2] as const
const ARRIVAL_PATIENCE_SECONDS = 150
const VIEW_PATIENCE_SECONDS = 15

type ViewerGlobal = typeof globalThis & { readonly kenkyo: KenkyoHandle }

/** Goes to random places at every scale. @returns Of each that was bit-exact, seconds until it was. */
async function visit(viewer: BrowserViewer, { image }: InspectedSlide, views: number, seed: number): Promise<{ readonly seconds: number[]; readonly tiles: number }> {
  const random = seededRandom(seed)
  const seconds: number[] = []
  let tiles = 0
  for (let count = 0; count < views; count++) {
    const to = { x: (0.05 + 0.9 * random()) * image.width, y: (0.05 + 0.9 * random()) * image.height, scale: SCALES[count % SCALES.length] ?? 1 }
    await viewer.page.evaluate(target => (globalThis as ViewerGlobal).kenkyo.viewSlide(target), to)
    const seen = await viewer.until('a bit-exact view', ({ slide }) => slide?.truth.kind === 'exact' && slide.sharpMillis !== null, VIEW_PATIENCE_SECONDS).catch(() => undefined)
    if (seen?.slide?.sharpMillis === undefined || seen.slide.sharpMillis === null) continue
    seconds.push(seen.slide.sharpMillis / 1000)
    tiles += seen.slide.truth.tiles.proven
  }
  return { seconds, tiles }
}

async function run(flags: Readonly<Record<string, unknown>>, { isQuick, say, signal }: BenchContext): Promise<Measurement> {
  const result = Options.safeParse(flags)
  if (!result.success) throw new RelayFault('bad_config', z.prettifyError(result.error))
  const { file, views = isQuick ? 12 : 60, seed, screenshot } = result.data
  await using scope = new AsyncDisposableStack()
  const root = await mkdtemp(join(tmpdir(), 'kenkyo-large-slide-'))
  scope.defer(() => rm(root, { recursive: true, force: true }))
  const path = file ?? join(root, 'slide.svs')
  if (file === undefined) {
    say('drawing a slide')
    await writeSyntheticSlide(path, isQuick ? QUARTER_SLIDE : FULL_SLIDE)
  }
  await using node = await LocalNode.open({ workers: 1, statsIntervalSeconds: 10, signal })
  await using viewer = await BrowserViewer.open(await node.invite('viewer', 'reader'), WINDOW)
  say('sending it')
  await using scanner = await startScan({ node, leaf: 'scanner', files: [path], carrier: 'https', stateDir: join(root, 'scanner') })
  const arrived = viewer.until('the slide to be complete', ({ slides }) => slides[0]?.state === 'complete', ARRIVAL_PATIENCE_SECONDS)
  // It ends when all is sent, which the viewer may hear a moment later.
  const ended = scanner.exited.then(({ code }) => {
    if (code !== 0) throw new RelayFault('unavailable', `the scanner ended with code ${code ?? '?'}: ${scanner.lastErrorLines.join(' ')}`)
    return arrived
  })
  const { slides: [summary] } = await Promise.race([arrived, ended])
  if (summary === undefined) throw new RelayFault('unavailable', 'the viewer heard of no slide')
  say('looking at it')
  await viewer.page.evaluate(slideId => (globalThis as ViewerGlobal).kenkyo.openSlide(slideId), summary.slideId)
  const { slide } = await viewer.until('the whole slide', it => it.slide?.truth.kind === 'exact' || it.slide?.truth.kind === 'recompressed', VIEW_PATIENCE_SECONDS)
  if (slide === null) throw new RelayFault('unavailable', 'no slide is open')
  if (screenshot !== undefined) await viewer.page.screenshot({ path: `${screenshot}-whole.png` })
  const { seconds, tiles } = await visit(viewer, slide, views, seed)
  if (screenshot !== undefined) await viewer.page.screenshot({ path: `${screenshot}-view.png` })
  const sheet = new FigureSheet()
  sheet.add({ name: 'open_view_seconds', unit: 's', note: 'from having the structure to the first sharp viewport, the whole slide' }, [(slide.firstSharpMillis ?? 0) / 1000])
  sheet.add({ name: 'exact_view_ratio', unit: 'ratio', note: `of ${views} views at scales ${SCALES.join(', ')}; ${tiles} tiles proven on the screen`, goal: { relation: '>=', bound: 1 } }, [seconds.length / views])
  sheet.add({ name: 'exact_view_seconds', unit: 's', note: 'from a jump until every visible tile is drawn and proven' }, seconds)
  return {
    parameters: { views, seed, bytes: summary.bytesHere, width: slide.image.width, height: slide.image.height, window: `${WINDOW.width}x${WINDOW.height}`, pageErrors: viewer.pageErrors.length },
    figures: sheet.figures, samples: sheet.samples, warnings: sheet.warnings,
  }
}

/** Whether Chromium opens, zooms and verifies a slide as large as they come. */
export const largeSlide: Scenario = {
  name: 'large-slide',
  needs: BROWSER,
  summary: 'A slide of 100,000×80,000 pixels, or one of yours, sent to a node, opened, zoomed and verified tile by tile in Chromium.',
  configure: command =>
    command
      .option('--file <slide>', 'another slide; levels that the scanner has to make count as not bit-exact')
      .option('--views <n>', 'random places at four scales (default 60; quick 12)')
      .option('--seed <n>', 'of the places (default 1)')
      .option('--screenshot <path>', 'also write <path>-whole.png and <path>-view.png'),
  run,
}
