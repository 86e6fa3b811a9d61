// May share the machine with one other.
import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { t } from 'tap'
import { BrowserViewer } from '../../bench/chromium.ts'
import { NodeUnderTest } from '../harness/node-under-test.ts'
import { TestSlide } from '../harness/test-slide.ts'
import type { KenkyoHandle } from '../../clients/viewer/inspect.ts'
import type { Page } from 'playwright-core'
import type { AxeResults } from 'axe-core'

type ViewerGlobal = typeof globalThis & { readonly kenkyo: KenkyoHandle; readonly axe: { run(): Promise<AxeResults> } }

const axeSource = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')
/** Writes pictures of what is seen for a person to look at. */
const screenshots = process.env['KENKYO_SCREENSHOTS']
const under = await NodeUnderTest.open()
t.teardown(() => under[Symbol.asyncDispose]())

/** What axe-core takes to be a serious or critical barrier. */
async function barriers(page: Page): Promise<string[]> {
  const { violations } = await page.evaluate(() => (globalThis as ViewerGlobal).axe.run())
  return violations.filter(({ impact }) => impact === 'serious' || impact === 'critical').map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' ')}`)
}

for (const locale of ['en-US', 'ja-JP']) {
  t.test(`the slide screen has no serious barrier and nothing runs out of it (${locale})`, async t => {
    const consultation = `interface-${locale}`
    await using sent = await TestSlide.open(await under.invite('scanner', { consultation, member: 'scanner' }))
    await sent.sendAll()
    await using viewer = await BrowserViewer.open(await under.invite('viewer', { consultation, member: 'reader' }), { width: 1000, height: 700, locale })
    const { page } = viewer
    await page.evaluate(axeSource)
    await viewer.until('the slide in the list', ({ slides }) => slides.length === 1)
    await page.evaluate(slideId => (globalThis as ViewerGlobal).kenkyo.openSlide(slideId), sent.slideId)
    await viewer.until('the slide', ({ slide }) => slide?.truth.kind === 'exact')
    t.equal(await page.getAttribute('html', 'lang'), locale.slice(0, 2))
    await page.keyboard.press('t')
    await page.mouse.click(450, 300)
    await page.keyboard.type('mitosis?')
    await page.keyboard.press('Enter')
    await viewer.until('a text on it', ({ slide }) => slide?.annotations === 1)
    await page.keyboard.press('v')
    if ((await page.locator('.slide-drawer').count()) === 0) await page.keyboard.press('s')
    await page.waitForSelector('.slide-drawer .annotation-list')
    if (screenshots !== undefined) await page.screenshot({ path: `${screenshots}-${locale}.png` })
    t.same(await barriers(page), [], 'with the list of slides')
    await page.keyboard.press('s')
    await page.keyboard.press('?')
    await page.waitForSelector('.slide-help')
    if (screenshots !== undefined) await page.screenshot({ path: `${screenshots}-${locale}-help.png` })
    t.same(await barriers(page), [], 'with help')
    const outside = await page.evaluate(() => [...document.querySelectorAll<HTMLElement>('.slides.open :is(.badge, .heat, .controls, .slide-tools, .scale, .together, .slide-help)')]
      .filter(element => {
        const { left, top, right, bottom } = element.getBoundingClientRect()
        return left < 0 || top < 0 || right > innerWidth || bottom > innerHeight || element.scrollWidth > element.clientWidth + 1
      })
      .map(({ className }) => className))
    t.same(outside, [], 'everything is in the window')
    if (locale.startsWith('ja')) {
      const words = await page.evaluate(() => [...document.querySelectorAll('.slides.open :is(button, .badge span, .said)')].flatMap(element => [element.getAttribute('aria-label') ?? element.textContent]))
      t.same(words.filter(word => /[a-z]{4}/.test(word) && !/GeoJSON|Escape|Enter|English/.test(word)), [], 'in Japanese')
    }
    t.same(viewer.pageErrors, [])
  })
}
