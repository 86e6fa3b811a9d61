import { DropOldestQueue } from '../relay/runtime/bounded-queue.ts'
import { millis } from '../relay/wire/units.ts'
import type { PublicationId } from '../relay/wire/ids.ts'
import type { Experience, MediaPath } from '../relay/wire/signaling.ts'
import type { Millis } from '../relay/wire/units.ts'

/** A viewer that has said nothing for this long is not known to see anything: three reports are missing. */
const CURRENT_FOR = millis(6000)
/** Prometheus reads seldom, and a freeze is short: the longest is remembered for so long. */
const FREEZE_MEMORY = millis(60_000)
/** Reports that may wait to be counted: readings of the statistics are at most some reports apart. */
const MAX_UNCOUNTED = 32

/** One viewer's report, and the link that its picture came by. */
export interface ReportedExperience extends Experience {
  readonly mediaPath?: MediaPath | undefined
  readonly publicationId: PublicationId
  readonly link: string
}

/** The least and the longest of several reports. */
export interface WorstExperience {
  readonly publicationId: PublicationId
  readonly framesPerSecond: number
  readonly nativePixelRatio: number
  readonly freezes: number
  readonly longestFreezeMillis: number
}

const worst = (before: WorstExperience | undefined, { publicationId, framesPerSecond, nativePixelRatio, freezes, longestFreezeMillis }: ReportedExperience): WorstExperience => ({
  publicationId,
  framesPerSecond: Math.min(before?.framesPerSecond ?? Infinity, framesPerSecond),
  nativePixelRatio: Math.min(before?.nativePixelRatio ?? Infinity, nativePixelRatio),
  freezes: (before?.freezes ?? 0) + freezes,
  longestFreezeMillis: Math.max(before?.longestFreezeMillis ?? 0, longestFreezeMillis),
})

/** What one viewer says of the picture at its end. Reads no clock. */
export class ViewerExperience {
  readonly #uncounted = new DropOldestQueue<ReportedExperience>(MAX_UNCOUNTED)
  #minute: WorstExperience | undefined
  #latest: { readonly report: ReportedExperience; readonly at: Millis } | undefined
  /** Falling in length, growing in time: each is the longest of all from it on. */
  #freezes: { readonly link: string; readonly length: Millis; readonly at: Millis }[] = []

  report(report: ReportedExperience, now: Millis): void {
    this.#uncounted.push(report)
    this.#minute = worst(this.#minute?.publicationId === report.publicationId ? this.#minute : undefined, report)
    this.#latest = { report, at: now }
    const { link, longestFreezeMillis } = report
    if (longestFreezeMillis === 0) return
    const isOutdone = (freeze: { readonly link: string; readonly length: Millis }): boolean => freeze.link === link && freeze.length <= longestFreezeMillis
    this.#freezes = [...this.#freezes.filter(freeze => !isOutdone(freeze)), { link, length: millis(longestFreezeMillis), at: now }].slice(-MAX_UNCOUNTED)
  }

  /** Reports since the last call, oldest first; at most {@link MAX_UNCOUNTED}. */
  take(): ReportedExperience[] {
    const reports: ReportedExperience[] = []
    for (let report = this.#uncounted.shift(); report !== undefined; report = this.#uncounted.shift()) reports.push(report)
    return reports
  }

  /** The worst that was said of that publication since the last call; undefined when nothing was. */
  takeWorst(publicationId: PublicationId): WorstExperience | undefined {
    const minute = this.#minute
    this.#minute = undefined
    return minute?.publicationId === publicationId ? minute : undefined
  }

  /** What is true now of that publication; undefined for a viewer that has fallen silent. */
  latest(publicationId: PublicationId, now: Millis): ReportedExperience | undefined {
    if (this.#latest === undefined || this.#latest.report.publicationId !== publicationId) return undefined
    return now - this.#latest.at <= CURRENT_FOR ? this.#latest.report : undefined
  }

  /** The longest freeze of the last minute by that link; 0 without any. */
  longestFreeze(link: string, now: Millis): Millis {
    this.#freezes = this.#freezes.filter(freeze => now - freeze.at < FREEZE_MEMORY)
    return millis(Math.max(0, ...this.#freezes.filter(freeze => freeze.link === link).map(freeze => freeze.length)))
  }
}
