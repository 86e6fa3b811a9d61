import type { RtpTimestamp } from './units.ts'

/**
 * Signed distance from `earlier` to `later` on the 32-bit RTP clock.
 *
 * @returns Ticks in [-2^31, 2^31); negative when `later` is in fact the older one.
 * @see RFC 3550 section 5.1; comparison modulo 2^32 as in RFC 1982
 */
export function rtpElapsed(earlier: RtpTimestamp, later: RtpTimestamp): number {
  return (later - earlier) | 0
}

/** Whether `candidate` is strictly newer than `reference`, allowing for wrap-around. */
export function isRtpNewer(candidate: RtpTimestamp, reference: RtpTimestamp): boolean {
  return rtpElapsed(reference, candidate) > 0
}
