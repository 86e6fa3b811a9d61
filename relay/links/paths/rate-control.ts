import type { BitsPerSecond, Bytes, Millis } from '../../wire/units.ts'

/** What one path's feedback decides: how fast to send on it. Does no I/O and reads no clock. */
export interface RateControl {
  /** A datagram left. @param size - With IP and UDP headers. */
  sent(size: Bytes, now: Millis): void
  /**
   * The far end reports a datagram, once, in the order of their numbers.
   *
   * @param sentAt - On this end's clock.
   * @param arrivedAt - On the far end's clock, whose offset is unknown but steady.
   */
  acknowledged(sentAt: Millis, arrivedAt: Millis, size: Bytes): void
  /** The far end reports so many datagrams as lost. */
  lost(count: number): void
  /**
   * Ends one report. Call it after the calls above that belong to it.
   *
   * @param isBusy - Whether something waited to be sent all the time since the last report.
   */
  reported(now: Millis, roundTrip: Millis, isBusy: boolean): void
  /** Call it every 20 ms or so, so that silence is noticed, too. */
  step(now: Millis): void
  /** What may be sent now. */
  readonly pace: BitsPerSecond
  /** What the path is taken to carry in the long run: never more than was proven, or claimed at the start. */
  readonly capacity: BitsPerSecond
  /** Whether {@link capacity} is more than a guess: it was stated, or the path was seen to carry about as much or to be the limit. */
  readonly isProven: boolean
  /** The least time that datagrams of the last report waited on the way. */
  readonly queueingDelay: Millis
}
