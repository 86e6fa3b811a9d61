import type { Millis } from '../../wire/units.ts'

/** One packet of a class, kept until nobody can ask for it any more. */
export interface OutgoingPacket {
  /** In its class; 0 until it is sent for the first time. */
  sequence: number
  /** What follows the header of its data frame. */
  readonly body: Buffer
  /** Bits of `DATA_FLAG`. */
  flags: number
  /** When it was first sent. */
  sentAt: Millis
  /** Index of the path that it last left on. */
  path: number
  /** When it was last put in line for a second path. */
  copiedAt: Millis
  /** Of the last request that was answered. */
  round: number
  /** It was asked for again, and waits for its turn. */
  isAsked: boolean
  /** The message that it ends, if it ends one, by its ticket. */
  readonly endOf: number | undefined
}

/** What waits to be sent for the first time. */
export interface PacketQueue {
  readonly isEmpty: boolean
  /** The next packet, with a body of at most `room` bytes where it can still be cut. */
  take(room: number, now: Millis): OutgoingPacket | undefined
  /** How long the one that goes next has waited. */
  waited(now: Millis): Millis
}
