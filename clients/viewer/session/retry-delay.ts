import { millis } from '../../../relay/wire/units.ts'
import type { Millis } from '../../../relay/wire/units.ts'

const FIRST_MS = 300
const CAP_MS = 5000

/**
 * How long to wait before trying again: full-jitter exponential backoff.
 *
 * @param attempt - Failed attempts so far, from 0.
 * @param random - In [0, 1).
 * @returns At most 300 ms the first time, at most 5 s ever; at least a tenth of the bound.
 */
export function retryDelay(attempt: number, random: number): Millis {
  const bound = Math.min(CAP_MS, FIRST_MS * 2 ** attempt)
  return millis(bound * (0.1 + 0.9 * random))
}
