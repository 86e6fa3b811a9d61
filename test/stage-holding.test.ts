import { t } from 'tap'
import { SIGNALING_LIMITS, STAGE_CLAIM_LIMITS } from '../relay/wire/signaling.ts'
import { NodeUnderTest } from './harness/node-under-test.ts'
import { publishParameters } from './harness/offer.ts'
import { RawClient } from './harness/raw-client.ts'
import type { RawMessage } from './harness/raw-client.ts'

const under = await NodeUnderTest.open()
t.teardown(() => under[Symbol.asyncDispose]())

const range = { min: 0, max: 1000 }
const REST = { x: 10, y: 10, focus: 0, objective: '20x', isMoving: false, rtpTimestamp: null, obeyed: null }
const STAGE = { objectives: [{ name: '20x', micrometresPerPixel: 0.25 }], travel: { x: range, y: range, focus: { min: -100, max: 100 } }, state: REST }

let cases = 0
/** A consultation of its own, with a microscope that obeys when it is told to. */
async function consultation(stage: object | null = STAGE) {
  const name = `holding-${++cases}`
  const join = async (member: string, role: 'viewer' | 'technician' | 'microscope' = 'viewer'): Promise<RawClient> => RawClient.join(await under.invite(role, { consultation: name, member }))
  const microscope = await join('scope', 'microscope')
  const { publicationId } = await microscope.ok('publish', { ...publishParameters(), stage })
  return { join, microscope, publicationId: publicationId as string, move: { publicationId, target: { x: 20 }, rtpTimestamp: null } }
}

const isHeldBy = (member: string | null) => (message: RawMessage): boolean =>
  message.type === 'stageHeld' && ((message['holder'] as { memberId: string } | null)?.memberId ?? null) === member

t.test('of two claims at the same moment exactly one wins, every time', async t => {
  const { join, microscope, move } = await consultation()
  await using _ = microscope
  await using a = await join('a')
  await using b = await join('b')
  for (let turn = 0; turn < STAGE_CLAIM_LIMITS.burst / 2; turn++) {
    const replies = await Promise.all([a, b].map(client => client.request('claimStage')))
    t.equal(replies.filter(({ ok }) => ok).length, 1)
    t.equal(replies.find(({ ok }) => ok !== true)?.fault?.code, 'conflict')
    const [winner, loser] = replies[0]?.ok === true ? [a, b] : [b, a]
    t.match(await winner.ok('moveStage', move), { command: Number })
    t.equal(await loser.refusal('moveStage', move), 'conflict')
    await winner.ok('releaseStage')
  }
})

t.test('is held by one, told to everybody, handed over by word and lost with the session', async t => {
  const { join, microscope, move } = await consultation()
  await using _ = microscope
  await using a = await join('a')
  const b = await join('b')
  t.equal(await a.refusal('moveStage', move), 'wrong_state', 'nobody holds it')
  await a.ok('claimStage')
  t.ok(await b.find(isHeldBy('a')))
  await using late = await join('late', 'technician')
  t.ok(await late.find(isHeldBy('a')), 'who comes later hears it, too')
  const { members } = (await a.find(message => message.type === 'membersChanged' && (message['members'] as object[]).length === 4)) as unknown as { members: { memberId: string; sessionId: string }[] }
  const sessionOf = (name: string): string => members.find(({ memberId }) => memberId === name)?.sessionId ?? ''
  t.equal(await b.refusal('handOverStage', { to: sessionOf('b') }), 'conflict', 'not its to give')
  t.equal(await a.refusal('handOverStage', { to: sessionOf('scope') }), 'not_found', 'a microscope does not steer')
  await a.ok('handOverStage', { to: sessionOf('b') })
  t.ok(await late.find(isHeldBy('b')))
  t.equal(await a.refusal('moveStage', move), 'conflict')
  await b.ok('moveStage', move)
  const since = late.received.length
  await b[Symbol.asyncDispose]()
  t.ok(await late.find(isHeldBy(null), since))
  t.equal(await a.refusal('handOverStage', { to: sessionOf('late') }), 'wrong_state')
  await late.ok('claimStage')
  await late.ok('moveStage', move)
})

