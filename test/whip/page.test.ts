// May share the machine with one other.
import { t } from 'tap'
import { BrowserViewer } from '../../bench/chromium.ts'
import { ForeignProgram } from '../harness/foreign-program.ts'
import { NodeUnderTest } from '../harness/node-under-test.ts'

t.test('the page shows what a WHIP client publishes, at one encoded pixel per device pixel as native', async t => {
  await using node = await NodeUnderTest.open()
  await using sender = ForeignProgram.start('aiortc', 'publish', await node.invite('microscope', { member: 'aiortc' }), 120)
  await sender.until('a session', line => 'status' in line)
  await using viewer = await BrowserViewer.open(await node.invite('viewer'), { width: 1280, height: 720 })
  await viewer.until('a picture', ({ shown }) => shown !== null, 60)
  const seen = await viewer.until('the overview alone', ({ watching }) => watching.length === 1)
  t.same(seen.watching, ['overview'])
  await viewer.view({ x: 320, y: 180, scale: 1 })
  await viewer.until('native pixels', ({ truth }) => truth.kind === 'native')
  await viewer.view({ x: 320, y: 180, scale: 2 })
  await viewer.until('enlarged pixels', ({ truth }) => truth.kind === 'upscaled' && truth.factor === 2)
  t.same(viewer.pageErrors, [])
})
