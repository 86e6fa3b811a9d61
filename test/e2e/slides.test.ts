// May share the machine with one other.
import { t } from 'tap'
import { BrowserViewer } from '../../bench/chromium.ts'
import { NodeUnderTest } from '../harness/node-under-test.ts'
import { TestSlide } from '../harness/test-slide.ts'
import type { InspectedSlide } from '../../clients/viewer/slides/inspected-slide.ts'
import type { Inspection, KenkyoHandle } from '../../clients/viewer/inspect.ts'

type ViewerGlobal = typeof globalThis & { readonly kenkyo: KenkyoHandle }

const WINDOW = { width: 1000, height: 700 }
const under = await NodeUnderTest.open()
t.teardown(() => under[Symbol.asyncDispose]())

const view = (viewer: BrowserViewer, to: { x: number; y: number; scale: number }): Promise<void> =>
  viewer.page.evaluate(target => (globalThis as ViewerGlobal).kenkyo.viewSlide(target), to)
const slide = (predicate: (slide: InspectedSlide) => boolean) => (inspection: Inspection): boolean => inspection.slide !== null && predicate(inspection.slide)

/** A viewer in a consultation of its own, which has one slide. */
async function scene(consultation: string, options: Parameters<typeof TestSlide.open>[1] = {}) {
  const sent = await TestSlide.open(await under.invite('scanner', { consultation, member: 'scanner' }), options)
  await sent.announce()
  const join = async (member: string): Promise<BrowserViewer> => {
    const viewer = await BrowserViewer.open(await under.invite('viewer', { consultation, member }), WINDOW)
    viewer.page.on('console', message => {
      if (message.type() === 'error' && !message.text().includes('404')) viewer.pageErrors.push(message.text())
    })
    await viewer.until('the slide in the list', ({ slides }) => slides.length === 1)
    return viewer
  }
  const open = async (member: string): Promise<BrowserViewer> => {
    const viewer = await join(member)
    await viewer.page.evaluate(slideId => (globalThis as ViewerGlobal).kenkyo.openSlide(slideId), sent.slideId)
    return viewer
  }
  return { sent, join, open }
}

/** The smallest value that is read within five seconds; 0 ends it. */
async function least(read: () => Promise<number>): Promise<number> {
  const deadline = performance.now() + 5000
  for (let value = await read(); ; value = Math.min(value, await read())) if (value === 0 || performance.now() > deadline) return value
}

t.test('a slide opens from the list, zooms, and is bit-exact to the last pixel', async t => {
  const { sent, join } = await scene('exact', { isCoarsestMade: true })
  for (const level of [2, 1, 0]) await sent.send(level)
  await sent.complete()
  await using viewer = await join('reader')
  await viewer.page.keyboard.press('s')
  await viewer.page.click(`[data-slide="${sent.slideId}"]`)
  await viewer.until('the whole slide', slide(({ truth }) => truth.kind === 'exact' && truth.level === 1))
  await viewer.page.keyboard.press('1')
  const { slide: native } = await viewer.until('native pixels', slide(({ truth }) => truth.kind === 'exact' && truth.level === 0))
  t.match(native, { truth: { zoom: 1, tiles: { missing: 0, refused: 0, loading: 0 } }, state: 'complete', arrivedShare: 1, fault: null })
  t.ok((native?.truth.tiles.proven ?? 0) >= 12 && (native?.firstSharpMillis ?? 0) > 0)
  t.match(await viewer.page.textContent('.slide-badge'), /Bit-exact.*1:1/)
  t.equal(await viewer.page.getAttribute('.scale .bar', 'data-micrometres'), '20')

  // What is on the canvas is what the browser makes of the tile's bytes.
  await view(viewer, { x: 3 * 256, y: 2 * 256, scale: 1 })
  await viewer.until('the corner of a tile in the middle', slide(({ truth }) => truth.kind === 'exact'))
  // The canvas follows the view by a frame or two.
  const difference = await least(() => viewer.page.evaluate(async slideId => {
    const canvas = document.querySelector('.slide-pixels canvas') as HTMLCanvasElement
    const token = new URLSearchParams(location.hash.slice(1)).get('invitation')
    const response = await fetch(`/slides/${slideId}/tiles/0/3/2`, { headers: { authorization: `Bearer ${token}` } })
    const bitmap = await createImageBitmap(new Blob([await response.arrayBuffer()], { type: 'image/jpeg' }), { colorSpaceConversion: 'none' })
    const [width, height] = [200, 200]
    const read = (source: CanvasImageSource, x: number, y: number): Uint8ClampedArray => {
      const context = Object.assign(document.createElement('canvas'), { width, height }).getContext('2d') as CanvasRenderingContext2D
      context.drawImage(source, x, y, width, height, 0, 0, width, height)
      return context.getImageData(0, 0, width, height).data
    }
    const [shown, stored] = [read(canvas, canvas.width / 2, canvas.height / 2), read(bitmap, 0, 0)]
    return shown.reduce((worst, value, at) => Math.max(worst, Math.abs(value - (stored[at] ?? 0))), 0)
  }, sent.slideId))
  t.equal(difference, 0, 'pixel by pixel')

  await view(viewer, { x: 0, y: 0, scale: 0.01 })
  await viewer.page.keyboard.press('Escape')
  await viewer.until('the live image again', inspection => inspection.slide === null)
  t.same(viewer.pageErrors, [])
})

