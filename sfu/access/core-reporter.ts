import { askCore } from '../../relay/access/core/core-request.ts'
import { toFault } from '../../relay/wire/fault.ts'
import { MAX_REPORTED_GRANTS, REPORT_INTERVAL_MILLIS } from '../../relay/wire/operator.ts'
import { LinkStandings } from '../links/link-standing.ts'
import type { CoreCredentials } from '../../relay/access/core/core-client.ts'
import type { CoreMessage } from '../../relay/access/core/core-stream.ts'
import type { Grant } from '../../relay/access/grants/grant-registry.ts'
import type { LogSearch } from '../../relay/audit/log-search.ts'
import type { LinkSnapshot, PathSnapshot } from '../../relay/links/measurement/link-snapshot.ts'
import type { Logger } from '../../relay/runtime/log.ts'
import type { NodeReport, ReportedGrant, ReportedLink } from '../../relay/wire/operator.ts'

/** A question of the core, as it comes on its stream. */
export type AuditQuestion = Extract<CoreMessage, { type: 'audit_question' }>

/** What the reporter stands on. */
export interface CoreReporterOptions {
  readonly url: string
  /** Asked each time: a certificate may have been renewed. */
  readonly credentials: () => CoreCredentials
  readonly isReachable: () => boolean
  readonly links: () => readonly LinkSnapshot[]
  readonly grants: { readonly size: number; all(): Iterable<Grant> }
  /** This node's log. */
  readonly logs: Pick<LogSearch, 'find'>
  readonly log: Logger
}

const within = (value: number, most: number): number => Math.min(Math.max(value, 0), most)

function reportedLink({ link, paths }: LinkSnapshot, isDegraded: boolean): ReportedLink {
  const live = paths.filter(({ state }) => state === 'up')
  const roundTrips = live.flatMap(({ roundTrip }) => roundTrip ?? [])
  const sum = (direction: 'in' | 'out'): number => within(paths.reduce((total, { gauges }: PathSnapshot) => total + gauges[direction].throughput, 0), 1e13)
  return {
    link, isDegraded, paths: paths.length, livePaths: live.length,
    roundTripMillis: roundTrips.length === 0 ? null : within(Math.min(...roundTrips), 600_000),
    lossRatio: live.length === 0 ? null : within(Math.max(...live.map(({ gauges }) => gauges.in.lossRatio)), 1),
    inBitsPerSecond: sum('in'), outBitsPerSecond: sum('out'),
  }
}

function reportedGrant({ id: grantId, actions, validUntilMillis, subject }: Grant): ReportedGrant {
  const { consultationId, facilityId, practitionerId, nodeId, practiceRole: role, purpose, isEmergency } = subject
  return { grantId, consultationId, facilityId, practitionerId, nodeId, role, purpose, isEmergency, actions: [...actions], validUntilMillis }
}

/** Tells the core how this node stands, and answers what operators ask of its audit log. Owns its timer. */
export class CoreReporter implements Disposable {
  readonly #options: CoreReporterOptions
  readonly #standings = new LinkStandings()
  readonly #timer: NodeJS.Timeout
  #isTelling = false

  constructor(options: CoreReporterOptions) {
    this.#options = options
    this.#timer = setInterval(() => void this.#tell(), REPORT_INTERVAL_MILLIS)
    this.#timer.unref()
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer)
  }

  /** Answers a question in its own time. Never rejects: the core tells of a node that did not answer. */
  async answer({ questionId, search }: AuditQuestion): Promise<void> {
    const { url, credentials, logs, log } = this.#options
    try {
      const findings = await logs.find(search, Date.now())
      await askCore(url, credentials(), { method: 'PUT', path: `/core/answers/${questionId}`, body: findings })
    } catch (error) {
      log.warn({ code: toFault(error).code }, 'an operator\'s question of the audit log is not answered')
    }
  }

  async #tell(): Promise<void> {
    const { url, credentials, isReachable, log } = this.#options
    if (this.#isTelling || !isReachable()) return
    this.#isTelling = true
    try {
      await askCore(url, credentials(), { method: 'PUT', path: '/core/report', body: this.#report() })
    } catch (error) {
      log.debug({ code: toFault(error).code }, 'the core was not told how this node stands')
    } finally {
      this.#isTelling = false
    }
  }

  #report(): NodeReport {
    const snapshots = this.#options.links()
    this.#standings.retain(new Set(snapshots.map(({ link }) => link)))
    const links = snapshots.map(snapshot => {
      const { degraded, broken } = this.#standings.read(snapshot)
      return reportedLink(snapshot, degraded.length > 0 || broken.length > 0)
    })
    const { grants } = this.#options
    return { links, grants: [...grants.all()].slice(0, MAX_REPORTED_GRANTS).map(reportedGrant), grantCount: grants.size }
  }
}
