/** The viewer in a real browser on a platform: let in by a grant, offered what it permits, and out when it ends. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { t } from 'tap'
import { BrowserViewer } from '../../bench/chromium.ts'
import { SMALL_SLIDE, writeSyntheticSlide } from '../../bench/slides/synthetic-slide.ts'
import { askCore } from '../../relay/access/core/core-request.ts'
import { PractitionerId } from '../../relay/wire/access.ts'
import { AgentsWorld, until, WITH_AGENTS } from '../harness/agents-world.ts'
import { Microscope } from '../harness/microscope.ts'
import { UNIVERSITY } from '../harness/platform-under-test.ts'
import type { Page, Request } from 'playwright-core'
import type { Test } from 'tap'
import type { AxeResults } from 'axe-core'
import type { KenkyoHandle } from '../../clients/viewer/inspect.ts'
import type { PracticeRole, Purpose } from '../../relay/wire/access.ts'

t.setTimeout(240_000)

type ViewerGlobal = typeof globalThis & { readonly kenkyo: KenkyoHandle; readonly axe: { run(): Promise<AxeResults> } }

const axeSource = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')
/** Writes pictures of what is seen for a person to look at. */
const screenshots = process.env['KENKYO_SCREENSHOTS']

const KENKYO = join(import.meta.dirname, '../../scripts/kenkyo.ts')
const PATTERN = ['--source', 'pattern', '--width', '640', '--height', '360', '--columns', '1', '--rows', '1', '--overview-width', '320', '--frames-per-second', '5']
const WINDOW = { width: 900, height: 700, locale: 'ja-JP' }

const practitioner = (id: string, role: PracticeRole) => ({ id: PractitionerId.parse(id), facilityId: UNIVERSITY, role, displayName: id, status: 'active' as const })
const PEOPLE = [practitioner('dr-sato', 'pathologist'), practitioner('dr-student', 'trainee')]

/** A platform on which people may sign in with a ticket, a microscope that publishes, and somebody's consent for teaching, too. */
async function openWorld(t: Test) {
  const world = await AgentsWorld.open({ allowTicketSignIn: true })
  t.teardown(() => world[Symbol.asyncDispose]())
  const { platform, desk } = world
  await platform.setRegistry({ ...WITH_AGENTS, practitioners: PEOPLE })
  const { consentId } = await platform.consent(desk, await platform.cards.issue('試験 太郎'), { purposes: ['consultation', 'teaching'] })
  /** The link of a viewer, as somebody is given it. */
  const link = async (who: string, purpose?: Purpose): Promise<string> => {
    const ticket = await world.node.ticket(PractitionerId.parse(who))
    return `${await world.node.invite('viewer', { member: who })}${purpose === undefined ? '' : `&purpose=${purpose}`}&ticket=${ticket}`
  }
  const open = async (who: string, purpose?: Purpose): Promise<BrowserViewer> => {
    const viewer = await BrowserViewer.open(await link(who, purpose), WINDOW)
    t.teardown(() => viewer[Symbol.asyncDispose]())
    return viewer
  }
  /** Everything that was consented to. @returns When the last of it was asked for, in milliseconds since the epoch. */
  const withdraw = async (): Promise<number> => {
    await askCore(platform.url, desk, { method: 'POST', path: `/core/consents/${world.consentId}/withdrawal` })
    const began = Date.now()
    await askCore(platform.url, desk, { method: 'POST', path: `/core/consents/${consentId}/withdrawal` })
    return began
  }
  return { world, open, withdraw }
}

async function publish(t: Test, world: AgentsWorld): Promise<void> {
  const microscope = Microscope.start(await world.invite('microscope', 'scope'), [...PATTERN, ...(await world.flags('scope'))])
  t.teardown(() => microscope[Symbol.asyncDispose]())
  await until(() => `a publication; the agent said: ${microscope.log}`, () => world.node.node.health.publications === 1)
}

