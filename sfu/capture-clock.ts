import type { Millis } from '../relay/wire/units.ts'

/** An image that was captured later than this after now, in milliseconds, was not: a clock is wrong. */
const MAX_AHEAD_MILLIS = 100
/** One that was captured longer ago, in milliseconds, is no news of a live image. */
const MAX_AGE_MILLIS = 30_000

/** Now, in milliseconds since the epoch on this process's monotonic clock. */
export const nodeTimeMillis = (): number => performance.timeOrigin + performance.now()

/**
 * Moves a time of capture from the agent's clock to the node's.
 *
 * @param capturedAtMillis - Milliseconds since the epoch, on the agent's clock.
 * @param offset - The agent's clock less the node's; undefined while nobody knows.
 * @param nowMillis - Milliseconds since the epoch, on the node's clock.
 * @returns Milliseconds since the epoch, on the node's clock; undefined without an offset, and for a time
 *   that cannot be: in the future, or too long ago.
 */
export function captureOnNodeClock(capturedAtMillis: number, offset: Millis | undefined, nowMillis: number): number | undefined {
  if (offset === undefined) return undefined
  const captured = capturedAtMillis - offset
  const age = nowMillis - captured
  return age >= -MAX_AHEAD_MILLIS && age <= MAX_AGE_MILLIS ? captured : undefined
}
