import { RelayFault } from '../../relay/wire/fault.ts'
import { SIGNALING_LIMITS } from '../../relay/wire/signaling.ts'
import { TokenBucket } from './token-bucket.ts'
import type { ClientRequest } from '../../relay/wire/signaling.ts'
import type { Millis } from '../../relay/wire/units.ts'

/**
 * Decides whether a socket's next request may be worked on. Keeps the socket's rate, its request ids,
 * its outstanding requests and its run of refused messages. Does no I/O and reads no clock.
 */
export class RequestGate {
  readonly #rate: TokenBucket
  #lastRequestId = -1
  #outstanding = 0
  #consecutiveFaults = 0

  constructor(now: Millis) {
    this.#rate = new TokenBucket(SIGNALING_LIMITS.requestsPerSecond, SIGNALING_LIMITS.requestBurst, now)
  }

  /** @throws {RelayFault} `rate_limited`. Called for every frame, before it is decoded. */
  countFrame(now: Millis): void {
    if (!this.#rate.take(now)) throw new RelayFault('rate_limited', 'too many messages per second')
  }

  /** @throws {RelayFault} `replayed` or `overloaded`. Each admitted request must be {@link finished}. */
  admit(request: ClientRequest): void {
    if (request.requestId <= this.#lastRequestId) throw new RelayFault('replayed', 'requestId must grow with every request')
    this.#lastRequestId = request.requestId
    if (this.#outstanding >= SIGNALING_LIMITS.outstandingRequests) {
      throw new RelayFault('overloaded', 'too many requests wait for their reply')
    }
    this.#outstanding++
  }

  /** An admitted request was answered. */
  finished(): void {
    this.#outstanding--
  }

  /** A message was in order. */
  succeeded(): void {
    this.#consecutiveFaults = 0
  }

  /** A message was refused. @returns Whether the socket has now used up its patience. */
  refused(): boolean {
    this.#consecutiveFaults++
    return this.#consecutiveFaults >= SIGNALING_LIMITS.consecutiveFaults
  }
}
