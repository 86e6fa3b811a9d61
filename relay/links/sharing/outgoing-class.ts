import { millis } from '../../wire/units.ts'
import { DATA_FLAG } from '../carrier/frames.ts'
import { unwrap32 } from '../carrier/datagram.ts'
import type { Millis } from '../../wire/units.ts'
import type { RequestFrame } from '../carrier/frames.ts'
import type { OutgoingPacket, PacketQueue } from './packet-queue.ts'

/** Rounds of requests are counted up to here on the wire; whoever is still asking then is answered every time. */
const LAST_ROUND = 255

/** From the first sending of what has no further chance to the second: so many packets later that one burst of losses does not take both. */
const ENCORE_AFTER = millis(5)
const MAX_ENCORES = 1024

/** What repair has to reckon with. */
export interface RepairTimes {
  /** From here to there. */
  readonly oneWay: Millis
  /** From one request for a packet to the next. */
  readonly round: Millis
}

/** What a class counted on its way out. */
export interface OutgoingCounts {
  packets: number
  bytes: number
  retransmittedPackets: number
  retransmittedBytes: number
  /** Requests that came too late to be answered. */
  deadlineMisses: number
}

/**
 * What one class sends: numbers packets as they are first sent, and keeps them for as long as they may be asked for
 * again. What is kept is bounded by the budget, or by the window of what is under way: by rate times round trip, not
 * by a constant. Does no I/O and reads no clock.
 */
export class OutgoingClass<Queue extends PacketQueue> {
  readonly queue: Queue
  readonly counts: OutgoingCounts = { packets: 0, bytes: 0, retransmittedPackets: 0, retransmittedBytes: 0, deadlineMisses: 0 }
  #again: OutgoingPacket[] = []
  /** What has no further chance is sent once more, a little later. */
  #encores: { readonly packet: OutgoingPacket; readonly at: Millis }[] = []
  readonly #store = new Map<number, OutgoingPacket>()
  #sequence = 0
  #acknowledged = 0
  /** From its first sending a packet may be sent again for so long. */
  #usefulFor = Infinity

  constructor(queue: Queue) {
    this.queue = queue
  }

  /** The highest sequence number that was sent. The first is 1. */
  get sequence(): number {
    return this.#sequence
  }

  /** Sent, and neither acknowledged nor forgotten. */
  get storedPackets(): number {
    return this.#store.size
  }

  /** Whether something was asked for again that has not been sent yet. */
  get hasRequests(): boolean {
    return this.#again.length > 0
  }

  /** Whether {@link next} would return something. @param window - Packets that may be under way. */
  hasWork(window: number): boolean {
    return this.#again.length > 0 || (!this.queue.isEmpty && this.#store.size < window)
  }

  /** The packet to send: what was asked for again first. @param room - For its body, in bytes. */
  next(room: number, now: Millis): OutgoingPacket | undefined {
    for (let again = this.#again.shift(); again !== undefined; again = this.#again.shift()) {
      again.isAsked = false
      // Where there is little room it has waited here, too.
      if (now - again.sentAt > this.#usefulFor) {
        this.counts.deadlineMisses++
        continue
      }
      again.flags |= DATA_FLAG.again
      this.counts.retransmittedPackets++
      this.counts.retransmittedBytes += again.body.length
      return again
    }
    const packet = this.queue.take(room, now)
    if (packet === undefined) return undefined
    packet.sequence = ++this.#sequence
    packet.sentAt = now
    this.#store.set(packet.sequence, packet)
    this.counts.packets++
    this.counts.bytes += packet.body.length
    return packet
  }

  /**
   * Does what is due.
   *
   * @param usefulFor - From its first sending a packet may be sent again for so long; Infinity: always.
   * @param keptFor - After that it is forgotten: at least as long, and longer where it may yet be sent on a slower path.
   */
  step(usefulFor: number, now: Millis, keptFor = usefulFor): void {
    this.#usefulFor = usefulFor
    for (let encore = this.#encores[0]; encore !== undefined && encore.at <= now; encore = this.#encores[0]) {
      this.#encores.shift()
      if (encore.packet.isAsked) continue
      encore.packet.isAsked = true
      this.#again.push(encore.packet)
    }
    if (keptFor === Infinity) return
    for (const [sequence, packet] of this.#store) {
      if (now - packet.sentAt <= keptFor) return
      this.#store.delete(sequence)
    }
  }

  /** A path is gone, and with it perhaps all that left on it since: it is sent again unasked. */
  resend(path: number, since: Millis): void {
    for (const packet of this.#store.values()) {
      if (packet.path !== path || packet.sentAt < since || packet.isAsked) continue
      packet.isAsked = true
      this.#again.push(packet)
    }
  }

  /**
   * The far end says what it wants again. A packet that could not arrive within the budget is not sent.
   *
   * @param budget - From first sending, Infinity where a packet is always of use.
   * @returns Up to which number all arrived; undefined when the frame speaks of what was never sent.
   */
  requested({ cumulative, highest, ranges }: RequestFrame, times: RepairTimes, budget: number, now: Millis): number | undefined {
    const known = unwrap32(cumulative, this.#sequence)
    if (known > this.#sequence || unwrap32(highest, this.#sequence) > this.#sequence) return undefined
    for (const { first, count, round } of ranges) {
      const from = unwrap32(first, this.#sequence)
      if (from + count - 1 > this.#sequence) return undefined
      for (let sequence = from; sequence < from + count; sequence++) this.#ask(sequence, round, times, budget, now)
    }
    if (budget !== Infinity) return known
    for (; this.#acknowledged < known; this.#acknowledged++) this.#store.delete(this.#acknowledged + 1)
    return known
  }

  #ask(sequence: number, round: number, times: RepairTimes, budget: number, now: Millis): void {
    const packet = this.#store.get(sequence)
    if (packet === undefined) {
      if (sequence > this.#acknowledged) this.counts.deadlineMisses++
      return
    }
    if (round <= packet.round || packet.isAsked) return
    packet.round = Math.min(round, LAST_ROUND - 1)
    const arrivesAfter = now - packet.sentAt + times.oneWay
    if (arrivesAfter > budget) {
      this.counts.deadlineMisses++
      return
    }
    packet.isAsked = true
    this.#again.push(packet)
    const isLastChance = arrivesAfter + times.round > budget
    if (isLastChance && this.#encores.length < MAX_ENCORES) this.#encores.push({ packet, at: millis(now + ENCORE_AFTER) })
  }
}
