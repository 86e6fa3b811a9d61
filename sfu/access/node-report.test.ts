import { t } from 'tap'
import { GrantRegistry } from '../../relay/access/grants/grant-registry.ts'
import { FacilityId, NodeId } from '../../relay/wire/access.ts'
import { RelayFault } from '../../relay/wire/fault.ts'
import { ConsultationId, MemberId } from '../../relay/wire/ids.ts'
import { MAX_REPORTED_GRANTS, NodeReport } from '../../relay/wire/operator.ts'
import { bitsPerSecond, millis } from '../../relay/wire/units.ts'
import { FakeLinks } from '../../test/fakes/fake-links.ts'
import { LinkStandings } from '../links/link-standing.ts'
import { nodeReport } from './node-report.ts'
import type { LinkSnapshot } from '../../relay/links/measurement/link-snapshot.ts'

const subject = {
  consultationId: ConsultationId.parse('case-1'), memberId: MemberId.parse('dr-sato'), role: 'microscope', practiceRole: 'service', facilityId: FacilityId.parse('university'),
  practitionerId: null, nodeId: NodeId.parse('scope'), purpose: 'consultation', isEmergency: false, bound: { jkt: 'a'.repeat(43) },
} as const

/** Links of a node, and what it granted, at a time that can be moved. */
function open(grantCount: number) {
  let now = Date.now()
  const links = new FakeLinks(7, () => now)
  const grants = new GrantRegistry()
  for (let count = 0; count < grantCount; count++) grants.mint(subject, { actions: new Set(['publish_live']), consentIds: new Set(), validUntilMillis: Date.now() + 60_000 })
  const standings = new LinkStandings()
  const report = (seconds: number): NodeReport => {
    now += seconds * 1000
    return NodeReport.parse(nodeReport(links.snapshots(), grants, standings))
  }
  return { links, grants, report, endAll: () => grants.end(() => true, new RelayFault('access_revoked', 'the test is over')) }
}

t.test('a node tells how its links are, and what it granted to whom, without members\' own names', async t => {
  const { links, report, endAll } = open(1)
  const before = report(12)
  t.match(before, { grantCount: 1, grants: [{ nodeId: 'scope', actions: ['publish_live'] }], links: [{ link: 'kita-hospital', paths: 2, livePaths: 2, isDegraded: false }, { link: 'university', paths: 1 }] })
  t.notMatch(JSON.stringify(before), /dr-sato/)
  links.plant({ kind: 'path_down', link: 'university', path: 'sinet' })
  links.plant({ kind: 'class_degraded', link: 'kita-hospital', class: 'live' })
  t.match(report(12).links, [{ link: 'kita-hospital', isDegraded: true }, { link: 'university', livePaths: 0, roundTripMillis: null, lossRatio: null }])
  links.mend()
  t.match(report(60).links, [{ isDegraded: false }, { livePaths: 1 }])
  endAll()
})

t.test('of more grants than fit, it says how many there are', async t => {
  const { report, endAll } = open(MAX_REPORTED_GRANTS + 5)
  const { grants, grantCount } = report(1)
  t.equal(grants.length, MAX_REPORTED_GRANTS)
  t.equal(grantCount, MAX_REPORTED_GRANTS + 5)
  endAll()
})

t.test('a figure that is none spoils no report', async t => {
  const { links, grants } = open(0)
  const [{ paths: [path], ...link }] = links.snapshots() as [LinkSnapshot]
  const gauges = { ...path!.gauges.in, throughput: bitsPerSecond(0), lossRatio: Number.NaN }
  const odd = { ...link, paths: [{ ...path!, state: 'up', roundTrip: millis(1e12), gauges: { in: gauges, out: { ...gauges, throughput: Infinity } } }] } as unknown as LinkSnapshot
  t.match(NodeReport.parse(nodeReport([odd], grants, new LinkStandings())).links, [{ roundTripMillis: 600_000, lossRatio: 0, outBitsPerSecond: 0 }])
})
