import { t } from 'tap'
import { ReceiverProcess } from '../../bench/receiver/receiver-process.ts'
import { millis } from '../../relay/wire/units.ts'
import { Microscope } from '../harness/microscope.ts'
import { NodeUnderTest } from '../harness/node-under-test.ts'
import { RawClient } from '../harness/raw-client.ts'
import type { ReceiverSecond } from '../../bench/receiver/messages.ts'
import type { NodeConfig } from '../../sfu/config.ts'
import type { Test } from 'tap'

t.setTimeout(120_000)

const PATTERN = ['--source', 'pattern', '--width', '1280', '--height', '720', '--columns', '2', '--rows', '2', '--frames-per-second', '10']
const STAGE = ['--source', 'stage', '--specimen', 'calibration', '--width', '1280', '--height', '720', '--columns', '2', '--rows', '2', '--frames-per-second', '5']
const FRAME_DEADLINE = millis(1000)
const LONGEST_WAIT = 30_000

/** An agent that publishes to a node, and a headless receiver of all it publishes. */
async function view(t: Test, args: readonly string[], settings: Partial<NodeConfig> = {}) {
  const under = await NodeUnderTest.open(settings)
  t.teardown(() => under[Symbol.asyncDispose]())
  const microscope = Microscope.start(await under.invite('microscope', { member: 'scope' }), args)
  t.teardown(() => microscope[Symbol.asyncDispose]())
  const seconds: ReceiverSecond[] = []
  const news = { heard: (): void => undefined }
  const receiver = await ReceiverProcess.open({
    name: 'receiver', invitation: await under.invite('viewer', { member: 'receiver' }), frameDeadline: FRAME_DEADLINE, signal: AbortSignal.timeout(LONGEST_WAIT),
    onSecond: second => {
      seconds.push(second)
      news.heard()
    },
  }).catch((error: unknown) => {
    throw new Error(`no receiver; the agent said: ${microscope.log}`, { cause: error })
  })
  t.teardown(() => receiver[Symbol.asyncDispose]())
  await receiver.watch(receiver.pyramid.renditions.map(({ id }) => id))
  const sum = (key: 'intact' | 'damaged' | 'missing', from = 0): number =>
    seconds.slice(from).reduce((all, { renditions }) => all + Object.values(renditions).reduce((frames, rendition) => frames + rendition[key], 0), 0)
  /** Settles when the receiver has had so many intact frames. */
  const intact = (count: number): Promise<void> =>
    new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`${sum('intact')} intact frames; the agent said: ${microscope.log}`)), LONGEST_WAIT)
      news.heard = () => {
        if (sum('intact') < count) return
        clearTimeout(timer)
        resolve()
      }
      news.heard()
    })
  return { under, microscope, receiver, seconds, sum, intact }
}

const livePackets = (under: NodeUnderTest): Promise<number> => under.metric('kenkyo_link_class_packets_total', { class: 'live', direction: 'in' })

t.test('an agent publishes by a link, and every frame arrives', async t => {
  const { under, microscope, seconds, sum, intact } = await view(t, PATTERN)
  await intact(20)
  const settled = seconds.length
  await intact(sum('intact') + 120)
  t.equal(sum('damaged', settled), 0)
  t.equal(sum('missing', settled), 0)
  t.match(microscope.log, /"carrier":"link".*"publishing"|"msg":"publishing".*"carrier":"link"/)
  t.ok((await livePackets(under)) > 100, 'its packets came by the link')
  t.equal(await under.metric('kenkyo_link_class_deadline_misses_total', { class: 'live', direction: 'in' }), 0)
})

t.test('an agent that is told to publishes by WebRTC', async t => {
  const { under, microscope, intact } = await view(t, [...PATTERN, '--carrier', 'webrtc'])
  await intact(60)
  t.match(microscope.log, /"carrier":"webrtc"/)
  t.equal(await livePackets(under), 0)
})

t.test('with a node that has no links the agent falls back to WebRTC, and says so', async t => {
  const { microscope, intact } = await view(t, PATTERN, { links: false })
  await intact(60)
  t.match(microscope.log, /no link to the node: publishing over WebRTC/)
  t.match(microscope.log, /"carrier":"webrtc"/)
})

t.test('commands for the stage, what the stage says, and what is asked for travel by the link', async t => {
  const { under, receiver, intact } = await view(t, STAGE)
  await intact(10)
  await using client = await RawClient.join(await under.invite('viewer', { member: 'hand' }))
  const { publication } = client.received.find(({ type }) => type === 'reply')!.data as { publication: { publicationId: string; stage: { travel: Record<'x' | 'y', { min: number; max: number }> } } }
  const { publicationId, stage: { travel } } = publication
  const control = (direction: string): Promise<number> => under.metric('kenkyo_link_class_packets_total', { class: 'control', direction })
  await receiver.watch(['overview'] as never)
  const before = { out: await control('out'), in: await control('in') }
  t.ok(before.out > 0, 'demand came by the link')
  const since = client.received.length
  const target = { x: Math.round(travel.x.min + 100), y: Math.round(travel.y.min + 100) }
  await client.ok('claimStage')
  await client.ok('moveStage', { publicationId, target, rtpTimestamp: null })
  const arrived = await client.find(({ type, state }) => type === 'stageChanged' && isAt(state, target), since)
  t.ok(arrived)
  t.ok((await control('out')) > before.out, 'the command went by the link')
  t.ok((await control('in')) > before.in, 'and what the stage said came by it')
})

const isAt = (state: unknown, { x, y }: { x: number; y: number }): boolean => {
  const position = state as { x: number; y: number; isMoving: boolean }
  return position.x === x && position.y === y && !position.isMoving
}
