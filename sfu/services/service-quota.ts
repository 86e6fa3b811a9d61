import { LRUCache } from 'lru-cache'
import { RelayFault } from '../../relay/wire/fault.ts'
import { TokenBucket } from '../signaling/token-bucket.ts'
import type { FacilityId, ServiceId } from '../../relay/wire/access.ts'
import type { Millis } from '../../relay/wire/units.ts'

/** Pairs of service and facility that are remembered. */
const MAX_BUCKETS = 16_384

/** Requests at once. */
export interface ConcurrencyLimits {
  readonly perNode: number
  readonly perService: number
  readonly perServiceAndFacility: number
}

/** What a service grants to each facility. */
export interface ServiceRate {
  readonly id: ServiceId
  readonly requestsPerSecond: number
}

/** How much is asked of services: how often by a facility, and how much at once. Decides without I/O and reads no clock. */
export class ServiceQuota {
  readonly #limits: ConcurrencyLimits
  readonly #buckets = new LRUCache<string, TokenBucket>({ max: MAX_BUCKETS })
  readonly #running = new Map<string, number>()

  constructor(limits: ConcurrencyLimits) {
    this.#limits = limits
  }

  /**
   * Takes a place for one request. A facility may save up one second of its rate.
   *
   * @returns Gives the place back; once.
   * @throws {RelayFault} `rate_limited`; `overloaded` when as many run as may.
   */
  enter({ id, requestsPerSecond }: ServiceRate, facilityId: FacilityId, now: Millis): () => void {
    const pair = `${id}/${facilityId}`
    const places: readonly (readonly [string, number])[] = [['', this.#limits.perNode], [id, this.#limits.perService], [pair, this.#limits.perServiceAndFacility]]
    const rated = `${pair} ${requestsPerSecond}`
    const bucket = this.#buckets.get(rated) ?? new TokenBucket(requestsPerSecond, Math.max(1, requestsPerSecond), now)
    this.#buckets.set(rated, bucket)
    if (!bucket.take(now)) throw new RelayFault('rate_limited', 'this facility asks this service too often')
    if (places.some(([place, limit]) => (this.#running.get(place) ?? 0) >= limit)) throw new RelayFault('overloaded', 'too many requests of this service run')
    for (const [place] of places) this.#running.set(place, (this.#running.get(place) ?? 0) + 1)
    return () => {
      for (const [place] of places) this.#leave(place)
    }
  }

  #leave(place: string): void {
    const left = (this.#running.get(place) ?? 0) - 1
    if (left > 0) this.#running.set(place, left)
    else this.#running.delete(place)
  }
}
