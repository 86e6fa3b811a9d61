/** What a node records of what is asked by other doors than signaling, and of a stage that is steered. */
import { randomUUID } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { t } from 'tap'
import { AuditReader } from '../../relay/audit/audit-reader.ts'
import { fhirAuditEvent } from '../../relay/audit/fhir-audit-event.ts'
import { verifyLog } from '../../relay/audit/verify/verify-log.ts'
import { ForeignClient } from '../harness/foreign-client.ts'
import { ForeignSdp } from '../harness/foreign-sdp.ts'
import { NodeUnderTest } from '../harness/node-under-test.ts'
import { publishParameters } from '../harness/offer.ts'
import { RawClient } from '../harness/raw-client.ts'
import { TestSlide } from '../harness/test-slide.ts'
import type { Test } from 'tap'
import type { LogEntry } from '../../relay/audit/log-lines.ts'

/** Runs a node to its end. @returns What it recorded, the oldest first, once the log was verified. */
async function recorded(t: Test, run: (under: NodeUnderTest) => Promise<void>): Promise<readonly LogEntry[]> {
  const auditDir = join(t.testdir(), 'audit')
  let pem: string
  {
    await using under = await NodeUnderTest.open({ auditDir, workers: 1 })
    pem = await readFile(under.auditKeyFile, 'utf8')
    await run(under)
  }
  t.same(verifyLog(auditDir, pem).findings, [])
  return (await new AuditReader(auditDir).search({ limit: 200 })).entries.toReversed()
}

const toldBy = (entries: readonly LogEntry[], member: string): string[] =>
  entries.flatMap(({ event }) => (event.actor.memberId === member && event.kind === 'access' ? [`${event.access} ${event.outcome}`] : []))
const bearer = (link: string): { authorization: string } => ({ authorization: `Bearer ${new URLSearchParams(new URL(link).hash.slice(1)).get('invitation') ?? ''}` })

t.test('a slide is recorded as it is sent, completed, searched for, exported and opened: once, however much of it is read', async t => {
  let slideId = ''
  const entries = await recorded(t, async under => {
    const { origin } = under.node
    await using slide = await TestSlide.open(await under.invite('scanner', { member: 'scanner-1' }))
    slideId = slide.slideId
    await slide.sendAll()
    const headers = bearer(await under.invite('viewer', { member: 'reader' }))
    const get = async (path: string, accept = '*/*'): Promise<Buffer> => {
      const response = await fetch(`${origin}${path}`, { headers: { ...headers, accept } })
      t.equal(response.status, 200, path)
      return Buffer.from(await response.arrayBuffer())
    }
    for (const column of [0, 1, 0]) await get(`/slides/${slideId}/tiles/0/${column}/0`)
    const [instance] = JSON.parse((await get('/dicomweb/instances', 'application/dicom+json')).toString()) as Record<string, { Value: string[] }>[]
    const [study, series, sop] = ['0020000D', '0020000E', '00080018'].map(tag => instance?.[tag]?.Value[0])
    for (const frame of [1, 2]) await get(`/dicomweb/studies/${study}/series/${series}/instances/${sop}/frames/${frame}`, 'multipart/related; type="image/jpeg"; transfer-syntax=*')
  })
  t.same(toldBy(entries, 'scanner-1'), ['send_slide ok', 'complete_slide ok'])
  t.same(toldBy(entries, 'reader'), ['open_slide ok', 'list_slides ok', 'export_slide ok'])
  t.ok(entries.filter(({ event }) => event.kind === 'access' && event.access !== 'list_slides').every(({ event }) => event.kind === 'access' && event.subject.slideId === slideId))
  t.match(entries.filter(({ event }) => event.kind === 'reading').map(({ event }) => event), [{ slideId, tiles: 3, levels: [{ level: 0, tiles: 3, area: { left: 0, top: 0, right: 1, bottom: 0 } }] }])
  t.match(entries.map(entry => fhirAuditEvent(entry, 'site')).find(({ subtype }) => subtype[0]?.code === 'complete_slide'), { type: { code: '110107' }, action: 'U' })
})

t.test('WHIP and WHEP are recorded like signaling: joining, what it was for, and leaving', async t => {
  const entries = await recorded(t, async under => {
    const encoder = await ForeignClient.of(under, 'microscope', 'encoder')
    const opened = await encoder.offer('/whip', ForeignSdp.offer({ direction: 'sendonly' }))
    t.equal(opened.status, 201)
    const player = await ForeignClient.of(under, 'viewer', 'player')
    t.equal((await player.offer('/whep', 'no SDP')).status, 409)
    t.equal((await encoder.fetch(opened.headers.get('location') ?? '', { method: 'DELETE' })).status, 200)
  })
  t.same(toldBy(entries, 'encoder').toSorted(), ['join ok', 'leave ok', 'publish ok'])
  t.same(toldBy(entries, 'player').toSorted(), ['join ok', 'view_live ok', 'view_live wrong_state'])
})

t.test('of a stage it is recorded who took it, gave it to whom and stopped it, and how often it was moved in a minute', async t => {
  const range = { min: 0, max: 1000 }
  const state = { x: 10, y: 10, focus: 0, objective: '20x', isMoving: false, rtpTimestamp: null, obeyed: null }
  const stage = { objectives: [{ name: '20x', micrometresPerPixel: 0.25 }], travel: { x: range, y: range, focus: { min: -100, max: 100 } }, state }
  let [to, publicationId]: unknown[] = []
  const entries = await recorded(t, async under => {
    await using microscope = await RawClient.join(await under.invite('microscope', { member: 'scope' }));
    ({ publicationId } = await microscope.ok('publish', { ...publishParameters(), stage }))
    await using one = await RawClient.join(await under.invite('viewer', { member: 'one' }))
    await using other = await RawClient.open(await under.invite('viewer', { member: 'other' }));
    ({ sessionId: to } = await other.ok('join', other.joinParameters()))
    await one.ok('claimStage')
    for (const x of [20, 30, 40]) await one.ok('moveStage', { publicationId, target: { x }, rtpTimestamp: null })
    t.equal(await one.refusal('moveStage', { publicationId, target: { x: 5000 }, rtpTimestamp: null }), 'out_of_range')
    await one.ok('handOverStage', { to })
    await other.ok('stopStage')
    t.match(await other.refusal('openReplay', { recordingId: randomUUID() }), 'not_found')
  })
  t.same(toldBy(entries, 'one'), ['join ok', 'take_stage ok', 'hand_over_stage ok', 'leave ok'])
  t.same(toldBy(entries, 'other').toSorted(), ['join ok', 'leave ok', 'stop_stage ok', 'view_recording not_found', 'view_recording ok'])
  t.match(entries.find(({ event }) => event.kind === 'access' && event.access === 'hand_over_stage')?.event, { subject: { toSessionId: to } })
  t.match(entries.filter(({ event }) => event.kind === 'steering').map(({ event }) => event), [{ actor: { memberId: 'one' }, moves: 3, refused: 1 }])
})
