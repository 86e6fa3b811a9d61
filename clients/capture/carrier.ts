import type { RelayFault } from '../../relay/wire/fault.ts'
import type { RenditionId } from '../../relay/wire/ids.ts'
import type { BitsPerSecond, Millis } from '../../relay/wire/units.ts'
import type { PacketSink } from './frame-pump.ts'

/** By what a pyramid reaches the node: a link, which is kenkyo's own, or a WebRTC connection, which everybody speaks. */
export const CARRIERS = ['link', 'webrtc'] as const
export type CarrierKind = (typeof CARRIERS)[number]

/** What left, and what came back, since a carrier was made. */
export interface CarrierCounts {
  readonly packetsSent: number
  readonly bytesSent: number
  /** Packets that the node asked for again. */
  readonly packetsNacked: number
  /** Keyframes that the node asked for; the next one is never further than the GOP. */
  readonly plis: number
  /** Packets not sent because there was no room. */
  readonly packetsDropped: number
}

/** What a carrier finds out about the line. */
export interface UplinkMeter {
  /** Decides. Call it several times a second. */
  step(now: Millis): BitsPerSecond
  /** Whether the line was ever seen to carry no more than was sent. */
  readonly isLimited: boolean
  /** The least time that packets waited on the line of late. */
  readonly queueingDelay: Millis
}

/** A way to the node that frames can be sent on. */
export interface Carrier extends PacketSink, AsyncDisposable {
  readonly kind: CarrierKind
  /** Settles once, when media can no longer flow. Never rejects. */
  readonly closed: Promise<RelayFault>
  readonly counts: CarrierCounts
  /** Undefined where the line is not to be measured: it is memory. */
  readonly uplink: UplinkMeter | undefined
  /** What viewers look at most; may be sent with more care than the rest. */
  prioritise?(renditions: readonly RenditionId[]): void
}
