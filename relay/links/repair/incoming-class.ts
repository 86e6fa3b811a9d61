import { bytes } from '../../wire/units.ts'
import { unwrap32 } from '../carrier/datagram.ts'
import { LIVE_HEADER_BYTES, MESSAGE_HEADER_BYTES } from '../carrier/frames.ts'
import { FecDecoder } from './fec-decoder.ts'
import { SequenceTracker } from './sequence-tracker.ts'
import type { Millis } from '../../wire/units.ts'
import type { ParityFrame } from '../carrier/frames.ts'
import type { RecoveredPacket } from './fec-decoder.ts'
import type { RepairConditions, RepairStep } from './sequence-tracker.ts'

/** Longest body of a data frame that parity may cover. */
export const MAX_PROTECTED_BYTES = bytes(1600)
/** Packets of a class that parity may still reach: half a second of 100 Mbit/s. */
const FEC_WINDOW = 4096
const FEC_BLOCKS = 128
/** Without parity for so long, none is expected, and packets are not kept for it. */
const FEC_MEMORY = 2000

/** The far end is told so often what came last: whoever waits for room must hear of it. */
const TELLINGS = 3

/** What a class counted on its way in. */
export interface IncomingCounts {
  /** Handed over. */
  packets: number
  bytes: number
  retransmittedPackets: number
  retransmittedBytes: number
  fecPackets: number
  fecBytes: number
  fecRecoveredPackets: number
  deadlineMisses: number
  /** Fragments and headers that did not add up. */
  malformed: number
}

/** What to do with a body whose turn it is. `isWhole` is false when its header is too short. */
export interface BodySink {
  /** @param body - With the header of its class. @returns false when it is of no use any more. */
  take(sequence: number, body: Buffer): boolean
  /** Everything below `firstMissing` came or was given up; undefined: everything. */
  release(firstMissing: number | undefined): void
}

/**
 * What one class receives: takes packets once, asks for missing ones, recovers them from parity, gives up in time.
 * Does no I/O and reads no clock.
 */
export class IncomingClass {
  readonly tracker = new SequenceTracker()
  readonly counts: IncomingCounts = { packets: 0, bytes: 0, retransmittedPackets: 0, retransmittedBytes: 0, fecPackets: 0, fecBytes: 0, fecRecoveredPackets: 0, deadlineMisses: 0, malformed: 0 }
  readonly #sink: BodySink
  readonly #headerBytes: number
  #decoder: FecDecoder | undefined
  #parityAt = -Infinity
  /** Times that the far end is still to be told what came last. */
  #untold = 0

  constructor(sink: BodySink, isLive: boolean) {
    this.#sink = sink
    this.#headerBytes = isLive ? LIVE_HEADER_BYTES : MESSAGE_HEADER_BYTES
  }

  /** Whether the far end may not have heard yet what came last. */
  get hasNews(): boolean {
    return this.#untold > 0
  }

  /** The far end was told. */
  told(): void {
    this.#untold = Math.max(0, this.#untold - 1)
  }

  /** Takes one packet. The body is kept. */
  received(wire: number, body: Buffer, path: number, isAgain: boolean, isSpread: boolean, now: Millis): void {
    if (body.length <= this.#headerBytes) {
      this.counts.malformed++
      return
    }
    if (isAgain) {
      this.counts.retransmittedPackets++
      this.counts.retransmittedBytes += body.length
    }
    const sequence = this.tracker.received(wire, path, isAgain, isSpread, now)
    if (sequence === undefined) return
    this.#take(sequence, body)
    if (this.#decoder !== undefined) this.#protect(sequence, body, now)
    this.#sink.release(this.tracker.firstMissing)
  }

  /** Takes one parity packet. */
  parity({ firstSequence, symbol, ...rest }: ParityFrame, now: Millis): void {
    this.counts.fecPackets++
    this.counts.fecBytes += symbol.length
    this.#parityAt = now
    this.#decoder ??= new FecDecoder({ maxBodyLength: MAX_PROTECTED_BYTES, sourceWindow: FEC_WINDOW, maxBlocks: FEC_BLOCKS })
    this.#recover(this.#decoder.receivedParity({ ...rest, symbol, firstSequence: unwrap32(firstSequence, this.tracker.highest) }))
  }

  /** The far end says what it sent last. */
  tail(wire: number, path: number, now: Millis): void {
    this.tracker.tail(wire, path, now)
  }

  /** Decides what to ask for and what to give up. */
  step(now: Millis, conditions: RepairConditions): RepairStep {
    if (this.#decoder !== undefined && now - this.#parityAt > FEC_MEMORY) this.#decoder = undefined
    const step = this.tracker.step(now, conditions)
    if (step.givenUp > 0) {
      this.counts.deadlineMisses += step.givenUp
      this.#sink.release(this.tracker.firstMissing)
    }
    return step
  }

  #take(sequence: number, body: Buffer): void {
    this.#untold = TELLINGS
    if (!this.#sink.take(sequence, body)) {
      this.counts.deadlineMisses++
      return
    }
    this.counts.packets++
    this.counts.bytes += body.length - this.#headerBytes
  }

  #protect(sequence: number, body: Buffer, now: Millis): void {
    if (now - this.#parityAt > FEC_MEMORY || this.#decoder === undefined || body.length > MAX_PROTECTED_BYTES) return
    this.#recover(this.#decoder.receivedSource(sequence, body))
  }

  #recover(recovered: readonly RecoveredPacket[]): void {
    let count = 0
    for (const { sequence, body } of recovered) {
      if (!this.tracker.recovered(sequence) || body.length <= this.#headerBytes) continue
      count++
      this.#take(sequence, Buffer.from(body.buffer, body.byteOffset, body.length))
    }
    if (count === 0) return
    this.counts.fecRecoveredPackets += count
    this.#sink.release(this.tracker.firstMissing)
  }
}
