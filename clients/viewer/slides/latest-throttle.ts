import { millis } from '../../../relay/wire/units.ts'
import type { Millis } from '../../../relay/wire/units.ts'

/** Lets the latest of many values through, one in every interval; the last one always. Does no I/O and reads no clock. */
export class LatestThrottle<Value> {
  readonly #interval: Millis
  #waiting: { readonly value: Value } | undefined
  #freeAt = -Infinity

  constructor(interval: Millis) {
    this.#interval = interval
  }

  /** Takes the place of a value that waits. */
  offer(value: Value): void {
    this.#waiting = { value }
  }

  /** Forgets what waits. */
  drop(): void {
    this.#waiting = undefined
  }

  /** What to send now, and when to ask again; undefined when nothing waits. */
  step(now: Millis): { readonly send?: { readonly value: Value } | undefined; readonly wakeAt?: Millis | undefined } {
    if (this.#waiting === undefined) return {}
    if (now < this.#freeAt) return { wakeAt: millis(this.#freeAt) }
    const send = this.#waiting
    this.#waiting = undefined
    this.#freeAt = now + this.#interval
    return { send }
  }
}

/** Runs a throttle by the page's clock. */
export class ThrottledSender<Value> {
  readonly #throttle: LatestThrottle<Value>
  readonly #send: (value: Value) => void
  #timer: ReturnType<typeof setTimeout> | undefined

  constructor(interval: Millis, send: (value: Value) => void) {
    this.#throttle = new LatestThrottle(interval)
    this.#send = send
  }

  offer(value: Value): void {
    this.#throttle.offer(value)
    this.#step()
  }

  /** Sends nothing any more of what was offered. */
  drop(): void {
    this.#throttle.drop()
    clearTimeout(this.#timer)
    this.#timer = undefined
  }

  #step(): void {
    const { send, wakeAt } = this.#throttle.step(millis(performance.now()))
    if (send !== undefined) this.#send(send.value)
    if (wakeAt === undefined || this.#timer !== undefined) return
    this.#timer = setTimeout(() => {
      this.#timer = undefined
      this.#step()
    }, Math.ceil(wakeAt - performance.now()))
  }
}
