import { bitsPerSecond, bytes, millis, transmissionTime } from '../../relay/wire/units.ts'
import { PacketLoss } from './packet-loss.ts'
import type { Bytes, Millis } from '../../relay/wire/units.ts'
import type { DirectionProfile } from './profiles.ts'

/** Without reordering the delay moves from one random value to the next in no less than this. */
const SHORTEST_WANDER = millis(20)

/** What becomes of one packet. */
export type Fate = { readonly outcome: 'delivered'; readonly at: Millis } | { readonly outcome: 'lost' } | { readonly outcome: 'queue_full' }

const LOST: Fate = { outcome: 'lost' }
const QUEUE_FULL: Fate = { outcome: 'queue_full' }

/**
 * One direction of a line: a queue of bounded size that drops at its tail, a bottleneck, a propagation delay
 * that may wander, and loss behind the bottleneck (what is lost on the way has used the rate). Does no I/O and
 * reads no clock. `tc netem` decides on loss before its queue; under overload the two differ.
 */
export class LineDirection {
  readonly #random: () => number
  #profile: DirectionProfile
  #loss: PacketLoss
  #delay: () => Millis
  #queueLimit: Bytes
  /** When the bottleneck has sent all that it holds. */
  #freeAt = millis(-Infinity)
  #lastDelivery = millis(-Infinity)
  #now = millis(0)

  /** @param random - Uniform from 0 to 1; a seeded one makes every decision repeatable. */
  constructor(profile: DirectionProfile, random: () => number) {
    this.#random = random
    this.#profile = profile
    this.#loss = new PacketLoss(profile.loss, random)
    this.#delay = this.#chooseDelay(profile)
    this.#queueLimit = queueLimit(profile)
  }

  /**
   * From the next packet on the line is another. What it holds already keeps the departure it was given,
   * and nothing overtakes it unless the new line reorders.
   */
  change(profile: DirectionProfile): void {
    this.#profile = profile
    this.#loss = new PacketLoss(profile.loss, this.#random)
    this.#delay = this.#chooseDelay(profile)
    this.#queueLimit = queueLimit(profile)
  }

  /** How long a packet that came now would wait for its turn. */
  waiting(now: Millis): Millis {
    return millis(Math.max(0, this.#freeAt - now))
  }

  /**
   * Takes one packet.
   *
   * @param length - From the IP header on.
   * @param now - Never earlier than at the call before.
   */
  offer(length: Bytes, now: Millis): Fate {
    this.#now = now
    const sentAt = this.#serialise(length, now)
    if (sentAt === undefined) return QUEUE_FULL
    if (this.#loss.next()) return LOST
    const earliest = millis(sentAt + this.#delay())
    const at = this.#profile.reorders ? earliest : millis(Math.max(earliest, this.#lastDelivery))
    this.#lastDelivery = millis(Math.max(at, this.#lastDelivery))
    return { outcome: 'delivered', at }
  }

  /** When its last bit leaves the bottleneck; undefined when there is no room to wait. */
  #serialise(length: Bytes, now: Millis): Millis | undefined {
    const rate = this.#profile.rateBitsPerSecond
    if (rate === undefined) return now
    const start = millis(Math.max(now, this.#freeAt))
    const waiting = ((start - now) * rate) / 8000
    if (waiting + length > this.#queueLimit) return undefined
    this.#freeAt = millis(start + transmissionTime(length, bitsPerSecond(rate)))
    return this.#freeAt
  }

  #chooseDelay({ delayMillis, jitterMillis, reorders }: DirectionProfile): () => Millis {
    const draw = (): Millis => millis(Math.max(0, delayMillis + (2 * this.#random() - 1) * jitterMillis))
    if (jitterMillis === 0) return () => millis(delayMillis)
    return reorders ? draw : this.#wander(draw, millis(Math.max(SHORTEST_WANDER, 4 * jitterMillis)))
  }

  /**
   * A delay that moves along straight lines between random values. It never falls faster than time passes, so
   * nothing has to be held back to keep the order, however dense the packets: a delay drawn for each packet
   * and held back would settle at its largest value.
   */
  #wander(draw: () => Millis, step: Millis): () => Millis {
    let from = draw()
    let to = draw()
    let start = this.#now
    return () => {
      if (this.#now >= start + 2 * step) {
        // Nothing was sent for so long that where it came from no longer matters.
        from = draw()
        to = draw()
        start = this.#now
      } else if (this.#now >= start + step) {
        from = to
        to = draw()
        start = millis(start + step)
      }
      return millis(from + ((to - from) * (this.#now - start)) / step)
    }
  }
}

function queueLimit({ queue, rateBitsPerSecond = 0 }: DirectionProfile): Bytes {
  return bytes('bytes' in queue ? queue.bytes : Math.max(1500, (queue.millis * rateBitsPerSecond) / 8000))
}
