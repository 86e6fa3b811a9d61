import { bitsPerSecond, millis, transmissionTime } from '../../relay/wire/units.ts'
import { LineDirection } from '../lines/line-direction.ts'
import type { DirectionProfile } from '../lines/profiles.ts'
import type { Bytes, Millis } from '../../relay/wire/units.ts'
import type { LineProfile } from '../lines/profiles.ts'
import type { VirtualTime } from './virtual-time.ts'

/** A direction of a line, as {@link DirectionProfile} reads it. */
export type DirectionInput = Parameters<typeof DirectionProfile.parse>[0]

/** What a flow asks of a line: when each of its datagrams arrives there, or back here; `Infinity` if it never does. */
export type SharedLine = Pick<Bottleneck, 'send' | 'reply'>

/** A line under simulation that several flows share: one bottleneck on the way there, the way back, and a record of the queue. */
export class Bottleneck {
  readonly #time: VirtualTime
  readonly #there: LineDirection
  readonly #back: LineDirection
  #profile: DirectionProfile
  #freeAt = 0

  /** @param random - Uniform from 0 to 1; seeded, the run can be repeated. */
  constructor(time: VirtualTime, line: Pick<LineProfile, 'up' | 'down'>, random: () => number) {
    this.#time = time
    this.#profile = line.up
    this.#there = new LineDirection(line.up, random)
    this.#back = new LineDirection(line.down, random)
  }

  /** From the next datagram on, the way there is another. */
  change(profile: DirectionProfile): void {
    this.#profile = profile
    this.#there.change(profile)
  }

  /** How long a datagram that came now would wait for its turn. */
  get queueingDelay(): Millis {
    return millis(Math.max(0, this.#freeAt - this.#time.now))
  }

  /** Sends one datagram there. @returns When it arrives; `Infinity` if it never does. */
  send(size: Bytes): Millis {
    const now = this.#time.now
    const fate = this.#there.offer(size, now)
    if (fate.outcome === 'queue_full') return millis(Infinity)
    const rate = this.#profile.rateBitsPerSecond
    if (rate !== undefined) this.#freeAt = Math.max(now, this.#freeAt) + transmissionTime(size, bitsPerSecond(rate))
    return fate.outcome === 'delivered' ? fate.at : millis(Infinity)
  }

  /** Sends one datagram back. @returns When it arrives; `Infinity` if it never does. */
  reply(size: Bytes): Millis {
    const fate = this.#back.offer(size, this.#time.now)
    return fate.outcome === 'delivered' ? fate.at : millis(Infinity)
  }
}
