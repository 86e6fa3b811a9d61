import type { LinkClass, LinkName, PathName, PathPolicy, TrafficClass } from '../../wire/link.ts'
import type { BitsPerSecond, Bytes, Millis } from '../../wire/units.ts'

/** `in`: towards this end, counted here. `out`: from this end, as the far end last reported it, except where it says otherwise. */
export type Direction = 'in' | 'out'

/** Totals since the link was opened, of one path in one direction. All of them only grow. */
export interface PathTotals {
  /** Datagrams that arrived, repeated ones too, and their bytes with IP and UDP headers. */
  readonly packets: number
  readonly bytes: Bytes
  /** Datagrams that never arrived, before any repair; counted once that is final, about 200 ms later. */
  readonly lostPackets: number
  /** Runs of consecutive lost datagrams, once they have ended. @see RFC 3611 section 4.7.2 for bursts and gaps */
  readonly lossBursts: number
  /** Datagrams that arrived more than once. */
  readonly duplicatePackets: number
  /** Datagrams that arrived after one that was sent later. @see RFC 4737 section 3.3 */
  readonly reorderedPackets: number
  /** By length of burst in packets: up to 1, 2, 4, 8, 16, 32, and longer. Adds up to {@link lossBursts}. */
  readonly burstsByLength: readonly number[]
  /** By length of gap in packets received between two bursts: up to 10, 100, 1000, 10,000, and longer. */
  readonly gapsByLength: readonly number[]
}

/** What is true now of one path in one direction. */
export interface PathGauges {
  /** Interarrival jitter. @see RFC 3550 section 6.4.1 */
  readonly jitter: Millis
  /** One-way delay over the shortest of the last half minute: median and 95th percentile of the last second. @see RFC 3393 */
  readonly delayVariation: { readonly p50: Millis; readonly p95: Millis }
  /** Lost over sent, of the last ten seconds. */
  readonly lossRatio: number
  /** What arrived in the last second, with IP and UDP headers. */
  readonly throughput: BitsPerSecond
}

/** `up`: proven by a probe of late. `down`: silent. `unproven`: never heard of yet. */
export type PathState = 'up' | 'down' | 'unproven'

/** One path, as this end sees it. */
export interface PathSnapshot {
  readonly path: PathName
  readonly state: PathState
  /** Times that it went down. */
  readonly outages: number
  /** Smoothed; undefined before the first answer. @see RFC 6298 */
  readonly roundTrip: Millis | undefined
  readonly shortestRoundTrip: Millis | undefined
  /** What this end takes the path to carry from here; undefined while that is a guess: neither stated nor seen. */
  readonly capacity: BitsPerSecond | undefined
  /** Of that, what is not in use. */
  readonly headroom: BitsPerSecond | undefined
  /** Queueing that this end's own traffic meets now. */
  readonly queueingDelay: Millis
  /** Largest IP packet that is known to pass. @see RFC 8899 */
  readonly mtu: Bytes
  /** The far end's clock less ours, both since the epoch. */
  readonly clockOffset: Millis | undefined
  readonly totals: Readonly<Record<Direction, PathTotals>>
  readonly gauges: Readonly<Record<Direction, PathGauges>>
}

/** Totals since the link was opened, of one class. */
export interface ClassTotals {
  /** Application payload, without any header of ours, in first transmissions (`out`), or handed over whole (`in`). */
  readonly packets: number
  readonly bytes: Bytes
  /** `out`: sent again. `in`: arrived by being sent again. */
  readonly retransmittedPackets: number
  readonly retransmittedBytes: Bytes
  /** Parity of forward error correction. */
  readonly fecPackets: number
  readonly fecBytes: Bytes
  /** Came about from parity; for `out`, as the far end last reported it. */
  readonly fecRecoveredPackets: number
  /** Given up at the deadline: loss after repair; for `out`, as the far end last reported it. */
  readonly deadlineMisses: number
  /** `out`: dropped before sending, for waiting too long or for want of a path. 0 for `in`. */
  readonly droppedPackets: number
}

/** One class of traffic, as this end sees it. */
export interface ClassSnapshot {
  readonly class: TrafficClass
  readonly policy: PathPolicy
  /** The path that it used last; undefined while none lives, or where it uses all. */
  readonly path: PathName | undefined
  /** Times that it moved from one path to another. */
  readonly switches: number
  /** How long the oldest waiting packet waits here. */
  readonly queueDelay: Millis
  readonly totals: Readonly<Record<Direction, ClassTotals>>
  /** Media Delivery Index of what this end receives of `live`, over the last second. @see RFC 4445 */
  readonly mdi: { readonly delayFactor: Millis; readonly mediaLossRate: number } | undefined
}

/** Why a datagram at the link's port was refused. */
export const REFUSALS = ['malformed', 'unknown_link', 'forged', 'replayed', 'oversize', 'stale'] as const
export type Refusal = (typeof REFUSALS)[number]

/** Something that happened on a link and that somebody may have to act on, with its evidence. */
export interface LinkEvent {
  /** Milliseconds since the epoch. */
  readonly at: number
  readonly kind: 'link_opened' | 'link_closed' | 'path_up' | 'path_down' | 'class_degraded' | 'class_recovered' | 'contract_broken' | 'contract_kept' | 'path_rebound' | 'rekeyed'
  readonly path?: PathName | undefined
  readonly class?: TrafficClass | undefined
  /** Measured figures that led to it, each with its unit in its name. */
  readonly evidence: Readonly<Record<string, number | string>>
}

/** Everything known of one link at one moment. */
export interface LinkSnapshot {
  readonly link: LinkName
  readonly class: LinkClass
  readonly openedAt: number
  /** Frames and claims of the far end that made no sense, since the link was opened. */
  readonly lies: number
  readonly paths: readonly PathSnapshot[]
  readonly classes: readonly ClassSnapshot[]
  /** The last ones, oldest first. */
  readonly events: readonly LinkEvent[]
}
