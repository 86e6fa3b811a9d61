import { DATAGRAM_OVERHEAD } from '../../relay/links/carrier/datagram.ts'
import { bytes, millis } from '../../relay/wire/units.ts'
import { LineDirection } from '../lines/line-direction.ts'
import type { Bytes, Millis } from '../../relay/wire/units.ts'
import type { DirectionProfile } from '../lines/profiles.ts'
import type { VirtualTime } from './virtual-time.ts'

/** What is common to datagrams and is not in their plaintext, in bytes. */
export const AROUND_PLAINTEXT = DATAGRAM_OVERHEAD - 4

/** One direction of one path of a simulated link. */
export class SimulatedDirection {
  to: (number: number, plaintext: Buffer) => void = () => undefined
  /** Everything is lost while it is. */
  isCut = false
  /** Longer IP packets vanish. */
  mtu = Infinity
  packets = 0
  bytes = 0
  delivered = 0
  /** On the line, or by a cut or the MTU. */
  lost = 0
  /** For want of room in front of the bottleneck. */
  overflowed = 0
  readonly #time: VirtualTime
  readonly #line: LineDirection

  constructor(time: VirtualTime, line: LineDirection) {
    this.#time = time
    this.#line = line
  }

  static of(time: VirtualTime, profile: DirectionProfile, random: () => number): SimulatedDirection {
    return new SimulatedDirection(time, new LineDirection(profile, random))
  }

  /** The same line for another link. */
  share(): SimulatedDirection {
    return new SimulatedDirection(this.#time, this.#line)
  }

  change(profile: DirectionProfile): void {
    this.#line.change(profile)
  }

  /** How long a datagram that came now would wait for the bottleneck. */
  get queueingDelay(): Millis {
    return this.#line.waiting(this.#time.now)
  }

  /** A datagram of somebody else's. @returns When it arrives; `Infinity` if it never does. */
  offer(size: Bytes): Millis {
    const fate = this.#line.offer(size, this.#time.now)
    return fate.outcome === 'delivered' ? fate.at : millis(Infinity)
  }

  send(number: number, plaintext: Buffer): void {
    const size = plaintext.length + AROUND_PLAINTEXT
    this.packets++
    this.bytes += size
    const fate = this.#line.offer(bytes(size), this.#time.now)
    if (fate.outcome === 'queue_full') this.overflowed++
    if (fate.outcome === 'lost') this.lost++
    if (fate.outcome !== 'delivered') return
    if (this.isCut || size > this.mtu) {
      this.lost++
      return
    }
    this.#time.at(fate.at, () => {
      if (this.isCut) {
        this.lost++
        return
      }
      this.delivered++
      this.to(number, plaintext)
    })
  }
}
