import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { t } from 'tap'
import { BrowserViewer } from '../../bench/chromium.ts'
import { Microscope } from '../harness/microscope.ts'
import { NodeUnderTest } from '../harness/node-under-test.ts'
import type { Inspection } from '../../clients/viewer/inspect.ts'
import type { AxeResults } from 'axe-core'
import type { Page } from 'playwright-core'

type ViewerGlobal = typeof globalThis & { readonly axe: { run(): Promise<AxeResults> }; readonly kenkyo: { claimStage(): Promise<void>; moveStage(target: object): void } }

/** A microphone that beeps, and a person who allows it. */
const WITH_MICROPHONE = { args: ['--use-fake-device-for-media-stream', '--use-fake-ui-for-media-stream'] }
/** The same microphone, and a person who does not. */
const DENIED = { args: ['--use-fake-device-for-media-stream', '--deny-permission-prompts'] }
const WINDOW = { width: 1280, height: 720 }
/** Writes pictures of what is seen for a person to look at. */
const screenshots = process.env['KENKYO_SCREENSHOTS']
const axeSource = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')
const under = await NodeUnderTest.open()
t.teardown(() => under[Symbol.asyncDispose]())
const microscope = Microscope.start(await under.invite('microscope', { member: 'scope' }), [
  '--source', 'stage', '--width', '1920', '--height', '1080', '--columns', '2', '--rows', '2', '--frames-per-second', '5',
])
t.teardown(() => microscope[Symbol.asyncDispose]())
const reader = await BrowserViewer.open(await under.invite('viewer', { member: 'reader' }), WINDOW, WITH_MICROPHONE)
t.teardown(() => reader[Symbol.asyncDispose]())
const technician = await BrowserViewer.open(await under.invite('technician', { member: 'hands' }), { width: 1024, height: 600, locale: 'ja-JP' }, WITH_MICROPHONE)
t.teardown(() => technician[Symbol.asyncDispose]())

