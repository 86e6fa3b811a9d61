/**
 * Numbers that carry their unit. A brand costs nothing at run time and keeps milliseconds from being
 * added to bytes.
 */
declare const unit: unique symbol

/** A duration, or an instant on a monotonic clock, in milliseconds. */
export type Millis = number & { readonly [unit]: 'ms' }
/** A size in bytes. */
export type Bytes = number & { readonly [unit]: 'B' }
/** A rate in bits per second. */
export type BitsPerSecond = number & { readonly [unit]: 'bit/s' }
/** A point on an RTP clock, modulo 2^32. @see RFC 3550 section 5.1 */
export type RtpTimestamp = number & { readonly [unit]: 'RTP ticks mod 2^32' }

/** Brands a number of milliseconds. */
export const millis = (value: number): Millis => value as Millis
/** Brands a number of bytes. */
export const bytes = (value: number): Bytes => value as Bytes
/** Brands a rate in bits per second. */
export const bitsPerSecond = (value: number): BitsPerSecond => value as BitsPerSecond
/** Brands an RTP timestamp, reduced modulo 2^32. */
export const rtpTimestamp = (value: number): RtpTimestamp => ((value % 0x1_0000_0000) >>> 0) as RtpTimestamp

/** The clock rate of every video track, in ticks per second. @see RFC 6184 section 8.2.1, RFC 9628 section 6 */
export const VIDEO_CLOCK_RATE = 90_000

/** Time to serialise `size` at `rate`, excluding propagation. */
export function transmissionTime(size: Bytes, rate: BitsPerSecond): Millis {
  return millis((size * 8 * 1000) / rate)
}
