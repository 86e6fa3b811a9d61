import { patternLayout } from '../../clients/capture/pattern-layout.ts'
import { readPatternTile } from '../../clients/capture/pattern.ts'
import { RelayFault } from '../../relay/wire/fault.ts'
import { tilePosition } from '../../relay/wire/pyramid.ts'
import { BrowserViewer } from '../chromium.ts'
import { LocalNode } from '../local-node.ts'
import { chartDifferences } from './colour-chart.ts'
import type { RenditionId } from '../../relay/wire/ids.ts'
import type { Pyramid, Rendition } from '../../relay/wire/pyramid.ts'
import type { CanvasPixels } from '../chromium.ts'

const PICTURE_PATIENCE_SECONDS = 60
/** A tile that comes late for just the captured instant is captured again. */
const CAPTURE_ATTEMPTS = 20

/** What {@link measureCanvasColours} needs. */
export interface CanvasOptions {
  /** A recording of the test card. */
  readonly recording: string
  readonly pyramid: Pyramid
  readonly tiles: readonly RenditionId[]
  readonly signal: AbortSignal
  readonly onTile: (tile: RenditionId, differences: readonly number[]) => void
}

/**
 * Plays a recording of the test card through a node to the viewer in Chromium, and reads the colour chart
 * of each tile back from its canvas at one image pixel per device pixel.
 *
 * @throws {RelayFault} `unavailable` or `timeout` when the viewer does not show what it should.
 */
export async function measureCanvasColours({ recording, pyramid, tiles, signal, onTile }: CanvasOptions): Promise<void> {
  const [first] = pyramid.renditions.filter(({ id }) => tilePosition(id) !== undefined)
  if (first === undefined) throw new Error('a pyramid has tiles')
  await using node = await LocalNode.open({ workers: 1, statsIntervalSeconds: 2, signal })
  await using agent = await node.startAgent(['--source', 'recording', '--loop', '--input', recording], signal)
  await using viewer = await BrowserViewer.open(await node.invite('viewer', 'chromium'), { width: first.width, height: first.height })
  const readTiles = async (): Promise<void> => {
    await viewer.until('the first picture', ({ shown }) => shown !== null, PICTURE_PATIENCE_SECONDS)
    for (const rendition of pyramid.renditions.filter(({ id }) => tiles.includes(id))) {
      const pixels = await captureTile(viewer, rendition)
      onTile(rendition.id, chartDifferences(pixels, patternLayout(rendition.region)))
    }
  }
  await Promise.race([readTiles(), node.program.failed, agent.failed, aborted(signal)])
}

/** Rejects with the signal's reason; never resolves. */
function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    const stop = (): void => reject(signal.reason as Error)
    if (signal.aborted) stop()
    signal.addEventListener('abort', stop, { once: true })
  })
}

/** The tile alone on the canvas, native, with its own code readable in it. */
async function captureTile(viewer: BrowserViewer, { id, region }: Rendition): Promise<CanvasPixels> {
  await viewer.view({ x: region.x + region.width / 2, y: region.y + region.height / 2, scale: 1 })
  for (let attempt = 0; attempt < CAPTURE_ATTEMPTS; attempt++) {
    await viewer.until(`${id} in native pixels`, ({ truth, drawnViewport: drawn }) => truth.kind === 'native' && drawn?.x === region.x && drawn.y === region.y)
    const pixels = await viewer.capturePixels({ x: 0, y: 0, width: region.width, height: region.height })
    if (pixels.truth.kind !== 'native' || pixels.drawnViewport?.x !== region.x || pixels.drawnViewport.y !== region.y) continue
    const seen = readPatternTile(pixels, { x: 0, y: 0, tileWidth: region.width, tileHeight: region.height })
    const position = tilePosition(id)
    if (seen?.column === position?.column && seen?.row === position?.row) return pixels
    throw new RelayFault('unavailable', `the canvas does not show ${id}: its code reads ${JSON.stringify(seen ?? 'nothing')}`)
  }
  throw new RelayFault('timeout', `${id} was never captured in native pixels`)
}