t.test('a stop takes the stage from whoever holds it and reaches the microscope, also with no one holding it', async t => {
  const { join, microscope, publicationId, move } = await consultation()
  await using _ = microscope
  await using a = await join('a')
  await using hands = await join('hands', 'technician')
  await a.ok('claimStage')
  const { command } = await a.ok('moveStage', move)
  await hands.ok('stopStage')
  t.match(await microscope.find(({ type }) => type === 'stageStopped'), { publicationId, command: (command as number) + 1 })
  t.match(await a.find(isHeldBy(null)), { stoppedBy: { memberId: 'hands' } })
  t.equal(await a.refusal('moveStage', move), 'wrong_state')
  const since = microscope.received.length
  await a.ok('stopStage')
  t.ok(await microscope.find(({ type }) => type === 'stageStopped', since))
  await a.ok('claimStage')
  t.match(await hands.find(isHeldBy('a'), hands.received.findIndex(isHeldBy(null))), { stoppedBy: null })
  await microscope[Symbol.asyncDispose]()
  await hands.find(({ type, publication }) => type === 'publicationChanged' && publication === null)
  await hands.ok('stopStage')
  t.ok(await a.find(message => isHeldBy(null)(message) && (message['stoppedBy'] as { memberId: string }).memberId === 'hands', a.received.findIndex(isHeldBy('a'))), 'with no microscope either')
})

t.test('a stage that does not answer is said to be silent, to who steers, and one that answers is not', async t => {
  const { join, microscope, publicationId, move } = await consultation()
  await using _ = microscope
  await using a = await join('a')
  await using b = await join('b')
  await a.ok('claimStage')
  const { command } = await a.ok('moveStage', move)
  t.match(await a.find(({ type }) => type === 'stageFaulted'), { publicationId, command, fault: { code: 'timeout' } })
  t.notOk(b.received.some(({ type }) => type === 'stageFaulted'))
  const since = a.received.length
  const { command: next } = await a.ok('moveStage', move)
  await microscope.ok('reportStage', { publicationId, state: { ...REST, obeyed: { command: next, rtpTimestamp: 5 } } })
  t.match(await b.find(({ type }) => type === 'stageChanged'), { state: { obeyed: { command: next, rtpTimestamp: 5 } } })
  const { command: last } = await a.ok('moveStage', move)
  t.match(await a.find(({ type }) => type === 'stageFaulted', since), { command: last }, 'the one before was answered')
  t.equal(await microscope.refusal('reportStage', { publicationId, state: { ...REST, obeyed: { command: 4e9, rtpTimestamp: null } } }), 'out_of_range', 'nobody gave that command')
})

t.test('refuses what is out of range, from the future, or of nothing that can be steered', async t => {
  const { join, microscope, publicationId, move } = await consultation()
  await using _ = microscope
  await using a = await join('a')
  await a.ok('claimStage')
  for (const target of [{ x: -1 }, { y: 1001 }, { focus: 100.5 }, { objective: '63x' }]) t.equal(await a.refusal('moveStage', { ...move, target }), 'out_of_range', JSON.stringify(target))
  for (const rtpTimestamp of [-1, 2 ** 32, 0.5, '1', undefined]) t.equal(await a.refusal('moveStage', { ...move, rtpTimestamp }), 'bad_message', String(rtpTimestamp))
  await microscope.ok('reportCapture', { publicationId, rtpTimestamp: 4_000_000_000, capturedAtMillis: Date.now() })
  await a.ok('moveStage', { ...move, rtpTimestamp: 4_000_000_000 })
  t.equal(await a.refusal('moveStage', { ...move, rtpTimestamp: 4_000_000_000 + 90_000_000 }), 'out_of_range')
  t.equal(await microscope.refusal('claimStage'), 'wrong_role')
  const fixed = await consultation(null)
  await using __ = fixed.microscope
  await using c = await fixed.join('c')
  t.equal(await c.refusal('claimStage'), 'wrong_state')
  t.equal(await c.refusal('moveStage', fixed.move), 'wrong_state')
})

t.test('a flood is refused and cut off, gives no more away than its rate, and disturbs nobody', async t => {
  const { join, microscope, move } = await consultation()
  await using _ = microscope
  await using flood = await join('flood')
  await using calm = await join('calm')
  await flood.ok('claimStage')
  for (let message = 0; message < 10_000; message++) flood.send({ type: 'moveStage', ...move, requestId: 100 + message })
  t.equal(await flood.closed, 1008)
  t.ok(await calm.find(isHeldBy(null), calm.received.findIndex(isHeldBy('flood'))), 'and its hold is gone')
  await calm.ok('claimStage')
  await calm.ok('moveStage', move)
  const commanded = microscope.received.filter(({ type }) => type === 'stageCommanded').length
  t.ok(commanded > 0 && commanded < 2 * SIGNALING_LIMITS.requestBurst, `${commanded} of 10,000 reached the microscope`)
})

t.test('the stage changes hands only so often', async t => {
  const { join, microscope } = await consultation()
  await using _ = microscope
  await using a = await join('a')
  const replies = await Promise.all(Array.from({ length: STAGE_CLAIM_LIMITS.burst + 2 }, () => a.request('claimStage')))
  t.equal(replies.at(-1)?.fault?.code, 'rate_limited')
  await a.ok('stopStage')
})
