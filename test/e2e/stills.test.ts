import { createHash } from 'node:crypto'
import { t } from 'tap'
import { readSlidePosition } from '../../clients/capture/calibration-reader.ts'
import { viewOf } from '../../clients/capture/optics.ts'
import { PatternCard, readPatternTile } from '../../clients/capture/pattern.ts'
import { openMicroscope, SPECIMEN_MICROMETRES_PER_PIXEL } from '../../clients/capture/simulated-microscope.ts'
import { i420Bytes } from '../../clients/capture/specimen.ts'
import { systemClock } from '../../relay/runtime/clock.ts'
import { createLogger } from '../../relay/runtime/log.ts'
import { OVERVIEW } from '../../relay/wire/ids.ts'
import { RawClient } from '../harness/raw-client.ts'
import { Stage } from '../harness/stage.ts'
import type { StillSidecar, StillSummary } from '../../relay/wire/still.ts'
import type { Test } from 'tap'

const IMAGE = { width: 1280, height: 720 }
const PATTERN = ['--source', 'pattern', '--width', '1280', '--height', '720', '--columns', '2', '--rows', '2', '--frames-per-second', '5']
const GRID = { ...IMAGE, columns: 2, rows: 2 }

const tokenOf = (link: string): string => new URLSearchParams(new URL(link).hash.slice(1)).get('invitation') ?? ''

async function open(t: Test, captureArguments: readonly string[]) {
  const stage = await Stage.open(captureArguments, IMAGE)
  t.teardown(() => stage[Symbol.asyncDispose]())
  const { under, viewer } = stage
  const link = await under.invite('technician', { member: 'hands' })
  const other = await RawClient.join(link)
  t.teardown(() => other[Symbol.asyncDispose]())
  const file = async (stillId: string, name: string): Promise<Buffer> => {
    const response = await fetch(`${under.node.origin}/stills/${stillId}/${name}`, { headers: { authorization: `Bearer ${tokenOf(link)}` } })
    if (!response.ok) throw new Error(`${name}: ${response.status}; the agent said: ${stage.microscope.log}`)
    return Buffer.from(await response.arrayBuffer())
  }
  /** Keeps a frame as the technician and waits for what becomes of it. */
  const keep = async (rtpTimestamp: number): Promise<StillSummary> => {
    const { publicationId } = await viewer.inspect()
    const { stillId } = await other.ok('keepStill', { publicationId, rtpTimestamp })
    const { stills } = await viewer.until('the still', now => now.stills.some(still => still.stillId === stillId && (still.state === 'kept' || still.state === 'failed')), 60)
    return stills.find(still => still.stillId === stillId)!
  }
  await viewer.view({ x: IMAGE.width / 2, y: IMAGE.height / 2, scale: 1 })
  await viewer.until('native pixels', ({ truth }) => truth.kind === 'native', 60)
  return { stage, viewer, other, file, keep }
}

/** A frame that the viewer shows: its timestamp, and the number that its decoded pixels carry in every tile. */
async function shownFrame({ viewer }: Awaited<ReturnType<typeof open>>): Promise<{ rtpTimestamp: number; frameNumber: number }> {
  for (let attempt = 0; attempt < 50; attempt++) {
    const pixels = await viewer.capturePixels({ x: 0, y: 0, ...IMAGE })
    if (pixels.truth.pixels !== 'native' || pixels.shown === null) continue
    const codes = [0, 1, 2, 3].map(index => readPatternTile(pixels, { x: (index % 2) * 640, y: Math.floor(index / 2) * 360, tileWidth: 640, tileHeight: 360 }))
    const numbers = new Set(codes.map(code => code?.frameNumber))
    const [frameNumber] = numbers
    if (numbers.size === 1 && frameNumber !== undefined) return { rtpTimestamp: pixels.shown.rtpTimestamp, frameNumber }
  }
  throw new Error('no frame could be read')
}

