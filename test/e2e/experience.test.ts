// May share the machine with one other.
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { t } from 'tap'
import { BrowserViewer } from '../../bench/chromium.ts'
import { Microscope } from '../harness/microscope.ts'
import { NodeUnderTest } from '../harness/node-under-test.ts'

const CANVAS = { width: 1280, height: 720 }
const RATE = 10
const frameLog = join(t.testdir(), 'frames.log')
const CAPTURE = [
  '--source', 'pattern', '--frames-per-second', String(RATE), '--width', '1920', '--height', '1080', '--columns', '3', '--rows', '3',
  '--overview-width', '480', '--tile-bitrate', '1000000', '--overview-bitrate', '500000', '--frame-log', frameLog,
]
const INSTANTS = 20
/** Images reach the sender unevenly, and the RTP clock is even: an age is off by up to so much. */
const UNEVENNESS_MILLIS = 1000 / RATE

const under = await NodeUnderTest.open()
t.teardown(() => under[Symbol.asyncDispose]())
const microscope = Microscope.start(await under.invite('microscope', { member: 'scope' }), CAPTURE)
t.teardown(() => microscope[Symbol.asyncDispose]())
const viewer = await BrowserViewer.open(await under.invite('viewer'), CANVAS)
t.teardown(() => viewer[Symbol.asyncDispose]())
await viewer.view({ x: 960, y: 540, scale: 1 })

t.test('the viewer tells how old its picture is, and the agent\'s own log agrees', async t => {
  const told = new Map<number, { readonly drawnAtMs: number; readonly age: number }>()
  await viewer.until('ages of enough instants', ({ captureToGlassMillis, drawLog }) => {
    const last = drawLog.at(-1)
    if (captureToGlassMillis !== null && last !== undefined) told.set(last.rtpTimestamp, { drawnAtMs: last.drawnAtMs, age: captureToGlassMillis })
    return told.size >= INSTANTS
  }, 60)
  const lines = (await readFile(frameLog, 'utf8')).split('\n').map(line => line.split(' ').map(Number))
  const handedOver = new Map(lines.map(([timestamp, , atMs]) => [timestamp, atMs]))
  const errors = [...told].flatMap(([timestamp, { drawnAtMs, age }]) => {
    const atMs = handedOver.get(timestamp)
    return atMs === undefined ? [] : [age - (drawnAtMs - atMs)]
  }).sort((a, b) => a - b)
  t.ok(errors.length >= INSTANTS / 2)
  const error = errors[Math.floor(errors.length / 2)] ?? NaN
  t.ok(Math.abs(error) <= UNEVENNESS_MILLIS, `${error.toFixed(1)} ms off`)
})

t.test('it sums that up in a report', async t => {
  const { experience } = await viewer.until('a report of native pixels', now => now.experience !== null && now.experience.captureToGlassMillis !== null && now.experience.nativePixelRatio > 0.99, 30)
  t.ok(experience?.captureToGlassMillis && experience.captureToGlassMillis.p50 > 0 && experience.captureToGlassMillis.p50 <= experience.captureToGlassMillis.p95)
  t.ok(experience && experience.framesPerSecond > 0 && experience.framesPerSecond <= RATE * 1.5)
})

t.test('the panel says it in the viewer\'s language', async t => {
  await viewer.page.keyboard.press('i')
  t.match(await viewer.page.locator('.panel').innerText(), /(Capture to glass|撮影から表示まで)\s*\d+ ms · p95 \d+ ms/)
})

t.test('the node shows it under the link that the publication comes by', async t => {
  const deadline = performance.now() + 10_000
  const value = (name: string) => under.metric(`kenkyo_viewer_${name}`, { link: 'agent-1' })
  while ((await value('capture_to_glass_seconds_count')) === 0 && performance.now() < deadline) await new Promise(resolve => setTimeout(resolve, 100))
  t.ok((await value('capture_to_glass_seconds_count')) > 0)
  const rate = await value('frames_per_second')
  t.ok(rate > 0 && rate <= RATE * 1.5, `${rate} instants a second`)
  t.ok((await value('native_pixel_ratio')) > 0.5)
  t.same(viewer.pageErrors, [])
})
