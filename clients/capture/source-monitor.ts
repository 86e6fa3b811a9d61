import type { Millis } from '../../relay/wire/units.ts'
import type { FaultCode } from '../../relay/wire/fault.ts'
import type { SourceStatus } from '../../relay/wire/signaling.ts'

/** Images are counted over so many whole seconds. */
const WINDOW_SECONDS = 3
/** A source that shows less than this share of what it declared is slow… */
const SLOW_BELOW = 0.9
/** …until it shows more than this. */
const RECOVERED_ABOVE = 0.95

/** Judges how a source is doing from the images that came. Reads no clock: `now` is an argument. */
export class SourceMonitor {
  readonly #declared: number
  /** Images per second, oldest first; the last one is still being counted. */
  readonly #seconds: number[] = []
  #currentSecond: number | undefined
  /** The second of the first image, which was not whole. */
  #firstSecond = 0
  #isSlow = false
  #isFullRateExpected = true
  /** The second of the last image or look. */
  #newestSecond = 0
  #fault: FaultCode | undefined

  /** @param declared - Frames per second that the source promised. */
  constructor(declared: number) {
    this.#declared = declared
  }

  /** One more image came. */
  imageArrived(now: Millis): void {
    this.#fault = undefined
    this.#turnTo(now)
    if (this.#seconds.length > 0) this.#seconds.push((this.#seconds.pop() ?? 0) + 1)
  }

  /** The source died; it is interrupted until the next image. */
  failed(fault: FaultCode): void {
    this.#fault = fault
    this.#seconds.length = 0
    this.#currentSecond = undefined
    this.#isSlow = false
  }

  /**
   * Whether the declared rate is expected. It is not of a source that makes only what is demanded while
   * nothing but keyframes is: that one is not slow.
   */
  expectFullRate(isExpected: boolean): void {
    if (isExpected === this.#isFullRateExpected) return
    this.#isFullRateExpected = isExpected
    // What was counted before says nothing about what comes now.
    this.#seconds.length = 0
    this.#currentSecond = this.#currentSecond === undefined ? undefined : this.#newestSecond
    this.#firstSecond = this.#newestSecond
    this.#isSlow = false
  }

  /** How the source is doing. */
  status(now: Millis): SourceStatus {
    if (this.#fault !== undefined) return { state: 'interrupted', framesPerSecond: 0, fault: this.#fault }
    if (this.#currentSecond === undefined) return { state: 'interrupted', framesPerSecond: 0, fault: 'unavailable' }
    this.#turnTo(now)
    const whole = this.#seconds.slice(0, -1)
    // Nothing is known of its rate before one whole second has passed.
    if (whole.length === 0) return { state: 'live', framesPerSecond: this.#declared }
    const framesPerSecond = Math.round((10 * whole.reduce((sum, count) => sum + count, 0)) / whole.length) / 10
    if (framesPerSecond === 0 && whole.length === WINDOW_SECONDS) return { state: 'interrupted', framesPerSecond, fault: 'encoder_failed' }
    if (!this.#isFullRateExpected) return { state: 'live', framesPerSecond }
    const threshold = this.#declared * (this.#isSlow ? RECOVERED_ABOVE : SLOW_BELOW)
    // One odd second is no judgement.
    this.#isSlow = whole.length === WINDOW_SECONDS ? framesPerSecond < threshold : this.#isSlow
    return this.#isSlow ? { state: 'slow', framesPerSecond, fault: 'encoder_slow' } : { state: 'live', framesPerSecond }
  }

  #turnTo(now: Millis): void {
    const second = Math.floor(now / 1000)
    this.#newestSecond = second
    this.#currentSecond ??= this.#firstSecond = second
    for (let turn = Math.min(second - this.#currentSecond, WINDOW_SECONDS + 1); turn > 0; turn--) this.#seconds.push(0)
    const kept = Math.min(WINDOW_SECONDS + 1, second - this.#firstSecond)
    this.#seconds.splice(0, this.#seconds.length - kept)
    this.#currentSecond = second
  }
}