t.test('a level that was made on the way is recompressed, not bit-exact', async t => {
  const { sent, open } = await scene('made', { isCoarsestMade: true, micronsPerPixel: null })
  await sent.send(2)
  await using viewer = await open('reader')
  await viewer.page.setViewportSize({ width: 330, height: 260 })
  await viewer.until('the coarsest level', slide(({ truth }) => truth.kind === 'recompressed' && truth.level === 2))
  t.match(await viewer.page.textContent('.scale'), /does not say how large its pixels are/)
})

t.test('a tile that was tampered with is refused and never called exact', async t => {
  const { sent, open } = await scene('tampered')
  for (const level of [2, 1, 0]) await sent.send(level)
  await using viewer = await open('reader')
  await viewer.until('the whole slide', slide(({ truth }) => truth.kind === 'exact'))
  await viewer.page.route(/\/tiles\/0\/4\/3$/, async route => {
    const response = await route.fetch()
    const body = await response.body()
    body[body.length >> 1] = (body[body.length >> 1] ?? 0) ^ 1
    await route.fulfill({ response, body })
  })
  await view(viewer, { x: 4.5 * 256, y: 3.5 * 256, scale: 1 })
  const { slide: refused } = await viewer.until('the refusal', slide(({ truth }) => truth.kind === 'refused' && truth.tiles.loading === 0))
  t.equal(refused?.truth.tiles.refused, 1)
  t.match(await viewer.page.textContent('.slide-badge'), /Proof failed/)
  await viewer.page.unroute(/\/tiles\/0\/4\/3$/)

  // A tile in another's place is as wrong as a changed one.
  await viewer.page.route(/\/tiles\/0\/8\/6$/, async route => route.fulfill({ response: await route.fetch({ url: route.request().url().replace('/8/6', '/7/6') }) }))
  await view(viewer, { x: 8.5 * 256, y: 6.5 * 256, scale: 2 })
  await viewer.until('the refusal of a swapped tile', slide(({ truth }) => truth.kind === 'refused' && truth.level === 0))
})

t.test('a slide whose own signature is forged is never called exact, open or arriving', async t => {
  const { sent, join } = await scene('forged')
  for (const level of [2, 1, 0]) await sent.send(level)
  await using viewer = await join('reader')
  await viewer.page.route(/\/slides\/[0-9a-f-]+$/, async route => {
    const response = await route.fetch()
    const description = (await response.json()) as { head: string | null }
    // Of the right form, signed by nobody.
    const head = description.head?.replace(/[^.]+$/, signature => Buffer.from(signature).reverse().toString()) ?? null
    await route.fulfill({ response, json: { ...description, head } })
  })
  const open = (slideId: typeof sent.slideId | null): Promise<void> => viewer.page.evaluate(id => (globalThis as ViewerGlobal).kenkyo.openSlide(id), slideId)
  await open(sent.slideId)
  await viewer.until('what is proven level by level', slide(({ truth, state }) => truth.kind === 'exact' && state === 'arriving'))
  await sent.complete()
  await viewer.until('the refusal, once the slide is said to be whole', slide(({ truth, state }) => truth.kind === 'forged' && state === 'complete'))
  t.match(await viewer.page.textContent('.slide-badge'), /signature over the whole slide/)

  await open(null)
  await viewer.page.evaluate(() => {
    const { kenkyo } = globalThis as ViewerGlobal
    const kinds = new Set<string>()
    Object.assign(globalThis, { kinds })
    setInterval(() => kinds.add(kenkyo.inspect().slide?.truth.kind ?? 'none'), 5)
  })
  await open(sent.slideId)
  await viewer.until('the refusal again', slide(({ truth }) => truth.kind === 'forged'))
  t.notOk((await viewer.page.evaluate(() => [...(globalThis as typeof globalThis & { kinds: Set<string> }).kinds])).includes('exact'), 'not for a moment')
  t.same(viewer.pageErrors, [])
})