async function scan(t: Test, world: AgentsWorld): Promise<void> {
  const folder = t.testdir({ state: {} })
  const slide = join(folder, 'slide.svs')
  await writeSyntheticSlide(slide, SMALL_SLIDE)
  const child = spawn(process.execPath, [KENKYO, 'scan', slide, '--json', '--state-dir', join(folder, 'state'), '--still-seconds', '0.1', ...(await world.flags('scanner'))], {
    stdio: ['ignore', 'ignore', 'pipe'], env: { ...process.env, KENKYO_INVITATION: await world.invite('scanner', 'scanner') },
  })
  const [stderr, exit] = await Promise.all([text(child.stderr), once(child, 'exit')])
  t.equal(exit[0], 0, stderr)
}

/** What the page asked for since. */
function watchRequests(page: Page): Request[] {
  const seen: Request[] = []
  page.on('request', request => void seen.push(request))
  return seen
}

/** What axe-core takes to be a serious or critical barrier. */
async function barriers(page: Page, name: string): Promise<string[]> {
  if (screenshots !== undefined) await page.screenshot({ path: `${screenshots}-${name}.png` })
  await page.evaluate(axeSource)
  const { violations } = await page.evaluate(() => (globalThis as ViewerGlobal).axe.run())
  return violations.filter(({ impact }) => impact === 'serious' || impact === 'critical').map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' ')}`)
}

/** When the page had painted why there is nothing to see, in milliseconds since the epoch. */
function noticed(page: Page): Promise<number> {
  return page.evaluate(() => new Promise<number>(resolve => {
    const look = (): void => {
      if (document.querySelector('.notice') === null) requestAnimationFrame(look)
      else requestAnimationFrame(() => resolve(Date.now()))
    }
    look()
  }))
}

/** Moves the pointer over the picture for longer than it takes to be shown to the others. */
async function wave(page: Page): Promise<void> {
  for (let step = 0; step < 60; step++) await page.mouse.move(300 + 3 * step, 250 + (step % 7) * 10)
}

const requestsOf = (world: AgentsWorld, type: string): Promise<number> => world.node.metric('kenkyo_signaling_requests_total', { type })

/** The brightest sample on the canvas. */
async function brightest(viewer: BrowserViewer): Promise<number> {
  const { data } = await viewer.capturePixels({ x: 0, y: 0, width: WINDOW.width, height: WINDOW.height })
  let most = 0
  for (let at = 0; at < data.length; at += 4) most = Math.max(most, data[at] ?? 0, data[at + 1] ?? 0, data[at + 2] ?? 0)
  return most
}

t.test('a pathologist sees the live image and a slide, every tile with a proof of its own, until the consent is withdrawn', async t => {
  const { world, open, withdraw } = await openWorld(t)
  await publish(t, world)
  await scan(t, world)
  const viewer = await open('dr-sato', 'consultation')
  const { page } = viewer
  await viewer.until('the live image', ({ framesDrawn, access }) => framesDrawn > 3 && access.mode === 'platform')
  t.same((await viewer.inspect()).access.actions.toSorted(), ['annotate', 'keep_still', 'point', 'speak', 'steer_stage', 'view_live', 'view_slide'])
  await wave(page)
  await until('a pointer that is shown', async () => (await requestsOf(world, 'pointAtImage')) > 0)

  const requests = watchRequests(page)
  const { slides } = await viewer.until('the slide in the list', ({ slides: each }) => each[0]?.state === 'complete')
  await page.evaluate(slideId => (globalThis as ViewerGlobal).kenkyo.openSlide(slideId), slides[0]?.slideId ?? null)
  await viewer.until('all visible tiles, proven', ({ slide }) => slide?.truth.kind === 'exact')
  const tiles = await Promise.all(requests.filter(request => /\/slides\/[^/]+\/tiles\//.test(request.url())).map(request => request.allHeaders()))
  t.ok(tiles.length > 0)
  t.ok(tiles.every(({ authorization }) => authorization?.startsWith('DPoP ') === true), 'none goes by an invitation')
  t.equal(new Set(tiles.map(({ dpop }) => dpop)).size, tiles.length, 'no proof is used twice')

  const signIns = (): number => requests.filter(request => request.url().includes('/access/sign-in')).length
  await page.reload()
  await page.waitForFunction(() => 'kenkyo' in globalThis)
  await viewer.until('the live image after a reload', ({ framesDrawn }) => framesDrawn > 3)
  t.equal(signIns(), 0, 'nobody signs in again for a reload')
  t.ok((await brightest(viewer)) > 60)

  const shown = noticed(page)
  const began = await withdraw()
  await page.waitForSelector('.notice', { timeout: 20_000 })
  t.comment(`the reason was on the screen ${(await shown) - began} ms after the withdrawal was asked for`)
  t.match(await page.textContent('.notice'), /患者さんが同意を撤回したため/)
  t.match(await viewer.until('the end', ({ connection }) => connection === 'refused'), { shown: null, slide: null, publicationId: null, access: { ended: 'consent_withdrawn', actions: [] } })
  t.same(await barriers(page, 'withdrawn'), [])
  t.ok((await brightest(viewer)) < 20, 'nothing of the picture is left on the canvas')
  t.same(viewer.pageErrors, [])
})

t.test('a trainee watches, is offered no more than that, and sends no pointer', async t => {
  const { world, open } = await openWorld(t)
  await publish(t, world)
  const viewer = await open('dr-student', 'teaching')
  const { page } = viewer
  await viewer.until('the live image', ({ framesDrawn }) => framesDrawn > 3)
  t.same((await viewer.inspect()).access.actions.toSorted(), ['view_live', 'view_slide'])
  await wave(page)
  await page.keyboard.press('k')
  await page.keyboard.press('g')
  await page.keyboard.press('a')
  for (const selector of ['.drawing-tools', '.voice .begin']) t.equal(await page.locator(selector).count(), 0, selector)
  t.equal(await page.locator('.controls button[disabled]').count() > 0, true)
  await viewer.until('more of the live image', ({ framesDrawn }) => framesDrawn > 10)
  for (const type of ['pointAtImage', 'keepStill', 'claimStage', 'annotateImage', 'speak']) t.equal(await requestsOf(world, type), 0, type)
  t.match(await viewer.inspect(), { connection: 'joined' })
  t.same(viewer.pageErrors, [])
})

t.test('whoever is not told what for is asked, and what the core\'s silence means is said', async t => {
  const { world, open } = await openWorld(t)
  const viewer = await open('dr-sato')
  const { page } = viewer
  await page.waitForSelector('.access-dialog [data-purpose=consultation]')
  t.same(await barriers(page, 'purpose'), [])
  await page.click('.access-dialog [data-purpose=consultation]')
  await viewer.until('to be let in', ({ connection, access }) => connection === 'joined' && access.purpose === 'consultation')
  await world.platform.core[Symbol.asyncDispose]()
  await page.waitForSelector('[data-access=core]', { timeout: 30_000 })
  t.match(await page.textContent('[data-access=core]'), /現在のアクセスは \d\d:\d\d まで有効、新しいアクセスは許可されません/)
  t.match(await viewer.inspect(), { connection: 'joined', access: { isCoreLost: true } })
  t.same(await barriers(page, 'core'), [])
})

t.test('without a consent the glass can be broken, for a reason, and it is on the screen all the time that it is', async t => {
  const { open } = await openWorld(t)
  // Nobody consented to that.
  const viewer = await open('dr-sato', 'intraoperative_diagnosis')
  const { page } = viewer
  await page.click('.notice .break-glass', { timeout: 30_000 })
  await page.click('.access-dialog button[type=submit]')
  t.equal((await viewer.inspect()).access.emergencyUntilMillis, null, 'not without a reason')
  t.same(await barriers(page, 'glass'), [])
  await page.check('.access-dialog input[value=frozen_section]')
  await page.click('.access-dialog button[type=submit]')
  const { access } = await viewer.until('to be let in', ({ connection }) => connection === 'joined')
  t.ok(access.actions.includes('view_live'))
  t.ok(Math.abs(Number(access.emergencyUntilMillis) - Date.now() - 3_600_000) < 60_000, 'for an hour')
  t.match(await page.textContent('[data-access=emergency]'), /同意なしの緊急アクセス中：.*（\d\d:\d\d まで）/)
  t.equal(await page.locator('.notice').count(), 0)
  await page.keyboard.press('n')
  t.match(await page.textContent('.own-access'), /術中迅速診断/)
  t.same(await barriers(page, 'emergency'), [])
  t.same(viewer.pageErrors, [])
})
