import { millis } from '../../wire/units.ts'
import type { Millis } from '../../wire/units.ts'
import type { LinkEvent, PathSnapshot } from './link-snapshot.ts'

/** A path that came back lives for so long before that is an event. */
const PROVEN_AFTER = millis(1000)

/** What was found, before it has a time and a place. */
export type Finding = Pick<LinkEvent, 'kind' | 'evidence'>

/**
 * Finds out when one path goes down and comes back. Does no I/O and reads no clock.
 *
 * Going down is told at once, coming back once it lasts, so that a path that flaps is down all the while.
 */
export class PathWatch {
  #isUp = false
  #wasEverUp = false
  #downSince: Millis | undefined
  #upSince: Millis | undefined
  #outages: number | undefined

  /** Takes the path as it is. */
  observe(path: PathSnapshot, now: Millis): Finding[] {
    const wentDown = path.state === 'down' || path.outages > (this.#outages ?? path.outages)
    this.#outages = path.outages
    if (path.state === 'up') this.#upSince = wentDown ? now : (this.#upSince ?? now)
    else this.#upSince = undefined
    if (this.#isUp && wentDown) return [this.#fall(path, now)]
    const isProven = this.#upSince !== undefined && (!this.#wasEverUp || now - this.#upSince >= PROVEN_AFTER)
    return !this.#isUp && isProven ? [this.#rise(path, now)] : []
  }

  #fall(path: PathSnapshot, now: Millis): Finding {
    this.#isUp = false
    this.#downSince = now
    return { kind: 'path_down', evidence: { ...figures(path), outages: path.outages } }
  }

  #rise(path: PathSnapshot, now: Millis): Finding {
    this.#isUp = true
    this.#wasEverUp = true
    const evidence = { ...figures(path), outages: path.outages }
    return { kind: 'path_up', evidence: this.#downSince === undefined ? evidence : { ...evidence, downMillis: now - this.#downSince } }
  }
}

/** What is known of a path, as evidence. */
function figures(path: PathSnapshot): Record<string, number> {
  return {
    ...(path.roundTrip !== undefined && { roundTripMillis: path.roundTrip }),
    lossRatioIn: path.gauges.in.lossRatio,
    lossRatioOut: path.gauges.out.lossRatio,
    queueingDelayMillis: path.queueingDelay,
    ...(path.capacity !== undefined && { capacityBitsPerSecond: path.capacity }),
  }
}
