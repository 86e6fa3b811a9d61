/** A step that no reading of two clocks, one after the other, makes by itself. */
const LEAST_STEP_MILLIS = 100
const LOOK_INTERVAL_MILLIS = 500

/** Two clocks of one instant, in milliseconds: that of the wall, and one that never steps. */
export interface ClockReading {
  readonly wall: number
  readonly steady: number
}

/**
 * How far the wall's clock was set between two readings. Slewing is no step: it moves both clocks alike.
 *
 * @returns Milliseconds, positive when it was set forward; undefined when it was not set.
 */
export function clockStep(before: ClockReading, after: ClockReading): number | undefined {
  const step = after.wall - before.wall - (after.steady - before.steady)
  return Math.abs(step) < LEAST_STEP_MILLIS ? undefined : step
}

/** Tells when the wall's clock is set, or the machine sleeps: what was timed across that means nothing. */
export class ClockWatch implements Disposable {
  readonly #timer: NodeJS.Timeout

  /** @param onStep - Told how far it was set, in milliseconds. @param read - Both clocks. */
  constructor(onStep: (stepMillis: number) => void, read: () => ClockReading = readClocks) {
    const first = read()
    const look = (): number | undefined => clockStep(first, read())
    this.#timer = setInterval(() => {
      // Between the two readings of a pair this process may not be run: another pair says whether that was it.
      const step = look() === undefined ? undefined : look()
      if (step !== undefined) onStep(step)
    }, LOOK_INTERVAL_MILLIS).unref()
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer)
  }
}

const readClocks = (): ClockReading => ({ wall: Date.now(), steady: performance.now() })
