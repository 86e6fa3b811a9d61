// May share the machine with one other.
import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { t } from 'tap'
import { CELL_WIDTH } from '../../clients/capture/calibration-layout.ts'
import { LINE_INSET_PIXELS } from '../../clients/capture/pattern-layout.ts'
import { SPECIMEN_MICROMETRES_PER_PIXEL } from '../../clients/capture/simulated-microscope.ts'
import { BrowserViewer } from '../../bench/chromium.ts'
import { Microscope } from '../harness/microscope.ts'
import { NodeUnderTest } from '../harness/node-under-test.ts'
import { RawClient } from '../harness/raw-client.ts'
import type { CDPSession, Page } from 'playwright-core'
import type { AxeResults } from 'axe-core'
import type { KenkyoHandle } from '../../clients/viewer/inspect.ts'

type ViewerGlobal = typeof globalThis & { readonly kenkyo: KenkyoHandle; readonly axe: { run(): Promise<AxeResults> } }

const axeSource = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')
/** Writes pictures of what is seen for a person to look at. */
const screenshots = process.env['KENKYO_SCREENSHOTS']
const SMALL = { width: 1280, height: 720 }
const SIZES = [SMALL, { width: 3840, height: 2160 }]
/** Small and slow, because what is looked at is not the picture. */
const FRAMES = ['--width', '1920', '--height', '1080', '--frames-per-second', '4']

const under = await NodeUnderTest.open()
t.teardown(() => under[Symbol.asyncDispose]())

