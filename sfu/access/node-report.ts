import { MAX_REPORTED_GRANTS } from '../../relay/wire/operator.ts'
import type { Grant } from '../../relay/access/grants/grant-registry.ts'
import type { LinkSnapshot, PathSnapshot } from '../../relay/links/measurement/link-snapshot.ts'
import type { NodeReport, ReportedGrant, ReportedLink } from '../../relay/wire/operator.ts'
import type { LinkStandings } from '../links/link-standing.ts'

/** Grants that hold at a node. */
export interface HeldGrants {
  readonly size: number
  all(): Iterable<Grant>
}

const MOST_BITS_PER_SECOND = 1e13
const MOST_ROUND_TRIP_MILLIS = 600_000

/** A figure that a far end may have had a hand in, as one that can be told. */
const within = (value: number, most: number): number => (Number.isFinite(value) ? Math.min(Math.max(value, 0), most) : 0)

function reportedLink({ link, paths }: LinkSnapshot, isDegraded: boolean): ReportedLink {
  const live = paths.filter(({ state }) => state === 'up')
  const roundTrips = live.flatMap(({ roundTrip }) => (roundTrip === undefined ? [] : [roundTrip]))
  const sum = (direction: 'in' | 'out'): number => paths.reduce((total, { gauges }: PathSnapshot) => total + within(gauges[direction].throughput, MOST_BITS_PER_SECOND), 0)
  return {
    link, isDegraded, paths: paths.length, livePaths: live.length,
    roundTripMillis: roundTrips.length === 0 ? null : within(Math.min(...roundTrips), MOST_ROUND_TRIP_MILLIS),
    lossRatio: live.length === 0 ? null : within(Math.max(...live.map(({ gauges }) => gauges.in.lossRatio)), 1),
    inBitsPerSecond: within(sum('in'), MOST_BITS_PER_SECOND), outBitsPerSecond: within(sum('out'), MOST_BITS_PER_SECOND),
  }
}

function reportedGrant({ id: grantId, actions, validUntilMillis, subject }: Grant): ReportedGrant {
  const { consultationId, facilityId, practitionerId, nodeId, practiceRole: role, purpose, isEmergency } = subject
  return { grantId, consultationId, facilityId, practitionerId, nodeId, role, purpose, isEmergency, actions: [...actions], validUntilMillis }
}

/** What a node tells the core of itself. @param standings - Sees every snapshot, so that it knows what was broken before. */
export function nodeReport(snapshots: readonly LinkSnapshot[], grants: HeldGrants, standings: LinkStandings): NodeReport {
  standings.retain(new Set(snapshots.map(({ link }) => link)))
  const links = snapshots.map(snapshot => {
    const { degraded, broken } = standings.read(snapshot)
    return reportedLink(snapshot, degraded.length > 0 || broken.length > 0)
  })
  return { links, grants: [...grants.all()].slice(0, MAX_REPORTED_GRANTS).map(reportedGrant), grantCount: grants.size }
}
