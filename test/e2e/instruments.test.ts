// May share the machine with one other.
import { t } from 'tap'
import { BrowserViewer } from '../../bench/chromium.ts'
import { RawClient } from '../harness/raw-client.ts'
import { Stage as Scene } from '../harness/stage.ts'
import type { StageTarget } from '../../relay/wire/stage.ts'

const WINDOW = { width: 960, height: 640 }
const scene = await Scene.open(
  ['--source', 'stage', '--specimen', 'calibration', '--width', '1280', '--height', '720', '--columns', '2', '--rows', '2', '--frames-per-second', '10'],
  WINDOW,
)
t.teardown(() => scene[Symbol.asyncDispose]())
const reader = scene.viewer
const hands = await BrowserViewer.open(await scene.under.invite('viewer', { member: 'hands' }), WINDOW)
t.teardown(() => hands[Symbol.asyncDispose]())
// What a technician sees has a page of its own; here only what he may do counts.
const technician = await RawClient.join(await scene.under.invite('technician', { member: 'beside' }))
t.teardown(() => technician[Symbol.asyncDispose]())
await hands.until('the first picture', ({ shown }) => shown !== null, 60)

const moveStage = (viewer: BrowserViewer, target: StageTarget): Promise<void> =>
  viewer.page.evaluate(to => (globalThis as never as { kenkyo: { moveStage(target: StageTarget): void } }).kenkyo.moveStage(to), target)
const press = (viewer: BrowserViewer, name: string): Promise<void> => viewer.page.getByRole('button', { name, exact: true }).click()

t.test('both see who is there', async t => {
  await reader.until('all members', ({ members }) => ['someone', 'hands', 'beside', 'scope'].every(name => members.some(({ memberId }) => memberId === name)))
  t.match((await hands.inspect()).members.find(({ memberId }) => memberId === 'beside'), { role: 'technician', colour: Number })
})

t.test('of two viewers exactly one holds the stage; it is handed over, and the technician stops it', async t => {
  await Promise.all([reader, hands].map(viewer => viewer.page.keyboard.press('g')))
  for (const viewer of [reader, hands]) await viewer.until('a holder', ({ stage }) => stage?.holder !== null)
  const held = await Promise.all([reader, hands].map(async viewer => (await viewer.inspect()).stage))
  t.equal(held.filter(stage => stage?.isMine).length, 1)
  t.equal(new Set(held.map(stage => stage?.holder?.memberId)).size, 1, 'both know the same one')
  const [holder, other] = held[0]?.isMine === true ? [reader, hands] : [hands, reader]
  const to = holder === reader ? 'hands' : 'someone'
  const choice = holder.page.getByLabel('Hand over to…')
  await choice.selectOption({ label: (await choice.locator('option').allInnerTexts()).find(label => label.includes(to)) ?? to })
  await other.until('the stage', ({ stage }) => stage?.isMine === true)
  await technician.ok('stopStage')
  await reader.until('the stop', ({ stage }) => stage?.holder === null && stage.stoppedBy?.memberId === 'beside')
  await press(reader, 'Take the stage')
  await reader.until('the stage', ({ stage }) => stage?.isMine === true && stage.stoppedBy === null)
})

t.test('the pointer of one is seen by the other, where it points', async t => {
  await reader.page.mouse.move(400, 300)
  await reader.page.mouse.move(480, 320)
  await hands.until('the pointer', ({ pointing }) => pointing.pointers.some(({ memberId, at }) => memberId === 'someone' && Math.abs(at.x - 640) < 1 && Math.abs(at.y - 360) < 1))
  const drawn = await hands.page.locator('.pointing [data-member="someone"]').getAttribute('transform')
  t.equal(drawn, 'translate(480.0 320.0)')
})

t.test('what one draws is seen by both, stays with the tissue, and is taken back by who drew it', async t => {
  await press(hands, 'Arrow (A)')
  await hands.page.mouse.move(300, 300)
  await hands.page.mouse.down()
  await hands.page.mouse.move(500, 330, { steps: 3 })
  await hands.page.mouse.up()
  await hands.page.keyboard.press('Escape')
  const isDrawn = ({ pointing }: { pointing: { annotations: readonly { author: string }[] } }): boolean => pointing.annotations.length === 1
  for (const viewer of [reader, hands]) await viewer.until('the arrow', isDrawn)
  const shape = reader.page.locator('.pointing [data-annotation]')
  t.equal(await shape.getAttribute('data-author'), 'hands')
  const box = async (): Promise<{ x: number; y: number }> => (await shape.boundingBox()) ?? { x: NaN, y: NaN }
  const before = await box()
  const { stage } = await reader.inspect()
  const x = (stage?.x ?? 0) + 10
  const micrometresPerPixel = stage?.objectives.find(({ name }) => name === stage.objective)?.micrometresPerPixel ?? NaN
  await moveStage(reader, { x })
  await reader.until('the move', ({ stage: now, shown }) =>
    now !== null && now.x === x && !now.isMoving && now.rtpTimestamp !== null && shown !== null && ((shown.rtpTimestamp - now.rtpTimestamp) | 0) >= 0, 30)
  const after = await box()
  const scale = (await reader.inspect()).viewport?.scale ?? NaN
  t.ok(Math.abs(before.x - after.x - (10 / micrometresPerPixel) * scale) < 1.5, `from ${before.x} to ${after.x}`)
  await moveStage(reader, { objective: '10x' })
  await reader.until('the other objective', ({ stage: now, shown }) =>
    now?.objective === '10x' && now.rtpTimestamp !== null && shown !== null && ((shown.rtpTimestamp - now.rtpTimestamp) | 0) >= 0, 30)
  await shape.waitFor({ state: 'detached', timeout: 10_000 })
  await reader.page.keyboard.press('u')
  t.equal((await reader.inspect()).pointing.annotations.length, 1, 'it is not the reader’s to take back')
  await hands.page.keyboard.press('u')
  for (const viewer of [reader, hands]) await viewer.until('nothing', ({ pointing }) => pointing.annotations.length === 0)
})

t.test('a flood of pointers is cut off, and the video of the others goes on', async t => {
  await using flood = await RawClient.join(await scene.under.invite('viewer', { member: 'flood' }))
  const { publicationId, framesDrawn } = await reader.inspect()
  for (let message = 0; message < 10_000; message++) flood.send({ type: 'pointAtImage', publicationId, rtpTimestamp: 0, at: null, requestId: 100 + message })
  t.equal(await flood.closed, 1008)
  await reader.until('more frames', now => now.framesDrawn > framesDrawn + 20, 30)
  t.equal((await reader.inspect()).connection, 'joined')
})