/** What axe-core takes to be a serious or critical barrier. */
async function barriers(page: Page): Promise<string[]> {
  const { violations } = await page.evaluate(() => (globalThis as ViewerGlobal).axe.run())
  return violations.filter(({ impact }) => impact === 'serious' || impact === 'critical').map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' ')}`)
}

/** Where everything is that has its place before there is anything to see. */
const standing = (page: Page): Promise<Record<string, readonly number[]>> =>
  page.evaluate(() => {
    const boxes = [...document.querySelectorAll('.controls button, .quality, .live-scale')].map(element => {
      const { left, top, width, height } = element.getBoundingClientRect()
      return [element.getAttribute('aria-label') ?? element.className.replace(/ .*/, ''), [left, top, width, height].map(value => Math.round(value))] as const
    })
    const { left, top } = (document.querySelector('.badge') ?? document.body).getBoundingClientRect()
    return Object.fromEntries([...boxes, ['badge', [Math.round(left), Math.round(top)]]])
  })

/** Places of the interface that lie over each other or reach out of the window. */
const disorder = (page: Page): Promise<string[]> =>
  page.evaluate(() => {
    const all = [...document.querySelectorAll<HTMLElement>('.first, .quality-why, .drawing-tools, .controls, .drawers > *, .stage, .corner > *, .voice')].filter(element => getComputedStyle(element).visibility !== 'hidden')
    const boxes = all.map(element => ({ name: element.className, box: element.getBoundingClientRect() })).filter(({ box }) => box.width > 0)
    const drawers = document.querySelector('.drawers')?.getBoundingClientRect()
    const isScrolled = ({ name, box }: (typeof boxes)[number]): boolean => /drawer|panel/.test(name) && drawers !== undefined && box.bottom > drawers.bottom
    const outside = boxes.filter(({ box }) => box.left < 0 || box.top < 0 || box.right > innerWidth + 0.5 || box.bottom > innerHeight + 0.5)
    const crossing = boxes.flatMap((a, index) =>
      boxes.slice(index + 1).filter(b => !isScrolled(a) && !isScrolled(b) && a.box.left < b.box.right - 1 && b.box.left < a.box.right - 1 && a.box.top < b.box.bottom - 1 && b.box.top < a.box.bottom - 1).map(b => `${a.name} over ${b.name}`),
    )
    return [...outside.filter(item => !isScrolled(item)).map(({ name }) => `${name} is outside`), ...crossing]
  })

/** Columns of a row of the canvas where a thin bright line begins. */
async function brightLines(viewer: BrowserViewer, y: number, [least, most]: readonly [number, number]): Promise<number[]> {
  const { data, width } = await viewer.capturePixels({ x: 0, y, width: SMALL.width, height: 1 })
  const isBright = Array.from({ length: width }, (_, x) => (data[4 * x + 1] ?? 0) > 200)
  return isBright.flatMap((bright, x) => {
    if (!bright || isBright[x - 1] === true) return []
    const length = isBright.slice(x).findIndex(value => !value)
    return length >= least && length <= most ? [x] : []
  })
}

const touch = (cdp: CDPSession, type: 'touchStart' | 'touchMove' | 'touchEnd', points: readonly (readonly [number, number])[]): Promise<unknown> =>
  cdp.send('Input.dispatchTouchEvent', { type, touchPoints: points.map(([x, y], id) => ({ x, y, id })) })

t.test('a viewer of a steerable microscope', async t => {
  await using viewer = await BrowserViewer.open(await under.invite('viewer', { member: 'dr-sato' }), SMALL)
  const { page } = viewer
  await page.evaluate(axeSource)
  const before = new Map<number, Record<string, readonly number[]>>()
  for (const size of SIZES) {
    await page.setViewportSize(size)
    await viewer.until('the window', ({ canvas }) => canvas.width === size.width)
    before.set(size.width, await standing(page))
  }
  await page.setViewportSize(SMALL)
  await using _other = await RawClient.join(await under.invite('technician', { member: 'tanaka' }))
  await using _microscope = Microscope.start(await under.invite('microscope', { member: 'scope' }), ['--source', 'stage', '--specimen', 'calibration', ...FRAMES, '--columns', '2', '--rows', '2'])
  await viewer.until('a picture', ({ shown }) => shown !== null, 60)

  await t.test('measures on the slide, in micrometres', async t => {
    await viewer.view({ x: 960, y: 540, scale: 1 })
    await viewer.until('native pixels', ({ truth, viewport, drawnViewport }) => truth.pixels === 'native' && viewport?.x === drawnViewport?.x, 60)
    let lines: number[] = []
    for (let y = 300; y < 420 && lines.length < 3; y += 10) lines = await brightLines(viewer, y, [3, 5])
    const first = lines.find(x => x > 100 && x < 500 && lines.includes(x + CELL_WIDTH)) ?? 0
    t.ok(first > 0, `lines of the calibration slide at ${lines.join(' ')}`)
    await page.keyboard.press('m')
    await page.mouse.click(first, 450)
    await page.mouse.click(first + CELL_WIDTH, 450)
    const { measurements } = await viewer.until('the measurement', inspection => inspection.measurements.length === 1)
    t.same(measurements, [{ kind: 'distance', unit: 'micrometre', value: CELL_WIDTH * SPECIMEN_MICROMETRES_PER_PIXEL }])
    const scale = await page.evaluate(() => {
      const bar = document.querySelector<HTMLElement>('.live-scale .bar')
      return { micrometres: Number(bar?.dataset['micrometres']), width: bar?.getBoundingClientRect().width ?? 0 }
    })
    t.ok(Math.abs(scale.width * SPECIMEN_MICROMETRES_PER_PIXEL - scale.micrometres) < 0.5 * SPECIMEN_MICROMETRES_PER_PIXEL, 'the bar is as long as it says')
    const start = (): Promise<number> => page.evaluate(() => Number(document.querySelector('.measure-layer circle')?.getAttribute('cx')))
    t.equal(await start(), first, 'is drawn where it was set')
    await page.keyboard.press('Escape')
    await page.keyboard.press('g')
    const from = await viewer.until('the stage', ({ stage, members }) => stage !== null && members.length > 0)
    const to = (from.stage?.x ?? 0) + 20 * SPECIMEN_MICROMETRES_PER_PIXEL
    const deadline = performance.now() + 20_000
    // Until the stage is held a command is refused, and not repeated by itself.
    for (let x = from.stage?.x; x !== to && performance.now() < deadline; x = (await viewer.inspect()).stage?.x) {
      await page.evaluate(x => (globalThis as ViewerGlobal).kenkyo.moveStage({ x }), to)
      await page.evaluate(() => new Promise(resolve => requestAnimationFrame(resolve)))
    }
    await viewer.until('the stage there', ({ stage }) => stage?.x === to && !stage.isMoving)
    await page.waitForFunction(x => Math.abs(Number(document.querySelector('.measure-layer circle')?.getAttribute('cx')) - x) < 0.11, first - 20)
    t.pass('and goes with the slide')
  })

  await t.test('touch pinches, a pen drags, and both are to the pixel', async t => {
    const cdp = await page.context().newCDPSession(page)
    await viewer.view({ x: 960, y: 540, scale: 2 })
    await touch(cdp, 'touchStart', [[540, 360]])
    await touch(cdp, 'touchStart', [[540, 360], [740, 360]])
    for (const half of [120, 150, 200]) await touch(cdp, 'touchMove', [[640 - half, 360], [640 + half, 360]])
    await touch(cdp, 'touchEnd', [])
    const pinched = await viewer.until('the pinch', ({ viewport }) => viewport?.scale === 4)
    t.equal((pinched.viewport?.x ?? 0) + 640 / 4, 960, 'about the middle of the fingers')
    const mouse = (type: 'mousePressed' | 'mouseMoved' | 'mouseReleased', x: number, y: number): Promise<unknown> =>
      cdp.send('Input.dispatchMouseEvent', { type, x, y, button: 'left', buttons: type === 'mouseReleased' ? 0 : 1, clickCount: 1, pointerType: 'pen' })
    await mouse('mousePressed', 700, 400)
    await mouse('mouseMoved', 660, 380)
    await mouse('mouseMoved', 620, 340)
    await mouse('mouseReleased', 620, 340)
    const dragged = await viewer.until('the pen', ({ viewport }) => viewport?.x !== pinched.viewport?.x)
    t.equal(dragged.viewport?.x, (pinched.viewport?.x ?? 0) + 80 / 4)
    t.equal(dragged.viewport?.y, (pinched.viewport?.y ?? 0) + 60 / 4)
  })

  await t.test('the minimap is dragged', async t => {
    await viewer.view({ x: 960, y: 540, scale: 2 })
    const box = await page.locator('.minimap').boundingBox()
    if (box === null) throw new Error('no minimap')
    await page.mouse.move(box.x + box.width / 2, box.y + box.height / 2)
    await page.mouse.down()
    await page.mouse.move(box.x + box.width * 0.4, box.y + box.height * 0.4, { steps: 3 })
    await page.mouse.up()
    const { viewport } = await viewer.inspect()
    const centre = (viewport?.x ?? 0) + (viewport?.width ?? 0) / 2
    t.ok(Math.abs(centre - 1920 * 0.4) < 12, `centre at ${centre}`)
  })

  await t.test('the keyboard alone reaches everything, and one sees where it is', async t => {
    await page.keyboard.press('m')
    await page.keyboard.press('n')
    await page.locator('.controls button').last().click({ timeout: 5000 })
    await page.evaluate(() => (document.activeElement as HTMLElement | null)?.blur())
    const wanted = await page.evaluate(() => {
      const all = [...document.querySelectorAll<HTMLElement>('button:not(:disabled), a[href], input, select, [tabindex="0"]')].filter(element => element.checkVisibility({ visibilityProperty: true }))
      all.forEach((element, index) => (element.dataset['reach'] = String(index)))
      return all.map((element, index) => `${index} ${element.getAttribute('aria-label') ?? element.textContent}`)
    })
    t.ok(wanted.length > 20)
    const [reached, unseen] = [new Set<string>(), [] as string[]]
    for (let presses = 0; presses < 2 * wanted.length && reached.size < wanted.length; presses++) {
      await page.keyboard.press('Tab')
      const { reach, outline, name } = await page.evaluate(() => {
        const element = document.activeElement as HTMLElement
        return { reach: element.dataset['reach'], outline: getComputedStyle(element).outlineStyle, name: element.outerHTML.slice(0, 90) }
      })
      if (reach === undefined) continue
      reached.add(reach)
      if (outline === 'none') unseen.push(name)
    }
    t.same(wanted.filter((_, index) => !reached.has(String(index))), [], 'everything is reached')
    t.same(unseen, [], 'and its focus seen')
    await page.locator('.picture').focus()
    for (const key of ['Enter', 'ArrowRight', 'Enter']) await page.keyboard.press(key)
    const { measurements, canvas, viewport } = await viewer.until('a measurement by keys', inspection => inspection.measurements.length === 2)
    t.ok(Math.abs((measurements[1]?.value ?? 0) - (canvas.width / 8 / (viewport?.scale ?? 1)) * SPECIMEN_MICROMETRES_PER_PIXEL) < 1e-6)
  })

  await t.test('letters do nothing where they are switched off, and arrows still do', async t => {
    await page.keyboard.press('?')
    await page.locator('.sheet input').uncheck()
    await page.keyboard.press('Escape')
    const { viewport } = await viewer.inspect()
    await page.keyboard.press('0')
    t.same((await viewer.inspect()).viewport, viewport)
    await page.keyboard.press('ArrowLeft')
    t.not((await viewer.inspect()).viewport?.x, viewport?.x)
    await page.locator('.menu button').last().click()
    await page.locator('.sheet input').check()
    await page.keyboard.press('Escape')
  })

  for (const language of ['en', 'ja']) {
    for (const size of SIZES) {
      await t.test(`${language} at ${size.width}x${size.height}: no serious barrier, nothing over anything else`, async t => {
        if ((await page.getAttribute('html', 'lang')) !== language) await page.keyboard.press('l')
        await page.setViewportSize(size)
        await viewer.until('the window', ({ canvas }) => canvas.width === size.width)
        await viewer.view({ x: 960, y: 540, scale: 2 * size.width / SMALL.width })
        await viewer.until('drawn', ({ viewport, drawnViewport }) => viewport?.scale === drawnViewport?.scale, 60)
        if (language === 'en') {
          const { badge, quality, ...rest } = await standing(page)
          const { badge: badgeBefore, quality: qualityBefore, ...restBefore } = before.get(size.width) ?? {}
          t.same(rest, restBefore, 'nothing jumped when the picture came')
          t.same([badge, quality], [badgeBefore, qualityBefore])
        }
        t.same(await disorder(page), [])
        t.same(await barriers(page), [])
        if (screenshots !== undefined) await page.screenshot({ path: `${screenshots}-${language}-${size.width}.png` })
        await page.keyboard.press('?')
        await page.waitForSelector('.sheet')
        t.same(await barriers(page), [], 'with help')
        if (screenshots !== undefined) await page.screenshot({ path: `${screenshots}-${language}-${size.width}-help.png` })
        await page.keyboard.press('Escape')
        if (language === 'ja') {
          const words = await page.evaluate(() => [...document.querySelectorAll('.chrome :is(button, h2, .quality, .quality-why, .badge span, .measure p, .role)')].map(element => element.getAttribute('aria-label') ?? element.textContent))
          t.same(words.filter(word => /[a-z]{4}/.test(word) && !/English|Escape|Enter/.test(word)), [], 'in Japanese')
        }
      })
    }
  }
  t.same(viewer.pageErrors, [])
})

t.test('without calibration a known distance of the test card is measured in pixels, to the pixel', async t => {
  const consultation = 'pattern'
  await using microscope = Microscope.start(await under.invite('microscope', { consultation, member: 'scope' }), ['--source', 'pattern', ...FRAMES, '--columns', '4', '--rows', '4'])
  await using viewer = await BrowserViewer.open(await under.invite('viewer', { consultation }), SMALL)
  const { page } = viewer
  t.ok(microscope)
  await viewer.until('a picture', ({ shown }) => shown !== null, 60)
  await viewer.view({ x: 960, y: 540, scale: 1 })
  const { drawnViewport } = await viewer.until('native pixels', ({ truth, viewport, drawnViewport }) => truth.pixels === 'native' && viewport?.x === drawnViewport?.x, 60)
  const [left, top] = [drawnViewport?.x ?? 0, drawnViewport?.y ?? 0]
  // Between the reference line along the upper border of a tile and its code there are the lines along its sides alone.
  const lines = await brightLines(viewer, 270 + LINE_INSET_PIXELS + 4 - top, [1, 3])
  const [from, to] = [480 + LINE_INSET_PIXELS - left, 960 + LINE_INSET_PIXELS - left]
  t.ok(lines.includes(from) && lines.includes(to), `lines at ${lines.join(' ')}, of them ${from} and ${to}`)
  await page.keyboard.press('m')
  await page.mouse.click(from, 450)
  await page.mouse.click(to, 450)
  await page.keyboard.press('m')
  await page.keyboard.press('m')
  for (const [x, y] of [[from, 200], [to, 200], [to, 300], [from, 300], [from, 300]] as const) await page.mouse.click(x, y)
  const { measurements } = await viewer.until('both', inspection => inspection.measurements.length === 2)
  t.same(measurements, [{ kind: 'distance', unit: 'pixel', value: 480 }, { kind: 'area', unit: 'pixel', value: 48_000 }])
  t.match(await page.locator('.measure ol').innerText(), /480 px/)
  t.same(viewer.pageErrors, [])
})
