import { t } from 'tap'
import { AuditEvent } from '../../relay/wire/audit-event.ts'
import { ConsultationId, MemberId, OVERVIEW, PublicationId, Sha256, tileId } from '../../relay/wire/ids.ts'
import { LinkName } from '../../relay/wire/link.ts'
import { millis } from '../../relay/wire/units.ts'
import { ViewerExperience } from '../viewer-experience.ts'
import { ConsultationQuality } from './consultation-quality.ts'
import type { LinkSnapshot } from '../../relay/links/measurement/link-snapshot.ts'
import type { RenditionId } from '../../relay/wire/ids.ts'
import type { DigestedWindow } from '../../relay/wire/signaling.ts'
import type { QualityConsultation } from './consultation-quality.ts'

const MINUTE = 60_000
const publicationId = PublicationId.parse(crypto.randomUUID())
const window = (renditionId: RenditionId, number: number, digit: string): DigestedWindow => ({ renditionId, window: number, packets: 10, bytes: 1000, sha256: Sha256.parse(digit.repeat(64)) })

/** One consultation whose producers, digests and link a test can set. */
function openWorld() {
  const world = { packets: 0, lost: 0, received: [] as DigestedWindow[], sent: [] as DigestedWindow[], misses: 0 }
  const events: AuditEvent[] = []
  const experience = new ViewerExperience()
  const producer = { getStats: () => Promise.resolve([{ type: 'inbound-rtp', packetCount: world.packets, byteCount: world.packets * 100, packetsLost: world.lost }] as never) }
  const consultation: QualityConsultation = {
    id: ConsultationId.parse('case-1'),
    published: {
      publicationId, linkName: 'line', producers: new Map([[OVERVIEW, producer], [tileId(0, 0), producer]]),
      digests: { takeDone: () => world.received.splice(0) }, sentDigests: { shift: () => world.sent.shift() },
    },
    viewers: [{ memberId: MemberId.parse('reader'), experience }],
  }
  const snapshot = () => ({
    link: LinkName.parse('line'), paths: [{ state: 'up', roundTrip: millis(12), gauges: { in: { lossRatio: 0.02 } } }], classes: [{ class: 'live', totals: { in: { deadlineMisses: world.misses } } }],
  }) as unknown as LinkSnapshot
  const quality = new ConsultationQuality({ consultations: () => [consultation], links: () => [snapshot()], record: event => Promise.resolve(void events.push(AuditEvent.parse(event))) })
  const report = (framesPerSecond: number, nativePixelRatio: number, longestFreezeMillis = 0) =>
    experience.report({ publicationId, framesPerSecond, nativePixelRatio, freezes: longestFreezeMillis > 0 ? 1 : 0, longestFreezeMillis, captureToGlassMillis: null, link: 'line' }, millis(0))
  return { world, events, quality, report }
}

t.test('a minute says what came of each rendition, what viewers saw at the worst, and how the link was', async t => {
  const { world, events, quality, report } = openWorld()
  using _quality = quality
  Object.assign(world, { packets: 1000, lost: 3, misses: 5 })
  report(30, 0.9)
  report(12, 1, 450)
  report(29, 0.5, 200)
  await quality.recordMinute(MINUTE)
  Object.assign(world, { packets: 1600, lost: 4, misses: 7 })
  await quality.recordMinute(2 * MINUTE)
  t.match(events[0], {
    kind: 'quality', consultationId: 'case-1', publicationId, link: 'line', fromMillis: 0,
    renditions: [{ renditionId: OVERVIEW, packets: 1000, lostPackets: 3, sent: null, received: null }, { renditionId: tileId(0, 0) }],
    viewers: [{ memberId: 'reader', framesPerSecond: 12, nativePixelRatio: 0.5, freezes: 2, longestFreezeMillis: 450 }],
    linkQuality: { roundTripMillis: 12, lossRatio: 0.02, lostPackets: 5 },
  })
  t.match(events[1], { fromMillis: MINUTE, renditions: [{ packets: 600, bytes: 60_000, lostPackets: 1 }, {}], viewers: [], linkQuality: { lostPackets: 2 } })
})

t.test('digests of both ends stand beside each other, and what one end alone says waits a minute for the other', async t => {
  const { world, events, quality } = openWorld()
  using _quality = quality
  world.received.push(window(OVERVIEW, 7, 'a'), window(tileId(0, 0), 7, 'b'))
  world.sent.push(window(OVERVIEW, 7, 'a'))
  await quality.recordMinute(MINUTE)
  world.sent.push(window(tileId(0, 0), 7, 'c'))
  world.received.push(window(OVERVIEW, 8, 'd'))
  await quality.recordMinute(2 * MINUTE)
  await quality.recordMinute(3 * MINUTE)
  const renditions = events.map(event => (event.kind === 'quality' ? event.renditions.map(({ sent, received }) => [sent?.sha256[0], received?.sha256[0]]) : []))
  t.same(renditions, [[['a', 'a'], [undefined, undefined]], [[undefined, undefined], ['c', 'b']], [[undefined, 'd'], [undefined, undefined]]])
})
