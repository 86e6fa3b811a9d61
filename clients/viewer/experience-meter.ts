import type { Experience } from '../../relay/wire/signaling.ts'
import { millis } from '../../relay/wire/units.ts'
import type { Millis, RtpTimestamp } from '../../relay/wire/units.ts'
import { CaptureClock } from './picture/capture-clock.ts'
import type { PictureState } from './picture/messages.ts'
import { NodeClock } from './session/node-clock.ts'
import type { ClockExchange } from './session/node-clock.ts'

/** What a report of the drawing worker says that matters here. */
export type MeteredState = Pick<PictureState, 'shown' | 'instantDrawnAtMs' | 'framesDrawn' | 'freezes' | 'nativePixelRatio'>

/** Ages remembered between two reports: what the fastest display draws in some of their intervals. */
const MAX_AGES = 2048
/** The node takes no more than this in one report. */
const LIMITS = { framesPerSecond: 1000, freezes: 1000, longestFreezeMillis: 86_400_000, captureToGlassMillis: 600_000 } as const

/** The age that so large a part of all is at most. */
function percentile(sorted: readonly number[], part: number): number {
  return sorted[Math.max(0, Math.ceil(part * sorted.length) - 1)] ?? 0
}

/**
 * Sums up what a person sees of the picture from one report to the next, and how old it was when it was
 * drawn. The age is known only where agent and node know each other's clocks, and node and viewer do.
 * Reads no clock: times are milliseconds since the epoch on the page's monotonic clock.
 */
export class ExperienceMeter {
  readonly #node = new NodeClock()
  readonly #captures = new CaptureClock()
  #since: number | undefined
  /** As of the last report. */
  #before: Pick<MeteredState, 'framesDrawn' | 'freezes'> | undefined
  #last: MeteredState | undefined
  #longestFreezeSeconds = 0
  #ratios = { sum: 0, count: 0 }
  #ages: number[] = []

  /** Another session: the node's clock has to be asked anew. */
  joined(): void {
    this.#node.reset()
  }

  /** The node answered what its clock says. */
  clockRead(exchange: ClockExchange): void {
    this.#node.take(exchange)
  }

  /** Another publication, or none. */
  publicationChanged(nowMillis: number): void {
    this.#captures.reset()
    this.restart(nowMillis)
  }

  /** The node said when an image was captured, on its own clock. */
  captured(rtpTimestamp: RtpTimestamp, capturedAtMillis: number): void {
    this.#captures.take(rtpTimestamp, capturedAtMillis)
  }

  /** What was until now is not reported: nobody looked. */
  restart(nowMillis: number): void {
    this.#since = nowMillis
    this.#before = this.#last
    this.#longestFreezeSeconds = 0
    this.#ratios = { sum: 0, count: 0 }
    this.#ages = []
  }

  /** Takes one report of the drawing worker; several may speak of the same instant. */
  take(state: MeteredState): void {
    const last = this.#last
    this.#last = state
    this.#before ??= state
    this.#ratios = { sum: this.#ratios.sum + state.nativePixelRatio, count: this.#ratios.count + 1 }
    if (state.freezes.count !== last?.freezes.count) this.#longestFreezeSeconds = Math.max(this.#longestFreezeSeconds, state.freezes.lastSeconds)
    if (state.instantDrawnAtMs === last?.instantDrawnAtMs || this.#ages.length >= MAX_AGES) return
    const age = this.captureToGlass(state)
    if (age !== undefined) this.#ages.push(age)
  }

  /**
   * How old the instant on the canvas was when its drawing was issued.
   *
   * @returns undefined where a clock is unknown, or known so badly that the image would come from the future.
   */
  captureToGlass({ shown, instantDrawnAtMs }: Pick<MeteredState, 'shown' | 'instantDrawnAtMs'>): Millis | undefined {
    if (shown === null || instantDrawnAtMs === null) return undefined
    const clock = this.#node.estimate(instantDrawnAtMs)
    const capturedAt = this.#captures.capturedAt(shown.rtpTimestamp)
    if (clock === undefined || capturedAt === undefined) return undefined
    const age = instantDrawnAtMs + clock.offset - capturedAt
    return age + clock.error < 0 || age > LIMITS.captureToGlassMillis ? undefined : millis(Math.max(0, age))
  }

  /** What was since the last call, or since {@link restart}; undefined before the first drawing. Begins anew. */
  report(nowMillis: number): Experience | undefined {
    const [last, before, since] = [this.#last, this.#before, this.#since]
    if (last === undefined || before === undefined || since === undefined || nowMillis <= since) return undefined
    const ages = this.#ages.sort((a, b) => a - b)
    const freezes = Math.min(LIMITS.freezes, last.freezes.count - before.freezes.count)
    const experience: Experience = {
      framesPerSecond: Math.min(LIMITS.framesPerSecond, ((last.framesDrawn - before.framesDrawn) * 1000) / (nowMillis - since)),
      freezes,
      longestFreezeMillis: freezes === 0 ? 0 : Math.min(LIMITS.longestFreezeMillis, this.#longestFreezeSeconds * 1000),
      nativePixelRatio: this.#ratios.count === 0 ? last.nativePixelRatio : Math.min(1, this.#ratios.sum / this.#ratios.count),
      captureToGlassMillis: ages.length === 0 ? null : { p50: percentile(ages, 0.5), p95: percentile(ages, 0.95) },
    }
    this.restart(nowMillis)
    return experience
  }
}
