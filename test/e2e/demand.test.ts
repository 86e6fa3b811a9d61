import { execFileSync } from 'node:child_process'
import { t } from 'tap'
import { readPatternTile } from '../../clients/capture/pattern.ts'
import { demoRecording } from '../../scripts/demo/record.ts'
import { Stage } from '../harness/stage.ts'
import type { BrowserViewer, CanvasPixels } from '../../bench/chromium.ts'
import type { NodeUnderTest } from '../harness/node-under-test.ts'

const HD = { width: 1920, height: 1080 }
/** A picture in the upper left quarter, in the middle, at a corner of tiles, at the lower right border. */
const POSITIONS = [[960, 540], [3840, 2160], [2560, 1440], [5000, 3000], [7680, 4320]] as const
const MEASURE_MILLIS = 5000

interface Traffic {
  /** Bytes on the wire to viewers: RTP, retransmissions. */
  readonly toViewers: number
  /** Bytes of all tiles from the microscope. */
  readonly ofAllTiles: number
}

async function traffic(under: NodeUnderTest): Promise<Traffic> {
  const out = { role: 'viewer', direction: 'out' }
  const [rtp, rtx, allIn, overviewIn] = await Promise.all([
    under.metric('kenkyo_transport_bytes_total', { ...out, kind: 'rtp' }),
    under.metric('kenkyo_transport_bytes_total', { ...out, kind: 'rtx' }),
    under.metric('kenkyo_rendition_bytes_total', { direction: 'in' }),
    under.metric('kenkyo_rendition_bytes_total', { direction: 'in', rendition: 'overview' }),
  ])
  return { toViewers: rtp + rtx, ofAllTiles: allIn - overviewIn }
}

/** Bytes to viewers over bytes of all tiles, measured at the node while the viewport rests. */
async function downlinkShare(under: NodeUnderTest): Promise<number> {
  const before = await traffic(under)
  await new Promise(resolve => setTimeout(resolve, MEASURE_MILLIS))
  const after = await traffic(under)
  return (after.toViewers - before.toViewers) / (after.ofAllTiles - before.ofAllTiles)
}

/** Reads back the canvas until the capture itself is of native pixels; a tile may be late for any one instant. */
async function captureSharp(viewer: BrowserViewer, area: Parameters<BrowserViewer['capturePixels']>[0]): Promise<CanvasPixels> {
  for (let attempt = 0; attempt < 20; attempt++) {
    const pixels = await viewer.capturePixels(area)
    if (pixels.truth.pixels === 'native') return pixels
  }
  throw new Error('no sharp capture in 20 attempts')
}

t.test('bits follow the viewport, measured at the node', async t => {
  const recording = await demoRecording({ onProgress: line => t.comment(line) })
  await using stage = await Stage.open(['--source', 'recording', '--loop', '--input', recording], HD)
  const { viewer, under } = stage
  t.same((await viewer.inspect()).watching, ['overview'], 'zoomed out, only the overview is asked for')
  const overviewShare = await downlinkShare(under)
  for (const rendition of ['tile-0-0', 'tile-3-3', 'tile-5-5']) {
    t.equal(await under.metric('kenkyo_rendition_bytes_total', { direction: 'out', rendition }), 0, `${rendition} never flowed`)
  }
  t.comment(`overview only: ${(100 * overviewShare).toFixed(1)} % of the sum of all tiles`)
  t.ok(overviewShare <= 0.1)

  const shares: number[] = []
  for (const [x, y] of POSITIONS) {
    await viewer.view({ x, y, scale: 1 })
    await viewer.until('the tiles are watched', ({ watching, drawnViewport }) => watching.length > 1 && drawnViewport?.scale === 1)
    shares.push(await downlinkShare(under))
  }
  const mean = shares.reduce((sum, share) => sum + share, 0) / shares.length
  t.comment(`HD at 1:1: ${shares.map(share => (100 * share).toFixed(1)).join(', ')} %, mean ${(100 * mean).toFixed(1)} %`)
  t.ok(mean <= 0.3, 'at most 30 % of the sum of all tiles')
  await viewer.fit()
  await viewer.until('the tiles are let go', ({ watching }) => watching.length === 1)
  const text = await (await fetch(`${under.node.origin}/metrics`)).text()
  t.match(text, /kenkyo_transport_round_trip_seconds_count\{link="local",role="viewer"\}/)
  t.equal(execFileSync('promtool', ['check', 'metrics'], { input: text, encoding: 'utf8' }), '', 'promtool has nothing to say of /metrics')
  const { srtpCipher } = await viewer.inspect()
  t.comment(`media is protected by ${srtpCipher}`)
  // The worker built here prefers 128 bits; a downloaded one has 256.
  t.match(srtpCipher, /^(SRTP_)?AEAD_AES_(128|256)_GCM$/)
  const joinSeconds = (await viewer.inspect()).joinSeconds ?? Infinity
  t.comment(`all consumers created in ${joinSeconds.toFixed(3)} s`)
})

