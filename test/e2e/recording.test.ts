import { t } from 'tap'
import { BrowserViewer } from '../../bench/chromium.ts'
import { readPatternTile } from '../../clients/capture/pattern.ts'
import { Stage } from '../harness/stage.ts'
import type { Inspection } from '../../clients/viewer/inspect.ts'
import type { TileCode } from '../../clients/capture/pattern-code.ts'

const TILE = { width: 1280, height: 720 }
const stage = await Stage.open(['--source', 'pattern', '--frames-per-second', '4', '--width', '3840', '--height', '2160', '--columns', '3', '--rows', '3', '--middle', 'none'], TILE)
t.teardown(() => stage[Symbol.asyncDispose]())
const { viewer, under } = stage
const other = await BrowserViewer.open(await under.invite('viewer', { member: 'other' }), TILE)
t.teardown(() => other[Symbol.asyncDispose]())

const isNativeAt = (column: number, row: number) => ({ truth, drawnViewport }: Pick<Inspection, 'truth' | 'drawnViewport'>): boolean =>
  truth.kind === 'native' && drawnViewport?.x === column * TILE.width && drawnViewport.y === row * TILE.height

async function goTo(who: BrowserViewer, column: number, row: number): Promise<void> {
  await who.view({ x: (column + 0.5) * TILE.width, y: (row + 0.5) * TILE.height, scale: 1 })
}

/** What the canvas shows when one tile fills it, natively. */
async function readTile(who: BrowserViewer, column: number, row: number): Promise<TileCode> {
  await goTo(who, column, row)
  for (;;) {
    await who.until(`tile ${column},${row}`, isNativeAt(column, row))
    const pixels = await who.capturePixels({ x: 0, y: 0, ...TILE })
    const code = isNativeAt(column, row)(pixels) ? readPatternTile(pixels, { x: 0, y: 0, tileWidth: TILE.width, tileHeight: TILE.height }) : undefined
    if (code !== undefined) return code
  }
}

const press = (who: BrowserViewer, selector: string): Promise<void> => who.page.click(selector)
/** Where the window is low, some controls are in a menu. */
async function control(label: string): Promise<void> {
  const button = viewer.page.getByRole('button', { name: label, exact: true })
  if (!(await button.isVisible())) await press(viewer, '.controls button[aria-label="More"]')
  await button.click()
}

t.test('a recording is announced to everybody, and replays with a view that its watcher did not have', async t => {
  const first = (await readTile(viewer, 0, 0)).frameNumber
  await readTile(other, 2, 2)
  await control('Recordings')
  await press(viewer, '[data-action="start"]')
  await press(viewer, '[data-answer="yes"]')
  const { recording } = await other.until('word of the recording', inspection => inspection.recording?.state === 'on')
  t.equal(recording?.by, 'someone')
  t.match(await other.page.innerText('.rec'), /REC.*someone/s, 'the other one sees who records')
  await control('Dim the controls')
  t.ok(await viewer.page.isVisible('.rec'), 'and nothing hides it')
  await control('Dim the controls')
  for (let frame = first; frame < first + 24; frame = (await readTile(viewer, 0, 0)).frameNumber);
  const last = (await readTile(viewer, 0, 0)).frameNumber
  t.ok(((await other.inspect()).recording?.bytes ?? 0) > 10_000, 'and how much it is')
  await press(viewer, '[data-action="stop"]')
  await press(viewer, '[data-answer="yes"]')
  await other.until('the end of the recording', inspection => inspection.recording?.state === 'off')
  const end = (await readTile(viewer, 0, 0)).frameNumber
  await viewer.page.waitForSelector('[data-action="watch"]')
  await press(viewer, '[data-action="watch"]')
  const { replay } = await viewer.until('the replay', inspection => inspection.replay?.status?.state === 'playing')
  t.equal(replay?.recordingId, recording?.recordingId)
  await viewer.until('some of it', inspection => (inspection.replay?.status?.positionMillis ?? 0) > 2500)
  await press(viewer, '[data-action="play"]')
  await viewer.until('a pause', inspection => inspection.replay?.status?.state === 'paused')
  const far = await readTile(viewer, 2, 2)
  t.match(far, { column: 2, row: 2 }, 'what only the other one watched')
  t.ok(far.frameNumber >= first && far.frameNumber <= end, `frame ${far.frameNumber} of ${first} to ${end}`)
  const near = await readTile(viewer, 0, 0)
  t.same(near, { column: 0, row: 0, frameNumber: far.frameNumber }, 'the same instant elsewhere')
  t.match(await viewer.page.innerText('.badge'), /Recording of/)
  await goTo(viewer, 1, 0)
  const unseen = await viewer.until('a tile that did not flow', ({ drawnViewport, truth }) => drawnViewport?.x === TILE.width && drawnViewport.y === 0 && truth.kind === 'upscaled')
  t.equal(unseen.truth.pixels, 'upscaled', 'is shown from the overview, and said to be')
  t.match(await viewer.page.innerText('.badge'), /not recorded/)
  await readTile(viewer, 2, 2)
  await viewer.page.locator('.replay-bar input').evaluate(input => {
    Object.assign(input, { value: '1000' })
    input.dispatchEvent(new Event('input', { bubbles: true }))
    input.dispatchEvent(new Event('change', { bubbles: true }))
  })
  await viewer.until('another position', inspection => Math.abs((inspection.replay?.status?.positionMillis ?? 0) - 1000) < 600)
  for (let seen = far; seen.frameNumber === far.frameNumber; seen = await readTile(viewer, 2, 2)) t.match(seen, { column: 2, row: 2 })
  const back = await readTile(viewer, 2, 2)
  t.ok(back.frameNumber < far.frameNumber, `back to frame ${back.frameNumber}`)
  t.same((await readTile(viewer, 0, 0)).frameNumber, back.frameNumber)
  await press(viewer, '[data-action="play"]')
  await viewer.until('its end', inspection => inspection.replay?.status?.state === 'ended', 30)
  await press(viewer, '[data-action="live"]')
  await viewer.until('the live image', inspection => inspection.replay === null && inspection.truth.kind === 'native')
  t.ok((await readTile(viewer, 0, 0)).frameNumber > last)
})

t.test('neither page threw anything', async t => {
  t.same([...viewer.pageErrors, ...other.pageErrors], [])
})