t.test('with a ring', async t => {
  // What is on the canvas of a busy machine may be seconds old.
  const scene = await open(t, [...PATTERN, '--still-ring', '15'])

  await t.test('a viewer keeps what is on the canvas with a key, sees what became of it, and opens it at 1:1', async t => {
    const { viewer } = scene
    await viewer.page.keyboard.press('k')
    const { stills, still } = await viewer.until('the still', now => now.stills.some(each => each.state === 'kept'), 60)
    t.match(stills, [{ state: 'kept', origin: 'exact', keptBy: 'someone' }])
    t.equal(still.last, stills[0]?.stillId)
    await viewer.page.waitForSelector('[data-still="exact"]')
    await viewer.page.keyboard.press('s')
    await viewer.page.click(`.entry[data-still="${stills[0]?.stillId}"]`)
    await viewer.page.waitForSelector('.still-screen [data-origin="exact"]')
    await viewer.page.waitForFunction(() => document.querySelector<HTMLImageElement>('.still-pan img')?.naturalWidth === 1280)
    t.equal((await viewer.page.locator('.still-pan img').boundingBox())?.width, IMAGE.width, 'one pixel of it is one of the screen')
    await viewer.page.keyboard.press('Escape')
    await viewer.until('the live image', now => now.still.open === null)
    t.same(viewer.pageErrors, [])
  })

  await t.test('the still is bit-identical to the frame that the viewer saw', async t => {
    for (let round = 0; round < 2; round++) {
      const { rtpTimestamp, frameNumber } = await shownFrame(scene)
      const still = await scene.keep(rtpTimestamp)
      t.match(still, { state: 'kept', origin: 'exact', missingTiles: 0, keptBy: 'hands', rtpTimestamp }, scene.stage.microscope.log)
      const planes = await scene.file(still.stillId, 'planes')
      t.ok(planes.equals(new PatternCard(GRID).draw(frameNumber)), `frame ${frameNumber} as it was drawn`)
      t.notOk(planes.equals(new PatternCard(GRID).draw(frameNumber + 1)))
      const sidecar = JSON.parse((await scene.file(still.stillId, 'sidecar')).toString()) as StillSidecar
      t.match(sidecar, { rtpTimestamp, origin: 'exact', keptBy: 'hands', consultationId: 'case-1', image: { ...IMAGE, format: 'I420', matrix: 'BT.709', range: 'limited' }, stage: null })
      t.equal(sidecar.planes.sha256, createHash('sha256').update(planes).digest('hex'))
    }
    const { rtpTimestamp } = await shownFrame(scene)
    t.match(await scene.keep((rtpTimestamp + 90_000 * 3600) % 2 ** 32), { state: 'failed', fault: 'out_of_range' }, 'from the future')
    t.match(await scene.keep((rtpTimestamp + 2 ** 32 - 90_000 * 60) % 2 ** 32), { state: 'failed', fault: 'not_found' }, 'long gone')
    const { framesDrawn } = await scene.viewer.inspect()
    await scene.viewer.until('the picture going on', now => now.framesDrawn > framesDrawn + 3)
  })
})

t.test('without a ring the still is decoded, says so, and shows the frame that the viewer saw', async t => {
  const scene = await open(t, PATTERN)
  const { rtpTimestamp, frameNumber } = await shownFrame(scene)
  const still = await scene.keep(rtpTimestamp)
  t.match(still, { state: 'kept', origin: 'decoded', missingTiles: 0 }, scene.stage.microscope.log)
  const [planes, drawn] = [await scene.file(still.stillId, 'planes'), new PatternCard(GRID).draw(frameNumber)]
  t.equal(planes.length, drawn.length)
  const luma = { data: new Uint8Array(4 * IMAGE.width * IMAGE.height), ...IMAGE }
  for (let pixel = 0; pixel < IMAGE.width * IMAGE.height; pixel++) luma.data.fill(planes[pixel]!, 4 * pixel, 4 * pixel + 3)
  for (const [column, row] of [[0, 0], [1, 0], [0, 1], [1, 1]] as const) {
    t.same(readPatternTile(luma, { x: column * 640, y: row * 360, tileWidth: 640, tileHeight: 360 }), { column, row, frameNumber })
  }
})

t.test('under the simulated stage the still is what its place shows, bit for bit, also where nobody looked', async t => {
  const scene = await open(t, ['--source', 'stage', '--specimen', 'calibration', '--width', '2560', '--height', '1440', '--columns', '4', '--rows', '4', '--frames-per-second', '5'])
  const image = { width: 2560, height: 1440 }
  const { viewer } = scene
  await viewer.view({ x: image.width / 2, y: image.height / 2, scale: 1 })
  const { publicationId } = await viewer.inspect()
  await scene.other.ok('claimStage')
  await scene.other.ok('moveStage', { publicationId, target: { x: 350.25, y: 210.5 }, rtpTimestamp: null })
  const { shown, stage } = await viewer.until('the place', now => now.stage?.x === 350.25 && !now.stage.isMoving && now.stage.rtpTimestamp !== null && now.shown !== null && ((now.shown.rtpTimestamp - now.stage.rtpTimestamp) | 0) >= 0, 60)
  const still = await scene.keep(shown!.rtpTimestamp)
  t.match(still, { state: 'kept', origin: 'exact' }, scene.stage.microscope.log)
  const sidecar = JSON.parse((await scene.file(still.stillId, 'sidecar')).toString()) as StillSidecar
  const place = { x: 350.25, y: 210.5, focus: 0, objective: '20x', isMoving: false }
  t.match(sidecar.stage, { place, micrometresPerPixel: 0.25, objectives: stage?.objectives.map(({ name }) => name) })
  const planes = await scene.file(still.stillId, 'planes')
  const { specimen, optics } = await openMicroscope({ ...image, kind: 'calibration', clock: systemClock, log: createLogger({ level: 'silent', program: 'capture' }) })
  const drawn = Buffer.alloc(i420Bytes(image.width, image.height))
  const rendition = { id: OVERVIEW, codec: 'H264', bitsPerSecond: 1, region: { x: 0, y: 0, ...image }, ...image } as const
  specimen.draw(viewOf(place, image, rendition, optics), drawn)
  t.ok(planes.equals(drawn))
  const corner = readSlidePosition(planes.subarray(0, image.width * image.height), image.width, image.height)
  t.equal((corner!.x + image.width / 2) * SPECIMEN_MICROMETRES_PER_PIXEL, 350.25, 'and its pixels say where it is')
})
