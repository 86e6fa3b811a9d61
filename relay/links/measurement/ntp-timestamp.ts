import { millis } from '../../wire/units.ts'
import type { Millis } from '../../wire/units.ts'

/** Seconds from 1900, where NTP begins, to 1970, where Unix begins. */
const EPOCH_SECONDS = 2_208_988_800
const ERA_SECONDS = 2 ** 32

/**
 * Writes an instant as an NTP 64-bit timestamp: seconds modulo 2^32, then their fraction.
 *
 * @param instant - Since the Unix epoch. Of it, what is finer than about a quarter of a microsecond does not fit a double.
 * @see RFC 5905 section 6
 */
export function writeNtpTimestamp(view: DataView, offset: number, instant: Millis): void {
  let seconds = Math.floor(instant / 1000)
  let fraction = Math.round(((instant - seconds * 1000) / 1000) * ERA_SECONDS)
  if (fraction >= ERA_SECONDS) {
    seconds++
    fraction = 0
  }
  view.setUint32(offset, (seconds + EPOCH_SECONDS) >>> 0)
  view.setUint32(offset + 4, fraction)
}

/**
 * Reads an NTP 64-bit timestamp. Seconds with their highest bit clear belong to the era that begins in 2036.
 *
 * @returns since the Unix epoch.
 * @see RFC 5905 section 6, RFC 4330 section 3 for the two eras
 */
export function readNtpTimestamp(view: DataView, offset: number): Millis {
  const seconds = view.getUint32(offset)
  const sinceUnix = seconds - EPOCH_SECONDS + (seconds < 2 ** 31 ? ERA_SECONDS : 0)
  return millis(sinceUnix * 1000 + (view.getUint32(offset + 4) * 1000) / ERA_SECONDS)
}

/**
 * Reads a PTPv2 truncated timestamp: seconds modulo 2^32, then nanoseconds. Its time scale may be TAI, some 37 s
 * ahead of UTC: delays between two such stamps are right, their offset to UTC may not be.
 *
 * @returns since PTP's epoch, which is Unix's.
 * @see RFC 8186, RFC 8762 section 4.2.1
 */
export function readPtpTimestamp(view: DataView, offset: number): Millis {
  return millis(view.getUint32(offset) * 1000 + view.getUint32(offset + 4) / 1_000_000)
}
