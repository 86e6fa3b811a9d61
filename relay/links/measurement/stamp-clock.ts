import { millis } from '../../wire/units.ts'
import type { Millis } from '../../wire/units.ts'

/** Where test packets get their stamps from: since the Unix epoch, finer than a millisecond, never going back. */
export type StampClock = () => Millis

/**
 * The machine's clock as it was set when the process began, and monotonic from there: delays are right to the
 * microsecond, while a step of the system clock is not followed. Stamps are taken in this process, so a busy event
 * loop counts as delay.
 */
export const stampClock: StampClock = () => millis(performance.timeOrigin + performance.now())