t.test('an 8K monitor shows every tile at once', async t => {
  await using stage = await Stage.open(['--source', 'pattern', '--frames-per-second', '1'], { width: 3840, height: 2160, deviceScaleFactor: 2 })
  const { viewer } = stage
  const { viewport } = await viewer.inspect()
  t.match(viewport, { x: 0, y: 0, width: 7680, height: 4320, scale: 1 }, 'the whole field at 1:1')
  // Drawing 33 million pixels in software takes longer than a picture may be old; how sharp it is, is another matter.
  const { shown } = await viewer.until('36 tiles', ({ shown: now, truth }) => truth.pixels === 'native' && now?.tiles.length === 36, 120)
  t.equal(new Set(shown?.tiles.map(({ rtpTimestamp }) => rtpTimestamp)).size, 1, 'of one instant')
  const start = { at: performance.now(), ...(await viewer.inspect()) }
  for (let row = 0; row < 6; row++) {
    const strip = await captureSharp(viewer, { x: 0, y: row * 720, width: 7680, height: 64 })
    const tiles = Array.from({ length: 6 }, (_, column) => readPatternTile(strip, { x: column * 1280, y: 0, tileWidth: 1280, tileHeight: 720 }))
    t.match(tiles, Array.from({ length: 6 }, (_, column) => ({ column, row })), `row ${row}`)
    t.equal(new Set(tiles.map(tile => tile?.frameNumber)).size, 1, 'one frame number')
  }
  const end = await viewer.until('a newer picture', ({ framesDrawn }) => framesDrawn > start.framesDrawn, 60)
  const perSecond = (end.framesDrawn - start.framesDrawn) / ((performance.now() - start.at) / 1000)
  t.comment(`all 36 tiles: ${perSecond.toFixed(2)} frames drawn per second in software; the source gives 1`)
})

for (const deviceScaleFactor of [1, 1.5, 2]) {
  t.test(`native means one image pixel per device pixel at display scale ${deviceScaleFactor}`, async t => {
    await using stage = await Stage.open(
      ['--source', 'pattern', '--frames-per-second', '10', '--width', '1920', '--height', '1088', '--columns', '2', '--rows', '2', '--overview-width', '480'],
      { width: 1400, height: 700, deviceScaleFactor },
    )
    const { viewer } = stage
    await viewer.view({ x: 960, y: 544, scale: 1 })
    const { canvas } = await viewer.until('native', ({ truth }) => truth.kind === 'native')
    t.same(canvas, { width: 1400 * deviceScaleFactor, height: 700 * deviceScaleFactor }, 'the canvas has every device pixel')
    const pixels = await captureSharp(viewer, { x: 0, y: 0, ...canvas })
    // Tile 1,1 begins in the middle of the image, which is in the middle of the canvas.
    const tile = readPatternTile(pixels, { x: canvas.width / 2, y: canvas.height / 2, tileWidth: 960, tileHeight: 544 })
    t.match(tile, { column: 1, row: 1 }, 'its code strip is readable at one pixel per pixel')
    await viewer.view({ x: 960, y: 544, scale: 2 })
    await viewer.until('not native', ({ truth }) => truth.kind !== 'native')
    t.pass('another scale is not called native')
  })
}
