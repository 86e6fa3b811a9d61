// May share the machine with one other.
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import sharp from 'sharp'
import { t } from 'tap'
import { BrowserViewer } from '../../bench/chromium.ts'
import { hasJpeg2000Encoder, jpeg2000Pixel, writeJpeg2000Slide } from '../harness/jpeg2000-slide.ts'
import { NodeUnderTest } from '../harness/node-under-test.ts'
import { TestSlide, vastColour } from '../harness/test-slide.ts'
import type { InspectedSlide } from '../../clients/viewer/slides/inspected-slide.ts'
import type { Inspection, KenkyoHandle } from '../../clients/viewer/inspect.ts'

type ViewerGlobal = typeof globalThis & { readonly kenkyo: KenkyoHandle }

const REAL_SLIDE = fileURLToPath(new URL('../../../shared/data/CMU-1-Small-Region.svs', import.meta.url))
/** Smaller than the slides, so that any of their pixels can be at its centre. */
const WINDOW = { width: 400, height: 300 }
const under = await NodeUnderTest.open()
t.teardown(() => under[Symbol.asyncDispose]())

const slide = (predicate: (slide: InspectedSlide) => boolean) => (inspection: Inspection): boolean => inspection.slide !== null && predicate(inspection.slide)
const view = (viewer: BrowserViewer, to: { x: number; y: number; scale: number }): Promise<void> =>
  viewer.page.evaluate(target => (globalThis as ViewerGlobal).kenkyo.viewSlide(target), to)

/** Sends a slide, and opens it in a browser. */
async function open(consultation: string, make: (link: string) => Promise<TestSlide>): Promise<BrowserViewer> {
  await using sent = await make(await under.invite('scanner', { consultation, member: 'scanner' }))
  await sent.sendAll()
  const viewer = await BrowserViewer.open(await under.invite('viewer', { consultation, member: 'reader' }), WINDOW)
  viewer.page.on('console', message => {
    if (message.type() === 'error') viewer.pageErrors.push(message.text())
  })
  await viewer.until('the slide in the list', ({ slides }) => slides.length === 1)
  await viewer.page.evaluate(slideId => (globalThis as ViewerGlobal).kenkyo.openSlide(slideId), sent.slideId)
  return viewer
}

/**
 * The worst difference between the canvas and what it should show, over a square whose top left corner is at the centre
 * of the canvas, in steps of 8 bits. Waits for the canvas to follow the view.
 */
async function difference(viewer: BrowserViewer, side: number, expected: (x: number, y: number) => ArrayLike<number>, enough: number): Promise<number> {
  const deadline = performance.now() + 5000
  for (;;) {
    const pixels = await viewer.page.evaluate(length => {
      const canvas = document.querySelector('.slide-pixels canvas') as HTMLCanvasElement
      const context = Object.assign(document.createElement('canvas'), { width: length, height: length }).getContext('2d') as CanvasRenderingContext2D
      context.drawImage(canvas, canvas.width / 2, canvas.height / 2, length, length, 0, 0, length, length)
      return [...context.getImageData(0, 0, length, length).data]
    }, side)
    let worst = 0
    for (let at = 0; at < side * side; at++) {
      const pixel = expected(at % side, Math.floor(at / side))
      for (let component = 0; component < 3; component++) worst = Math.max(worst, Math.abs((pixel[component] ?? 0) - (pixels[4 * at + component] ?? 0)))
    }
    if (worst <= enough || performance.now() > deadline) return worst
  }
}

