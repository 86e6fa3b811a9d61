import { t } from 'tap'
import { readPatternTile } from '../../clients/capture/pattern.ts'
import { BrowserViewer } from '../../bench/chromium.ts'
import { Microscope } from '../harness/microscope.ts'
import { NodeUnderTest } from '../harness/node-under-test.ts'
import type { Inspection } from '../../clients/viewer/inspect.ts'

const TILE = { width: 640, height: 360 }
const CANVAS = { width: 1280, height: 720 }
const CAPTURE = [
  '--source', 'pattern', '--frames-per-second', '5', '--width', '3840', '--height', '2160', '--columns', '6', '--rows', '6',
  '--overview-width', '960', '--middle', 'half', '--tile-bitrate', '1000000', '--overview-bitrate', '500000',
]
/** Less than overview and nine tiles need, enough for one of them with four middle tiles around it. */
const DOWNLINK_MEGABITS = 6.5

const under = await NodeUnderTest.open()
t.teardown(() => under[Symbol.asyncDispose]())
const microscope = Microscope.start(await under.invite('microscope', { member: 'scope' }), CAPTURE)
t.teardown(() => microscope[Symbol.asyncDispose]())
const link = (await under.invite('viewer')).replace('/#', `/?downlink=${DOWNLINK_MEGABITS}#`)
const viewer = await BrowserViewer.open(link, CANVAS)
t.teardown(() => viewer[Symbol.asyncDispose]())
await viewer.until('the first picture', ({ shown }) => shown !== null, 60)

/** What takes the place of withheld tiles is drawn as well, all of one instant. */
const isSettled = ({ withheld, pointerIsNative, truth, heldOut }: Inspection): boolean =>
  withheld.length > 0 && pointerIsNative && heldOut.length === 0 && truth.pixels === 'upscaled' && truth.factor === 2

t.test('a line too narrow for the view: native under the eye, half resolution around it, and the screen says so', async t => {
  // The tile in the middle is entirely visible, with eight others around it.
  await viewer.view({ x: 2.5 * TILE.width, y: 2.5 * TILE.height, scale: 1 })
  const { watching, withheld, flowing, shown, pointerRendition } = await viewer.until('the rim at half resolution', isSettled, 30)
  t.equal(watching.length, 10)
  t.equal(pointerRendition, 'tile-2-2')
  t.notOk(withheld.some(({ renditionId }) => renditionId === 'tile-2-2'), 'what is under the eye is never withheld')
  t.same(new Set(withheld.map(({ cause, shownAs }) => `${cause} ${shownAs}`)), new Set(['downlink middle']))
  t.ok(flowing.some(id => id.startsWith('middle-')))
  t.equal(new Set(shown?.tiles.map(({ rtpTimestamp }) => rtpTimestamp)).size, 1, 'all of one instant')
  const notice = await viewer.page.locator('.withheld').innerText()
  t.match(notice, `(${withheld.length}/9 tiles)`)
  t.match(await viewer.page.locator('.badge').innerText(), /1:1 at the centre/)
  t.match(await viewer.page.locator('.withheld-outline path.middle').getAttribute('d'), /^M/)
})

t.test('the tile in the middle is there pixel by pixel', async t => {
  for (let attempt = 0; ; attempt++) {
    const pixels = await viewer.capturePixels({ x: 0, y: 0, ...CANVAS })
    const isNative = pixels.shown?.tiles.some(({ renditionId }) => renditionId === 'tile-2-2') === true
    if (!isNative && attempt < 20) continue
    const place = { x: (CANVAS.width - TILE.width) / 2, y: (CANVAS.height - TILE.height) / 2, tileWidth: TILE.width, tileHeight: TILE.height }
    t.match(readPatternTile(pixels, place), { column: 2, row: 2 })
    break
  }
})

t.test('what the pointer goes to becomes native', async t => {
  await viewer.page.mouse.move(CANVAS.width - 40, CANVAS.height - 40)
  const { watching } = await viewer.until('native at the pointer', now => now.pointerRendition === 'tile-3-3' && isSettled(now), 30)
  t.equal(watching[0], 'tile-3-3')
  t.match(await viewer.page.locator('.badge').innerText(), /1:1 at the pointer/)
})

t.test('where one tile suffices nothing is withheld, and nothing is said', async t => {
  await viewer.view({ x: 2.5 * TILE.width, y: 2.5 * TILE.height, scale: 2 })
  await viewer.until('all that is visible flows', ({ withheld, shown }) => withheld.length === 0 && shown?.tiles.some(({ renditionId }) => renditionId === 'tile-2-2') === true)
  t.equal(await viewer.page.locator('.withheld').count(), 0)
  t.equal(await viewer.page.locator('.withheld-outline').count(), 0)
})

t.test('it books what was drawn, and how soon tiles were sharp', async t => {
  const { tileTimings, drawLog, version } = await viewer.inspect()
  t.equal(version, 2)
  t.ok(tileTimings.some(({ renditionId }) => renditionId === 'tile-2-2'))
  t.ok(tileTimings.every(({ enteredAtMs, sharpAtMs }) => sharpAtMs >= enteredAtMs && Math.abs(Date.now() - sharpAtMs) < 120_000))
  t.ok(drawLog.length > 3 && drawLog.every(({ drawnAtMs }, index) => index === 0 || drawnAtMs > drawLog[index - 1]!.drawnAtMs))
  t.equal(new Set(drawLog.map(({ rtpTimestamp }) => rtpTimestamp)).size, drawLog.length, 'one entry for every instant')
  t.same(viewer.pageErrors, [])
})
