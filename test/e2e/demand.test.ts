import { execFileSync } from 'node:child_process'
import { t } from 'tap'
import { BrowserViewer } from '../../bench/chromium.ts'
import { loadRecording } from '../../clients/capture/recording.ts'
import { readPatternTile } from '../../clients/capture/pattern.ts'
import { demoRecording } from '../../scripts/demo/record.ts'
import { Stage } from '../harness/stage.ts'
import type { CanvasPixels } from '../../bench/chromium.ts'
import type { NodeUnderTest } from '../harness/node-under-test.ts'
import type { Test } from 'tap'

const HD = { width: 1920, height: 1080 }
/** A picture in the upper left quarter, in the middle, at a corner of tiles, at the lower right border. */
const POSITIONS = [[960, 540], [3840, 2160], [2560, 1440], [5000, 3000], [7680, 4320]] as const
const MEASURE_MILLIS = 5000

/** Bytes on the wire: RTP and retransmissions. */
interface Traffic {
  readonly fromMicroscope: number
  readonly toViewers: number
}

/** An RTP header without extensions. @see RFC 3550 section 5.1 */
const RTP_HEADER_BYTES = 12

/** Bytes per second of all tiles at full resolution in a recording. */
async function rateOfAllTiles(directory: string): Promise<number> {
  const { images, pyramid } = await loadRecording(directory)
  const payloads = images.flat().filter(({ renditionId }) => renditionId.startsWith('tile-')).flatMap(frame => frame.payloads)
  const bytes = payloads.reduce((sum, payload) => sum + payload.length + RTP_HEADER_BYTES, 0)
  return (bytes * pyramid.framesPerSecond) / images.length
}

async function traffic(under: NodeUnderTest): Promise<Traffic> {
  const out = { role: 'viewer', direction: 'out' }
  const up = { role: 'microscope', direction: 'in' }
  const [outRtp = 0, outRtx = 0, upRtp = 0, upRtx = 0] = await Promise.all(
    [out, up].flatMap(end => ['rtp', 'rtx'].map(kind => under.metric('kenkyo_transport_bytes_total', { ...end, kind }))),
  )
  return { toViewers: outRtp + outRtx, fromMicroscope: upRtp + upRtx }
}

/** Bytes to viewers, and from the microscope, over bytes of all tiles, measured at the node while the viewport rests. */
async function shares(under: NodeUnderTest, allTiles: number): Promise<{ down: number; up: number }> {
  const startedAt = performance.now()
  const before = await traffic(under)
  await new Promise(resolve => setTimeout(resolve, MEASURE_MILLIS))
  const after = await traffic(under)
  const expected = (allTiles * (performance.now() - startedAt)) / 1000
  return { down: (after.toViewers - before.toViewers) / expected, up: (after.fromMicroscope - before.fromMicroscope) / expected }
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
  const allTiles = await rateOfAllTiles(recording)
  const zoomedOut = await shares(under, allTiles)
  for (const rendition of ['tile-0-0', 'tile-3-3', 'tile-5-5']) {
    for (const direction of ['in', 'out']) {
      t.equal(await under.metric('kenkyo_rendition_bytes_total', { direction, rendition }), 0, `${rendition} never flowed ${direction}`)
    }
  }
  t.comment(`overview only: ${(100 * zoomedOut.down).toFixed(1)} % of the sum of all tiles down, ${(100 * zoomedOut.up).toFixed(1)} % up`)
  t.ok(zoomedOut.down <= 0.1 && zoomedOut.up <= 0.1)

  const measured: { down: number; up: number }[] = []
  for (const [x, y] of POSITIONS) {
    await viewer.view({ x, y, scale: 1 })
    await viewer.until('the tiles are watched', ({ watching, drawnViewport }) => watching.length > 1 && drawnViewport?.scale === 1)
    measured.push(await shares(under, allTiles))
  }
  for (const direction of ['down', 'up'] as const) {
    const mean = measured.reduce((sum, share) => sum + share[direction], 0) / measured.length
    t.comment(`HD at 1:1, ${direction}: ${measured.map(share => (100 * share[direction]).toFixed(1)).join(', ')} %, mean ${(100 * mean).toFixed(1)} %`)
    t.ok(mean <= 0.3, `at most 30 % of the sum of all tiles ${direction}`)
  }
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

t.test('native means one image pixel per device pixel', async t => {
  await using stage = await Stage.open(
    ['--source', 'pattern', '--frames-per-second', '10', '--width', '1920', '--height', '1088', '--columns', '2', '--rows', '2', '--overview-width', '480'],
    { width: 1400, height: 700 },
  )

  async function isNative(t: Test, viewer: BrowserViewer, deviceScaleFactor: number): Promise<void> {
    // Before, the first image would be fitted into the window.
    await viewer.until('an image', ({ shown }) => shown !== null)
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
  }

  await t.test('at display scale 1', t => isNative(t, stage.viewer, 1))
  for (const deviceScaleFactor of [1.5, 2]) {
    await t.test(`at display scale ${deviceScaleFactor}`, async t => {
      await using viewer = await BrowserViewer.open(await stage.under.invite('viewer', { member: 'other' }), { width: 1400, height: 700, deviceScaleFactor })
      await isNative(t, viewer, deviceScaleFactor)
    })
  }
})
