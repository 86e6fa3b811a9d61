import { t } from 'tap'
import { ForeignProgram } from '../harness/foreign-program.ts'
import { NodeUnderTest } from '../harness/node-under-test.ts'
import { RawClient } from '../harness/raw-client.ts'
import type { ForeignLine } from '../harness/foreign-program.ts'
import type { RawMessage } from '../harness/raw-client.ts'

const isFrame = (line: ForeignLine): boolean => 'width' in line
const isSession = (line: ForeignLine): boolean => 'status' in line
const isEnd = (line: ForeignLine): boolean => 'deleted' in line

interface Published {
  readonly pyramid: { readonly width: number; readonly height: number; readonly columns: number; readonly rows: number; readonly framesPerSecond: number; readonly renditions: readonly object[] }
}

/** Waits longer than for a message that is due: the far end is a program that starts. */
async function published(witness: RawClient, sender: ForeignProgram, since = 0): Promise<Published | null> {
  await sender.until('a session', isSession)
  return publicationIn(await witness.find(message => publicationIn(message) !== null, since))
}

const publicationIn = (message: RawMessage): Published | null => (message.type === 'publicationChanged' ? (message['publication'] as Published | null) : null)

t.test('what aiortc publishes by WHIP, GStreamer watches by WHEP', async t => {
  await using node = await NodeUnderTest.open()
  await using witness = await RawClient.join(await node.invite('viewer', { member: 'witness' }))
  await using sender = ForeignProgram.start('aiortc', 'publish', await node.invite('microscope', { member: 'aiortc' }), 60)
  t.match((await sender.until('a session', isSession))[0], { status: 201, location: /^\/whip\/sessions\// })
  const { pyramid } = (await published(witness, sender)) ?? (t.fail('nothing is published') as never)
  t.match(pyramid, { width: 640, height: 360, columns: 0, rows: 0, renditions: [{ id: 'overview', codec: 'H264', width: 640, height: 360 }] })
  t.ok(pyramid.framesPerSecond > 10 && pyramid.framesPerSecond < 60, `${pyramid.framesPerSecond} frames per second`)
  await using watcher = ForeignProgram.start('gstreamer', 'watch', await node.invite('viewer', { member: 'gstreamer' }), 60)
  const frames = await watcher.until('frames', isFrame, 30)
  t.match(frames.at(-1), { width: 640, height: 360 })
  const { left, right } = frames.at(-1) as { left: number; right: number }
  t.ok(left < 60 && right > 190, `what was sent is what is seen: ${left} to ${right}`)
})

for (const codec of ['H264', 'VP9']) {
  t.test(`what GStreamer publishes by WHIP in ${codec}, ${codec === 'H264' ? 'aiortc' : 'GStreamer'} watches by WHEP`, async t => {
    await using node = await NodeUnderTest.open()
    await using witness = await RawClient.join(await node.invite('viewer', { member: 'witness' }))
    await using sender = ForeignProgram.start('gstreamer', 'publish', await node.invite('microscope', { member: 'gstreamer' }), 60, [codec])
    t.match((await sender.until('a session', isSession))[0], { status: 201 })
    t.match((await published(witness, sender))?.pyramid, { width: 640, height: 360, renditions: [{ id: 'overview', codec }] })
    await using watcher = ForeignProgram.start(codec === 'H264' ? 'aiortc' : 'gstreamer', 'watch', await node.invite('viewer', { member: 'watcher' }), 60, codec === 'H264' ? [] : [codec])
    const frames = await watcher.until('frames', isFrame, 30)
    t.match(frames.at(-1), { width: 640, height: 360 })
  })
}

t.test('a publisher that leaves ends its publication, one that dies loses it with its consent', async t => {
  await using node = await NodeUnderTest.open()
  await using witness = await RawClient.join(await node.invite('viewer', { member: 'witness' }))
  const over = (): Promise<RawMessage> => witness.find(message => message.type === 'publicationChanged' && message['publication'] === null)
  await using leaving = ForeignProgram.start('aiortc', 'publish', await node.invite('microscope', { member: 'aiortc' }), 6)
  t.ok(await published(witness, leaving))
  t.match((await leaving.until('the end', isEnd))[0], { deleted: 200 })
  await over()
  const since = witness.received.length
  await using dying = ForeignProgram.start('aiortc', 'publish', await node.invite('microscope', { member: 'aiortc' }), 60)
  t.ok(await published(witness, dying, since))
  await dying.kill()
  const deadline = performance.now() + 20_000
  // aiortc knows UDP alone, where nothing tells of its end but that consent runs out, after 10 s.
  while (node.node.health.publications > 0 && performance.now() < deadline) await new Promise(resolve => setImmediate(resolve))
  t.equal(node.node.health.publications, 0)
})