t.test('a slide of JPEG 2000 tiles is decoded to the last bit, and called bit-exact', { skip: (await hasJpeg2000Encoder()) ? false : 'OpenJPEG is not installed (Debian package libopenjp2-tools)' }, async t => {
  const file = await writeJpeg2000Slide(t.testdir())
  await using viewer = await open('jpeg2000', link => TestSlide.ofFile(link, file))
  await viewer.until('the whole slide', slide(({ truth }) => truth.kind === 'exact'))
  // Four tiles meet there.
  const corner = { x: 3 * 128 - 64, y: 2 * 128 - 64 }
  await view(viewer, { ...corner, scale: 1 })
  const { slide: native } = await viewer.until('native pixels', slide(({ truth }) => truth.kind === 'exact' && truth.level === 0))
  t.match(native, { state: 'complete', truth: { zoom: 1, tiles: { unproven: 0, refused: 0 } }, fault: null })
  t.ok((native?.truth.tiles.proven ?? 0) >= 12)
  t.equal(await difference(viewer, 128, (x, y) => jpeg2000Pixel(0, corner.x + x, corner.y + y), 0), 0, 'RGB, pixel by pixel')
  t.match(await viewer.page.textContent('.slide-badge'), /Bit-exact.*1:1/)

  // One pixel of the coarse level to one of the screen; YCbCr is rounded twice on its way.
  await viewer.page.setViewportSize({ width: 200, height: 160 })
  await viewer.until('the smaller window', slide(({ viewport }) => Math.round(viewport.width * viewport.scale) === 200))
  await view(viewer, { x: 3 * 128, y: 3 * 105, scale: 1 / 3 })
  await viewer.until('the coarse level', slide(({ truth }) => truth.kind === 'exact' && truth.level === 1 && Math.abs(truth.zoom - 1) < 1e-9))
  const coarse = await difference(viewer, 64, (x, y) => jpeg2000Pixel(1, 128 + x, 105 + y), 2)
  t.ok(coarse <= 2, `YCbCr, ${coarse} off`)
  t.same(viewer.pageErrors, [])
})

t.test('a real slide of Aperio opens, zooms, and is bit-exact in its own colours', { skip: existsSync(REAL_SLIDE) ? false : 'the real slide is not here' }, async t => {
  await using viewer = await open('real', link => TestSlide.ofFile(link, REAL_SLIDE))
  const { slide: whole } = await viewer.until('the whole slide', slide(({ truth }) => truth.kind === 'exact'))
  t.match(whole, { state: 'complete', image: { width: 2220, height: 2967 }, fault: null })
  const [x, y, side] = [1180, 1420, 140]
  await view(viewer, { x, y, scale: 1 })
  await viewer.until('native pixels', slide(({ truth }) => truth.kind === 'exact' && truth.zoom === 1 && truth.tiles.proven >= 4))
  // Another decoder reads the file itself: its RGB tiles would be green without a marker of their colour model.
  const data = await sharp(REAL_SLIDE, { page: 0 }).extract({ left: x, top: y, width: side, height: side }).removeAlpha().raw().toBuffer()
  const off = await difference(viewer, side, (column, row) => data.subarray(3 * (row * side + column)), 3)
  t.ok(off <= 3, `${off} off`)
  t.same(viewer.pageErrors, [])
})

t.test('a slide of 100,000 by 80,000 pixels opens, zooms and is verified to its last corner', async t => {
  await using viewer = await open('vast', link => TestSlide.vast(link))
  await viewer.until('the whole slide', slide(({ truth }) => truth.kind === 'exact' && truth.level === 4))
  for (const [level, column, row] of [[0, 0, 0], [0, 200, 150], [0, 217, 157], [0, 389, 311], [1, 96, 64], [2, 12, 9]] as const) {
    const reduction = 4 ** level
    // The corner of a tile to the centre of the window, one pixel of the level to one of the screen.
    const at = { x: Math.max(column * 256, WINDOW.width / 2), y: Math.max(row * 256, WINDOW.height / 2) }
    await view(viewer, { x: at.x * reduction, y: at.y * reduction, scale: 1 / reduction })
    const { slide: seen } = await viewer.until(`level ${level}, tile ${column}/${row}`, slide(({ truth }) => truth.kind === 'exact' && truth.level === level))
    t.match(seen, { truth: { zoom: 1, standInZoom: null, tiles: { unproven: 0, refused: 0, missing: 0 } }, fault: null })
    const colourAt = (x: number, y: number): readonly number[] => vastColour({ column: Math.floor((at.x + x) / 256), row: Math.floor((at.y + y) / 256) }) ?? [0xf4, 0xf4, 0xf4]
    const off = await difference(viewer, 40, colourAt, 3)
    t.ok(off <= 3, `level ${level}, tile ${column}/${row}: ${off} off`)
  }
  t.same(viewer.pageErrors, [])
})