t.test('what is not here is said, stood in for, and shown as soon as it comes', async t => {
  const { sent, open } = await scene('arriving')
  await sent.send(2)
  await using viewer = await open('reader')
  await viewer.until('the first level in the place of the second', slide(({ truth, arrivedShare }) => truth.kind === 'missing' && truth.level === 1 && truth.standInZoom !== null && arrivedShare > 0 && arrivedShare < 0.05))
  t.match(await viewer.page.textContent('.slide-badge'), /Not yet here.*upscaled/)
  await sent.send(1)
  await viewer.until('the second level', slide(({ truth }) => truth.kind === 'exact' && truth.level === 1), 5)
  t.ok(sent.chunksOf(0) > 1, 'level 0 comes in parts')
  await view(viewer, { x: 300, y: 300, scale: 1 })
  await viewer.until('nothing of the finest level', slide(({ truth }) => truth.kind === 'missing' && truth.level === 0))
  await sent.send(0, [0])
  await viewer.until('its first chunk', slide(({ truth }) => truth.tiles.proven > 0), 5)
  await sent.send(0)
  await sent.complete()
  await viewer.until('all of it', slide(({ truth, arrivedShare, state }) => truth.kind === 'exact' && arrivedShare === 1 && state === 'complete'), 5)
  t.match(await viewer.page.textContent('.heat'), /100 %/)
})

t.test('pointer, annotations and the leader reach another browser', async t => {
  const { sent, open } = await scene('together')
  for (const level of [2, 1, 0]) await sent.send(level)
  await using first = await open('first')
  await using second = await open('second')
  for (const viewer of [first, second]) await viewer.until('the slide', slide(({ truth }) => truth.kind === 'exact'))

  await first.page.mouse.move(500, 350)
  const { slide: pointed } = await second.until('the pointer', slide(({ pointers }) => pointers.length === 1))
  t.match(pointed?.pointers, [{ memberId: 'first' }])
  // The centre of the window is the centre of a slide that fits: 2501 × 2003 pixels of 0.25 µm.
  t.ok(Math.abs((pointed?.pointers[0]?.x ?? 0) - 2501 * 0.125) < 1 && Math.abs((pointed?.pointers[0]?.y ?? 0) - 2003 * 0.125) < 1)

  await first.page.keyboard.press('r')
  await first.page.mouse.move(420, 300)
  await first.page.mouse.down()
  await first.page.mouse.move(560, 400, { steps: 4 })
  await first.page.mouse.up()
  await first.page.keyboard.press('t')
  await first.page.mouse.click(450, 200)
  await first.page.keyboard.type('mitosis?')
  await first.page.keyboard.press('Enter')
  await second.until('both annotations', slide(({ annotations }) => annotations === 2))
  t.match(await second.page.textContent('.annotations'), /mitosis\?/)
  await first.page.keyboard.press('u')
  await second.until('the text taken back', slide(({ annotations }) => annotations === 1))
  const download = first.page.waitForEvent('download')
  await first.page.keyboard.press('e')
  const chunks: Buffer[] = []
  for await (const chunk of await (await download).createReadStream()) chunks.push(chunk as Buffer)
  t.match(JSON.parse(Buffer.concat(chunks).toString('utf8')), { type: 'FeatureCollection', unit: 'micrometre', features: [{ geometry: { type: 'Polygon' }, properties: { author: 'first', kind: 'rectangle' } }] })

  await first.page.keyboard.press('v')
  await first.page.keyboard.press('m')
  await first.until('leading', slide(({ follow }) => follow === 'leading'))
  await second.page.click('.together button:text("Follow first")')
  await view(first, { x: 1800, y: 700, scale: 1 })
  const { slide: led } = await second.until('the place of the leader', slide(({ viewport }) => viewport.scale === 1))
  t.ok(Math.abs((led?.viewport.x ?? 0) + (led?.viewport.width ?? 0) / 2 - 1800) < 2)
  await second.page.keyboard.press('ArrowLeft')
  await second.until('on its own again', slide(({ follow }) => follow === 'free'))
  await first.page.keyboard.press('m')
  await second.until('nobody leads', slide(({ follow }) => follow === 'free'))
  t.same([...first.pageErrors, ...second.pageErrors], [])
})
