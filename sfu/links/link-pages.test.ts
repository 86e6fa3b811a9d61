// May share the machine with one other.
import { once } from 'node:events'
import { get } from 'node:http'
import { t } from 'tap'
import { chromium } from 'playwright-core'
import { chromiumPath } from '../../bench/chromium.ts'
import { createLogger } from '../../relay/runtime/log.ts'
import { FakeLinks } from '../../test/fakes/fake-links.ts'
import { HttpServer } from '../http-server.ts'
import { LinkPages, MAX_EVENT_CLIENTS } from './link-pages.ts'
import type { IncomingMessage } from 'node:http'
import type { LinkHistoryReport } from './link-pages.ts'

/** The page of fake links, on a server that has no viewer. */
class PagesUnderTest implements AsyncDisposable {
  static readonly #start = 1_700_000_000_000
  #now = PagesUnderTest.#start
  readonly links = new FakeLinks(5, () => this.#now)
  readonly pages = new LinkPages(this.links)
  #server: HttpServer | undefined

  async open(): Promise<string> {
    this.#server = await HttpServer.open({
      host: '127.0.0.1', port: 0, viewerDir: '/nonexistent', log: createLogger({ level: 'silent', program: 'node' }), links: this.pages,
      health: () => { throw new Error('not asked for') }, metrics: () => Promise.resolve(''),
    })
    return this.#server.origin
  }

  pass(seconds: number): void {
    for (let second = 0; second < seconds; second++) this.pages.update((this.#now += 1000))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.pages.close()
    await this.#server?.close()
  }
}

async function listen(origin: string): Promise<IncomingMessage> {
  const [response] = await once(get(`${origin}/links/events`, { agent: false }), 'response') as [IncomingMessage]
  return response
}

t.test('the page needs no built viewer, speaks the language of its reader, and has no inline script', async t => {
  await using under = new PagesUnderTest()
  const origin = await under.open()
  const page = await fetch(`${origin}/links`, { headers: { 'accept-language': 'ja' } })
  const text = await page.text()
  t.match(text, '<html lang="ja">')
  t.notMatch(text, /<script(?![^>]* src=)|\bon\w+=|javascript:/)
  t.notMatch(page.headers.get('content-security-policy'), /script-src[^;]*unsafe/)
  t.match(await (await fetch(`${origin}/links?lang=en`, { headers: { 'accept-language': 'ja' } })).text(), '<html lang="en">')
  t.match(await (await fetch(`${origin}/links?lang=<script>`)).text(), '<html lang="en">')
  t.equal((await fetch(`${origin}/links/page/../link-pages.ts`)).status, 404)
})

t.test('links.json has what is true now and what was in the last minutes', async t => {
  await using under = new PagesUnderTest()
  const origin = await under.open()
  t.same((await (await fetch(`${origin}/links.json`)).json() as LinkHistoryReport).links, [])
  under.pass(20)
  const { links, at } = await (await fetch(`${origin}/links.json`)).json() as LinkHistoryReport
  t.equal(at, 1_700_000_020_000)
  t.same(links.map(({ snapshot }) => snapshot.link), ['kita-hospital', 'university'])
  t.equal(links[0]!.series!.paths['mobile']!.roundTrip.length, 20)
})

t.test('every reader of events is told at once and then with every update, and there are no more than so many', async t => {
  await using under = new PagesUnderTest()
  const origin = await under.open()
  under.pass(1)
  const readers = await Promise.all(Array.from({ length: MAX_EVENT_CLIENTS }, () => listen(origin)))
  t.match(readers[0]!.headers['content-type'], /^text\/event-stream/)
  const refused = await listen(origin)
  t.equal(refused.statusCode, 503)
  refused.destroy()
  const [reader] = readers as [IncomingMessage]
  reader.setEncoding('utf8')
  let text = ''
  reader.on('data', (chunk: string) => (text += chunk))
  while (!text.includes('"at":1700000001000')) await once(reader, 'data')
  under.pass(1)
  while (!text.includes('"at":1700000002000')) await once(reader, 'data')
  t.match(text, /^event: update\ndata: \{/)
  for (const it of readers) it.destroy()
  while (under.pages.clientCount > 0) await new Promise(resolve => setImmediate(resolve))
  const again = await listen(origin)
  t.equal(again.statusCode, 200, 'a place that is given up is free')
  again.destroy()
})

t.test('a reader that does not read is cut off', async t => {
  await using under = new PagesUnderTest()
  const origin = await under.open()
  under.pass(1)
  const reader = await listen(origin)
  reader.pause()
  for (let update = 0; update < 5000 && under.pages.clientCount > 0; update++) {
    under.pass(1)
    await new Promise(resolve => setImmediate(resolve))
  }
  t.equal(under.pages.clientCount, 0)
  t.equal(under.pages.takeCutOff(), 1)
  t.equal(under.pages.takeCutOff(), 0)
  reader.destroy()
})

t.test('a browser draws it under the policy, live, for the keyboard too, and says when it is stale', async t => {
  await using under = new PagesUnderTest()
  const origin = await under.open()
  under.pass(100)
  under.links.plant({ kind: 'path_down', link: 'kita-hospital', path: 'ftth' })
  under.pass(20)
  const browser = await chromium.launch({ executablePath: chromiumPath(), args: ['--no-sandbox', '--disable-gpu'] })
  t.teardown(() => browser.close())
  const page = await browser.newPage({ viewport: { width: 1400, height: 900 }, locale: 'en-US' })
  const complaints: string[] = []
  page.on('pageerror', error => complaints.push(error.message))
  page.on('console', message => complaints.push(message.text()))
  await page.goto(`${origin}/links`)
  await page.waitForSelector('#link-kita-hospital canvas')
  t.equal(await page.textContent('#link-kita-hospital .verdict'), '▲ ftth is down')
  t.match(await page.textContent('#link-kita-hospital .event-list li'), /ftth went down.*round trip \d+/)

  const drawn = await page.evaluate(() => [...document.querySelectorAll<HTMLCanvasElement>('#link-kita-hospital canvas')].map(canvas => {
    const { data } = canvas.getContext('2d')!.getImageData(0, 0, canvas.width, canvas.height)
    return data.some((value, index) => index % 4 === 3 && value > 0)
  }))
  t.same(drawn, Array<boolean>(6).fill(true), 'three pictures for each path')

  const height = await page.evaluate(() => document.querySelector('#link-university')!.getBoundingClientRect().top)
  under.links.mend()
  under.pass(1)
  await page.waitForFunction(() => document.querySelector('#link-kita-hospital .verdict')?.textContent === '● As agreed')
  t.equal(await page.evaluate(() => document.querySelector('#link-university')!.getBoundingClientRect().top), height, 'nothing moves')

  await page.focus('#link-kita-hospital .plot')
  const time = (): Promise<string | null> => page.textContent('#link-kita-hospital .plot .u-value')
  const last = await time()
  await page.keyboard.press('PageUp')
  t.not(await time(), last, 'a key moves along the plot')

  await page.waitForFunction(() => /^Stale since \d+ s$/.test(document.querySelector('#status')?.textContent ?? ''), undefined, { timeout: 8000 })
  under.pass(1)
  await page.waitForFunction(() => document.querySelector('#status')?.textContent === 'Live')
  t.same(complaints, [])
})
