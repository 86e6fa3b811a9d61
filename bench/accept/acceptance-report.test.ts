// May share the machine with one other.
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { chromium } from 'playwright-core'
import t from 'tap'
import { chromiumPath } from '../chromium.ts'
import { concludeAcceptance } from './acceptance-conclusion.ts'
import { DIRECTIONS } from './acceptance-measurement.ts'
import { USES } from './acceptance-verdict.ts'
import { beyond, madeUpMeasurement } from './measured-line.ts'
import type { AcceptanceMeasurement, LoadDirection } from './acceptance-measurement.ts'

/** A4 within the margins of the page's own style, in CSS pixels. */
const PRINTED = { width: Math.floor((184 / 25.4) * 96), height: Math.floor((269 / 25.4) * 96) }

/** With every kind of reason, in both directions, and a name as long as a file allows. */
function faulty(): AcceptanceMeasurement {
  const fault = (direction: LoadDirection, bitsPerSecond: number) => (direction === 'out' ? beyond(60e6, bitsPerSecond, 350) : { lossRatio: 0.12, queueMillis: 30, reorderedMillis: 80 })
  const measurement = madeUpMeasurement(({ direction, bitsPerSecond }) => fault(direction, bitsPerSecond))
  return { ...measurement, isSimulated: true, line: 'a-line-between-two-hospitals-far-apart-by-a-provider-with-a-name' }
}

const browser = await chromium.launch({ executablePath: chromiumPath(), headless: true, args: ['--no-sandbox'] })
t.teardown(() => browser.close())
const directory = await mkdtemp(join(tmpdir(), 'kenkyo-acceptance-test-'))
t.teardown(() => rm(directory, { recursive: true, force: true }))

for (const language of ['en', 'ja'] as const) {
  for (const [name, measurement] of [['fit for everything', madeUpMeasurement()], ['fit for nothing', faulty()]] as const) {
    t.test(`the report of a line ${name} prints on two pages of A4, and none of it is cut off, in ${language}`, async t => {
      const reportFile = join(directory, `${language}.html`)
      await concludeAcceptance(measurement, { question: { uses: USES, directions: DIRECTIONS, slideBytes: 1.5e9 }, language, reportFile })
      const page = await browser.newPage({ viewport: PRINTED })
      await page.emulateMedia({ media: 'print' })
      await page.goto(pathToFileURL(reportFile).href)
      const tooWide = await page.evaluate(width => {
        const right = (document.documentElement.clientWidth + width) / 2
        return [...document.querySelectorAll('body *')]
          .filter(element => element.getBoundingClientRect().right > right + 1 || element.getBoundingClientRect().left < (document.documentElement.clientWidth - width) / 2 - 1)
          .map(element => `${element.tagName} ${element.textContent.slice(0, 40)}`)
      }, PRINTED.width)
      t.same(tooWide, [], 'nothing is wider than the page')
      const overlapping = await page.evaluate(() => [...document.querySelectorAll('td, th, dd, figcaption')].filter(cell => cell.scrollWidth > cell.clientWidth + 1).map(cell => cell.textContent))
      t.same(overlapping, [], 'no cell has more than fits into it')
      const figures = await page.evaluate(() => [...document.querySelectorAll('figure')].map(figure => figure.getBoundingClientRect().height))
      t.ok(figures.length >= 3 && figures.every(height => height > 50 && height < PRINTED.height), 'every plot has its place on one page')
      const pdf = await page.pdf({ preferCSSPageSize: true, path: join(directory, `${language}.pdf`) })
      const text = pdf.toString('latin1')
      t.equal(text.match(/\/Type \/Page\b(?!s)/g)?.length, 2)
      const [, width = 0, height = 0] = (/\/MediaBox \[0 0 ([\d.]+) ([\d.]+)\]/.exec(text) ?? []).map(Number)
      t.ok(Math.abs(width - 595) < 2 && Math.abs(height - 842) < 2, `${width} x ${height} points`)
      t.ok((await readFile(reportFile, 'utf8')).includes(`lang="${language}"`))
      await page.close()
    })
  }
}
