import type { PathTotals } from './link-snapshot.ts'
import type { PathReport } from './path-report.ts'

/** Networks repeat packets now and then; a far end that counts so many more than were sent lies. */
const TOLERATED_PACKETS = 64

/**
 * Keeps the last report of a far end that can be true, and counts those that cannot. Does no I/O. One guard lasts as long
 * as the counts at the far end: begin a new one with a new link.
 */
export class PathReportGuard {
  #last: PathReport | undefined
  #lies = 0

  /** The last plausible report; undefined before the first. */
  get last(): PathReport | undefined {
    return this.#last
  }

  /** Reports that could not be true. */
  get lies(): number {
    return this.#lies
  }

  /**
   * Takes a report. One that was overtaken by a later one is passed over, and is no lie.
   *
   * @param sentPackets - Datagrams that this end has sent on the path so far, probes and repeats among them.
   * @returns The last plausible report, which may be an earlier one; undefined if there never was one.
   */
  accept(report: PathReport, sentPackets: number): PathReport | undefined {
    if (this.#last !== undefined && report.number <= this.#last.number) return this.#last
    if (isPossible(report.totals, sentPackets) && hasGrown(report.totals, this.#last?.totals)) this.#last = report
    else this.#lies++
    return this.#last
  }
}

/** Whether no more arrived, and was missed, than was sent. */
const isPossible = ({ packets, duplicatePackets, lostPackets, lossBursts }: PathTotals, sentPackets: number): boolean =>
  packets - duplicatePackets + lostPackets <= sentPackets + TOLERATED_PACKETS && lossBursts <= sentPackets

/** Whether no total shrank. */
function hasGrown(totals: PathTotals, before: PathTotals | undefined): boolean {
  if (before === undefined) return true
  const grew = (key: 'packets' | 'bytes' | 'lostPackets' | 'duplicatePackets' | 'reorderedPackets'): boolean => totals[key] >= before[key]
  return (
    (grew('packets') && grew('bytes') && grew('lostPackets') && grew('duplicatePackets') && grew('reorderedPackets')) &&
    totals.burstsByLength.every((count, at) => count >= (before.burstsByLength[at] ?? 0)) &&
    totals.gapsByLength.every((count, at) => count >= (before.gapsByLength[at] ?? 0))
  )
}
