import { REPORT_STALE_MILLIS } from '../../wire/operator.ts'
import type { NodeId } from '../../wire/access.ts'
import type { LinkName } from '../../wire/link.ts'
import type { NodeReport, ReportedGrant, ReportedLink } from '../../wire/operator.ts'

/** What one node said of a link, and when. */
export interface LinkReport {
  readonly nodeId: NodeId
  /** Milliseconds since the epoch. */
  readonly atMillis: number
  readonly report: ReportedLink
}

/** What nodes last said of themselves. Kept in memory: it is true for seconds. Decides without I/O. */
export class NodeReports {
  readonly #reports = new Map<NodeId, { readonly atMillis: number; readonly report: NodeReport }>()

  /** Takes what a node says in place of what it said before. @param nowMillis - Since the epoch. */
  take(nodeId: NodeId, report: NodeReport, nowMillis: number): void {
    this.#reports.set(nodeId, { atMillis: nowMillis, report })
  }

  /** Forgets who is no node any more. */
  retain(isNode: (nodeId: NodeId) => boolean): void {
    for (const nodeId of this.#reports.keys()) if (!isNode(nodeId)) this.#reports.delete(nodeId)
  }

  /** When a node last said something, in milliseconds since the epoch. */
  reportedAt(nodeId: NodeId): number | undefined {
    return this.#reports.get(nodeId)?.atMillis
  }

  /** By link, who said what of it, also long ago: how old it is stands beside it. */
  links(): ReadonlyMap<LinkName, readonly LinkReport[]> {
    const links = new Map<LinkName, LinkReport[]>()
    for (const [nodeId, { atMillis, report }] of this.#reports) {
      for (const each of report.links) links.set(each.link, [...(links.get(each.link) ?? []), { nodeId, atMillis, report: each }])
    }
    return links
  }

  /** Grants that hold, as nodes said lately. */
  grants(nowMillis: number): { at: NodeId; grant: ReportedGrant }[] {
    return [...this.#reports].flatMap(([at, { atMillis, report }]) => (nowMillis - atMillis > REPORT_STALE_MILLIS ? [] : report.grants.filter(({ validUntilMillis }) => validUntilMillis > nowMillis).map(grant => ({ at, grant }))))
  }
}
