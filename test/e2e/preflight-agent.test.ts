import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { t } from 'tap'
import { checkAgent, readLine } from '../../clients/capture/agent-preflight.ts'
import { systemClock } from '../../relay/runtime/clock.ts'
import { parseInvitation } from '../../relay/runtime/invitation-link.ts'
import { judgePreflight } from '../../relay/wire/preflight-verdict.ts'
import { NOTHING_MEASURED, PREFLIGHT_LIMITS } from '../../relay/wire/preflight.ts'
import { bitsPerSecond, millis } from '../../relay/wire/units.ts'
import { NodeUnderTest } from '../harness/node-under-test.ts'
import { RawClient } from '../harness/raw-client.ts'
import type { LineMeasurement } from '../../clients/capture/line-measurement.ts'

const LINE: LineMeasurement = {
  path: 'main', isUp: true, roundTripIdleMillis: 20, roundTripLoadedMillis: 30, delayVariationMillis: { in: 1, out: 1 }, lossRatio: { in: 0, out: 0 }, lossAfterRepairRatio: 0,
  droppedRatio: 0, loadBitsPerSecond: 30e6, throughputBitsPerSecond: 30e6, capacityBitsPerSecond: null, mtuBytes: 1500, clockOffsetMillis: 0, outages: 0,
}
const judge = (change: Partial<LineMeasurement>) => judgePreflight('agent', { ...NOTHING_MEASURED, ...readLine({ ...LINE, ...change }) })
const find = (change: Partial<LineMeasurement>, check: string) => judge(change).find(result => result.check === check)

t.test('what a link measured is judged: a silent line, a lossy one, a narrow one, a far one', async t => {
  t.match(find({}, 'up'), { colour: 'green', figure: 30 })
  t.match(find({ isUp: false }, 'udp'), { colour: 'red', advice: 'noWay' })
  t.match(find({ isUp: false }, 'loss'), { colour: 'unknown' })
  t.match(find({ lossRatio: { in: 0, out: 0.03 } }, 'loss'), { colour: 'red', advice: 'lossy', figure: 3 })
  t.match(find({ droppedRatio: 0.7 }, 'up'), { colour: 'red', advice: 'narrowUp' })
  t.match(find({ roundTripIdleMillis: 200 }, 'roundTrip'), { colour: 'amber', advice: 'far' })
  t.match(find({ lossRatio: { in: null, out: null } }, 'loss'), { colour: 'unknown' })
})

t.test('an agent whose clock is 30 s behind is told so, and the node keeps what it found', async t => {
  await using under = await NodeUnderTest.open()
  const directory = await mkdtemp(join(tmpdir(), 'kenkyo-preflight-'))
  t.teardown(() => rm(directory, { recursive: true }))
  const link = await under.invite('technician', { member: 'nurse' })
  const { results, isKept } = await checkAgent(
    { address: parseInvitation(link, undefined), clock: systemClock, duration: millis(3000), load: bitsPerSecond(2e6), stateDir: directory, wallNow: () => Date.now() - 30_000, onStep: () => undefined },
    AbortSignal.timeout(30_000),
  )
  t.ok(isKept)
  t.match(results.find(({ check }) => check === 'clock'), { colour: 'red', advice: 'clockOff' })
  t.match(results.find(({ check }) => check === 'udp'), { colour: 'green' })
  t.notMatch(results.find(({ check }) => check === 'ownDisk'), { colour: 'unknown' })
  const reports = await kept(under, link)
  t.match(reports, [{ memberId: 'nurse', end: 'agent' }])
})

t.test("a node without links leaves an agent's line unknown, not green", async t => {
  await using under = await NodeUnderTest.open({ links: false })
  const link = await under.invite('viewer')
  const { results } = await checkAgent(
    { address: parseInvitation(link, undefined), clock: systemClock, duration: millis(3000), load: bitsPerSecond(2e6), stateDir: '/nowhere/at/all', wallNow: () => Date.now(), onStep: () => undefined },
    AbortSignal.timeout(30_000),
  )
  for (const name of ['udp', 'loss', 'up', 'roundTrip', 'ownDisk']) t.match(results.find(({ check }) => check === name), { colour: 'unknown' }, name)
})

t.test('what is no check is refused, and so is what does not show an invitation', async t => {
  await using under = await NodeUnderTest.open()
  const link = await under.invite('viewer', { member: 'liar' })
  await using client = await RawClient.join(link)
  const good = { check: 'udp', colour: 'green', figure: null, advice: 'fine' }
  for (const results of [[], [good, good], [{ ...good, check: 'patient' }], [{ ...good, figure: 1e300 }], [{ ...good, advice: '<script>' }], Array.from({ length: 100 }, () => good)]) {
    t.equal(await client.refusal('reportPreflight', { end: 'viewer', results }), 'bad_message')
  }
  t.equal(await client.refusal('reportPreflight', { end: 'nobody', results: [good] }), 'bad_message')
  t.same(await kept(under, link), [])
  t.equal((await fetch(`${under.node.origin}/preflight`)).status, 401)
  const upload = (bytes: number, headers: Record<string, string> = bearer(link)) => fetch(`${under.node.origin}/preflight/upload`, { method: 'POST', body: new Uint8Array(bytes), headers: { 'content-type': 'application/octet-stream', ...headers } })
  t.equal((await upload(100, {})).status, 401)
  t.equal((await upload(100, bearer(await under.invite('microscope')))).status, 403)
  t.equal((await upload(65_536)).status, 204)
  const tooLong = await upload(PREFLIGHT_LIMITS.uploadBytes + 1).then(({ status }) => status, () => 'cut off')
  t.not(tooLong, 204)
})

const bearer = (link: string): Record<string, string> => ({ authorization: `Bearer ${new URLSearchParams(new URL(link).hash.slice(1)).get('invitation')}` })

async function kept(under: NodeUnderTest, link: string): Promise<unknown[]> {
  const answer = await fetch(`${under.node.origin}/preflight`, { headers: bearer(link) })
  return ((await answer.json()) as { reports: unknown[] }).reports
}
