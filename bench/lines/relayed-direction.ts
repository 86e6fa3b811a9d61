import { bytes, millis } from '../../relay/wire/units.ts'
import { DepartureQueue } from './departure-queue.ts'
import { Lateness } from './lateness.ts'
import { LineDirection } from './line-direction.ts'
import type { Millis } from '../../relay/wire/units.ts'
import type { LineCounts } from './line-counts.ts'
import type { DirectionProfile } from './profiles.ts'

/** Around each IP packet in a VXLAN datagram: the VXLAN header and the inner Ethernet header. @see RFC 7348 section 5 */
const ENCAPSULATION_BYTES = 8 + 14
/** On their way at any one time, in one direction: 100 Mbit/s of full packets for four seconds, 50 MB. */
const PACKETS_IN_FLIGHT = 32_768

/** One direction of one line at work: takes VXLAN datagrams as they come, and gives them on when they are due. */
export class RelayedDirection {
  readonly #direction: LineDirection
  #flight = new DepartureQueue<Buffer>(PACKETS_IN_FLIGHT)
  #isCut = false
  readonly #lateness = new Lateness()
  readonly #send: (datagram: Buffer) => void
  readonly #counts = { packets: 0, bytes: 0, lost: 0, queueFull: 0, delivered: 0, deliveredBytes: 0 }

  constructor(profile: DirectionProfile, random: () => number, send: (datagram: Buffer) => void) {
    this.#direction = new LineDirection(profile, random)
    this.#send = send
  }

  change(profile: DirectionProfile): void {
    this.#direction.change(profile)
  }

  /** While it is cut, and with it what was on its way, everything is lost. */
  cut(isCut: boolean): void {
    this.#isCut = isCut
    if (!isCut) return
    this.#counts.lost += this.#flight.size
    this.#flight = new DepartureQueue<Buffer>(PACKETS_IN_FLIGHT)
  }

  take(datagram: Buffer, now: Millis): void {
    const counts = this.#counts
    const length = bytes(Math.max(0, datagram.length - ENCAPSULATION_BYTES))
    counts.packets++
    counts.bytes += length
    if (this.#isCut) {
      counts.lost++
      return
    }
    const fate = this.#direction.offer(length, now)
    if (fate.outcome === 'lost') counts.lost++
    else if (fate.outcome === 'queue_full' || !this.#flight.push(fate.at, datagram)) counts.queueFull++
  }

  nextAt(): number {
    return this.#flight.nextAt
  }

  release(now: Millis): void {
    for (let due = this.#flight.shift(now); due !== undefined; due = this.#flight.shift(now)) {
      this.#send(due.item)
      this.#counts.delivered++
      this.#counts.deliveredBytes += due.item.length - ENCAPSULATION_BYTES
      this.#lateness.record(millis(performance.now() - due.at))
    }
  }

  /** @param overruns - What the kernel dropped at the socket in front of this direction. */
  counts(overruns: number): LineCounts {
    return { ...this.#counts, overruns, lateness: this.#lateness.summary() }
  }
}
