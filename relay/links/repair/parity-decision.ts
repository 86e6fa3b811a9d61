import { millis } from '../../wire/units.ts'
import { decideFec, DEFAULT_MAX_OVERHEAD } from './fec-policy.ts'
import { retryInterval } from './sequence-tracker.ts'
import type { Millis } from '../../wire/units.ts'
import type { PathTotals } from '../measurement/link-snapshot.ts'
import type { LiveClass } from '../link-class.ts'
import type { LinkPath } from '../link-path.ts'

/** What waits for so long here, or on the way, waits because there is no room. Delays wander by themselves, too. */
const CROWDED = { here: 15, onTheWay: 35 } as const
const UNCROWDED_AFTER = millis(5000)
/** Of what a path is taken to carry, parity included. */
const SHARE = 0.85
const LEAST_OVERHEAD = 0.02
/** A typical datagram, for turning rates into packets. */
const PACKET_BYTES = 1250

/**
 * Decides on the parity of live packets: what retransmission cannot bring back in time, where the line has room for it.
 * Where every packet travels twice already there is none, and none either where packets wait: what waits or overflows is
 * worse than what is lost. Does no I/O and reads no clock.
 */
export class ParityDecision {
  readonly #live: LiveClass
  #crowdedAt = millis(-Infinity)
  #before = { at: millis(0), bytes: 0 }

  constructor(live: LiveClass) {
    this.#live = live
  }

  /** Decides anew. Call it twice a second. @param path - That the class prefers. */
  step(path: LinkPath | undefined, now: Millis): void {
    const reported = path?.reported
    if (path === undefined || reported === undefined) return
    const { choice, out, fec, fecSwitch } = this.#live
    if (path.out.queueingDelay > CROWDED.onTheWay || out.queue.waited(now) > CROWDED.here) this.#crowdedAt = now
    const room = (SHARE * path.out.capacity) / Math.max(1, path.out.sendingRate(now) - this.#parityRate(now)) - 1
    const maxOverhead = Math.min(DEFAULT_MAX_OVERHEAD, room)
    const isPossible = !choice.isDoubled && maxOverhead >= LEAST_OVERHEAD && now - this.#crowdedAt > UNCROWDED_AFTER
    if (!isPossible) {
      // What is needed may wait to be stopped; what does harm may not.
      fec.configure(undefined)
      return
    }
    const { lossRatio, throughput } = reported.gauges
    const { roundTrip, variation } = path.out
    const budget = millis(this.#live.budget(roundTrip))
    const packetsPerSecond = Math.max(1, throughput / 8 / PACKET_BYTES)
    const decision = decideFec({ lossRatio, meanBurst: meanBurst(reported.totals), budget, roundTrip: retryInterval(roundTrip, variation), packetsPerSecond, maxOverhead })
    fec.configure(fecSwitch.step(decision, now))
  }

  /** Bits per second of parity since the last time. */
  #parityRate(now: Millis): number {
    const { at, bytes } = this.#before
    this.#before = { at: now, bytes: this.#live.fecBytes }
    return now > at ? ((this.#live.fecBytes - bytes) * 8000) / (now - at) : 0
  }
}

const meanBurst = ({ lostPackets, lossBursts }: PathTotals): number => (lossBursts === 0 ? 1 : Math.max(1, lostPackets / lossBursts))
