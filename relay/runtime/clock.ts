import { millis } from '../wire/units.ts'
import type { Millis } from '../wire/units.ts'

/** Where time comes from. Passed in, so that a test can own it. */
export interface Clock {
  /** Monotonic time in milliseconds since an arbitrary origin. */
  now(): Millis
  /** Settles after `duration`. @throws the signal's reason when it aborts first. */
  sleep(duration: Millis, signal?: AbortSignal): Promise<void>
}

/** The machine's clock. */
export const systemClock: Clock = {
  now: () => millis(performance.now()),
  sleep: (duration, signal) =>
    new Promise((resolve, reject) => {
      if (signal?.aborted === true) {
        reject(signal.reason as Error)
        return
      }
      const stop = (): void => {
        clearTimeout(timer)
        reject(signal?.reason as Error)
      }
      const timer = setTimeout(() => {
        signal?.removeEventListener('abort', stop)
        resolve()
      }, duration)
      signal?.addEventListener('abort', stop, { once: true })
    }),
}
