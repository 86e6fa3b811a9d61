import type { Millis } from '../../wire/units.ts'

/** Over how long the rate is taken, and in which steps. In milliseconds. */
const SPAN = 10_000
const STEP = 500

/** The rate of what was acknowledged of late. Reads no clock. */
export class TransferRate {
  /** At most `SPAN / STEP` and one, oldest first. */
  readonly #steps: { readonly at: number; bytes: number }[] = []
  #startedAt: Millis | undefined

  count(bytes: number, now: Millis): void {
    this.#startedAt ??= now
    const last = this.#steps.at(-1)
    if (last !== undefined && now - last.at < STEP) last.bytes += bytes
    else this.#steps.push({ at: now, bytes })
    this.#forget(now)
  }

  /** @returns Undefined before anything was counted for a whole step. */
  bytesPerSecond(now: Millis): number | undefined {
    this.#forget(now)
    if (this.#startedAt === undefined || now - this.#startedAt < STEP) return undefined
    const span = Math.min(SPAN, now - this.#startedAt)
    return (this.#steps.reduce((sum, { bytes }) => sum + bytes, 0) * 1000) / span
  }

  #forget(now: Millis): void {
    while ((this.#steps[0]?.at ?? Infinity) < now - SPAN) this.#steps.shift()
  }
}
