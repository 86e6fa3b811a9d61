import { bitsPerSecond, millis } from '../../wire/units.ts'
import type { RateControl } from './rate-control.ts'

/** More than memory copies in a process of ours, in bits per second. */
const RATE = bitsPerSecond(4e9)

/** For a far end on this machine, whose line is memory: whatever is measured of it says how busy the machine is. */
export const UNLIMITED_RATE: RateControl = {
  sent: () => undefined,
  acknowledged: () => undefined,
  lost: () => undefined,
  reported: () => undefined,
  step: () => undefined,
  pace: RATE,
  capacity: RATE,
  isProven: false,
  queueingDelay: millis(0),
}