const photograph = async ({ page }: BrowserViewer, name: string): Promise<void> => {
  if (screenshots !== undefined) await page.screenshot({ path: `${screenshots}-${name}.png` })
}
/** What axe-core takes to be a serious or critical barrier. */
async function barriers(page: Page): Promise<string[]> {
  await page.evaluate(axeSource)
  const { violations } = await page.evaluate(() => (globalThis as ViewerGlobal).axe.run())
  return violations.filter(({ impact }) => impact === 'serious' || impact === 'critical').map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' ')}`)
}
/** What is out of the window, or runs out of its box. */
const outside = (page: Page): Promise<string[]> =>
  page.evaluate(() => [...document.querySelectorAll<HTMLElement>('.technician, .technician button, .voice, .voice button, .tidings > :not(.visually-hidden)')]
    .filter(element => {
      const { left, top, right, bottom } = element.getBoundingClientRect()
      const scrolls = element.closest('.technician') !== null && bottom > innerHeight
      return left < 0 || top < 0 || right > innerWidth + 1 || (bottom > innerHeight && !scrolls) || element.scrollWidth > element.clientWidth + 2
    })
    .map(({ className, textContent }) => `${className} ${textContent}`))

const speak = ({ page }: BrowserViewer): Promise<void> => page.click('.voice .begin')
const energy = ({ voice }: Inspection): number => voice.received[0]?.totalAudioEnergy ?? 0
const packets = ({ voice }: Inspection): number => voice.received[0]?.packetsReceived ?? 0
const hears = (who: string) => ({ voice }: Inspection): boolean => voice.speakers.some(({ memberId, isSpeaking }) => memberId === who && isSpeaking)

t.test('nobody is asked for a microphone before he wants to speak', async t => {
  await reader.until('a picture', ({ shown }) => shown !== null, 60)
  const { voice } = await reader.inspect()
  t.match(voice, { state: 'off', refusal: null, isMicrophoneOpen: false, speakers: [], received: [] })
  const header = (await fetch(under.node.origin)).headers.get('permissions-policy')
  t.match(header, /microphone=\(self\)/)
})

t.test('both hear each other', async t => {
  await speak(reader)
  await technician.until('the reader is there', ({ voice }) => voice.speakers.length === 1, 30)
  await technician.until('the technician hears before he speaks', now => energy(now) > 0, 30)
  await speak(technician)
  await reader.until('the reader hears the technician', now => energy(now) > 0 && hears('hands')(now), 30)
  await technician.until('who speaks is told', hears('reader'), 30)
  await reader.until('the level of the own microphone', ({ voice }) => voice.level > 0.2, 10)
  t.match((await reader.inspect()).voice, { state: 'on', isMicrophoneOpen: true, isBlocked: false, fault: null })
  t.equal(await technician.page.locator('.voices .closed').count(), 0)
  await photograph(reader, 'reader-speaks')
})

t.test('what is muted does not arrive, and holding the space bar lets it through', async t => {
  await reader.page.locator('canvas.picture').focus()
  await reader.page.keyboard.press('Shift+M')
  t.match((await reader.inspect()).voice, { isMicrophoneOpen: false })
  const muted = await technician.until('told that it is closed', ({ voice }) => voice.speakers.some(({ memberId, isMicrophoneOpen }) => memberId === 'reader' && !isMicrophoneOpen), 10)
  const after = await technician.until('a reading after that', ({ voice }) => voice.readings >= muted.voice.readings + 2, 10)
  const later = await technician.until('more readings', ({ voice }) => voice.readings >= after.voice.readings + 3, 10)
  t.equal(packets(later), packets(after), 'not one packet')
  t.ok(packets(after) > 0)
  t.notOk(hears('reader')(later))
  await photograph(reader, 'reader-muted')
  await reader.page.keyboard.down('Space')
  await technician.until('packets while the key is held', now => packets(now) > packets(later), 10)
  t.match((await reader.inspect()).voice, { isMicrophoneOpen: true })
  await reader.page.keyboard.up('Space')
  await technician.until('closed again', ({ voice }) => voice.speakers.some(({ memberId, isMicrophoneOpen }) => memberId === 'reader' && !isMicrophoneOpen), 10)
  await reader.page.click('.voice .mute')
  const open = await technician.until('open again', ({ voice }) => voice.speakers.every(({ isMicrophoneOpen }) => isMicrophoneOpen), 10)
  await technician.until('heard again', now => energy(now) > energy(open), 10)
})

t.test('the devices can be chosen', async t => {
  await reader.page.click('.voice [aria-expanded]')
  const inputs = await reader.page.locator('.voice-settings select').first().locator('option').count()
  t.ok(inputs > 1, `${inputs} inputs`)
  const { voice } = await technician.inspect()
  await reader.page.locator('.voice-settings select').first().selectOption({ index: 1 })
  await technician.until('the other microphone is heard', now => energy(now) > energy({ voice } as Inspection) && hears('reader')(now), 20)
  await photograph(reader, 'reader-devices')
  t.same(await barriers(reader.page), [])
  await reader.page.click('.voice [aria-expanded]')
})

t.test('the technician sees who steers, and stops the stage, whoever does', async t => {
  await technician.until('a picture', ({ shown, stage }) => shown !== null && stage !== null, 30)
  await photograph(technician, 'technician-ja')
  t.same(await barriers(technician.page), [])
  t.same(await outside(technician.page), [])
  await reader.page.evaluate(() => (globalThis as ViewerGlobal).kenkyo.claimStage())
  await technician.page.locator('.technician .holder', { hasText: 'reader が操作中' }).waitFor({ timeout: 10_000 })
  await reader.page.evaluate(() => (globalThis as ViewerGlobal).kenkyo.moveStage({ x: 1000 }))
  await technician.page.click('.big-stop')
  const { stage } = await technician.until('the stage stands', now => now.stage?.stoppedBy !== null && now.stage?.isMoving === false, 10)
  t.match(stage, { holder: null, stoppedBy: { memberId: 'hands' } })
  await reader.until('the reader is told', now => now.stage?.stoppedBy?.memberId === 'hands', 10)
  await reader.page.evaluate(() => (globalThis as ViewerGlobal).kenkyo.moveStage({ x: 2000 }))
  await reader.until('who held it cannot go on', now => now.stage?.fault?.code === 'wrong_state', 10)
  await technician.page.click('.technician header button')
  t.equal(await technician.page.getAttribute('html', 'lang'), 'en')
  await technician.page.locator('.technician .holder', { hasText: 'Stopped by hands' }).waitFor({ timeout: 10_000 })
  await photograph(technician, 'technician-en')
  t.same(await barriers(technician.page), [])
  t.same(await outside(technician.page), [])
  t.equal(await technician.page.locator('.controls, .slide-drawer').count(), 0, 'nothing of it is the reader\'s page')
  t.same(technician.pageErrors, [])
})

t.test('who stops speaking lets go of the microphone, and is not listed any more', async t => {
  await reader.page.click('.voice .row button:last-child')
  await technician.until('one voice less', ({ voice }) => voice.speakers.length === 1 && voice.received.length === 0, 10)
  t.match((await reader.inspect()).voice, { state: 'off', isMicrophoneOpen: false, level: 0 })
  await speak(reader)
  await technician.until('heard again', now => energy(now) > 0, 20)
  t.same(reader.pageErrors, [])
})

for (const [locale, words] of [['en-US', /denied.*allow the microphone.*try again/], ['ja-JP', /拒否.*許可/]] as const) {
  t.test(`a microphone that is denied is said, with what to do, and the others are heard (${locale})`, async t => {
    await using viewer = await BrowserViewer.open(await under.invite('viewer', { member: 'denied' }), { ...WINDOW, locale }, DENIED)
    await viewer.until('the others are heard', now => now.voice.received.some(({ totalAudioEnergy }) => totalAudioEnergy > 0), 30)
    await speak(viewer)
    await viewer.until('denied', ({ voice }) => voice.refusal === 'denied', 20)
    t.match(await viewer.page.locator('.voice [role=alert]').innerText(), words)
    t.match((await viewer.inspect()).voice, { state: 'off', isMicrophoneOpen: false })
    await photograph(viewer, `denied-${locale}`)
    t.same(await barriers(viewer.page), [])
    t.same(await outside(viewer.page), [])
    t.same(viewer.pageErrors, [])
  })
}
