import { PART_FLAG } from '../carrier/frames.ts'

/** Flows of one link at most: renditions, voice, and what foreign agents may bring. */
const MAX_FLOWS = 1024
/** Packets of one flow that wait for an earlier one at most, and of all flows. */
const MAX_HELD = 4096
const MAX_HELD_IN_ALL = 32_768
/** Memory of those, in bytes. */
const MAX_HELD_BYTES = 48 * 1024 * 1024
/** A packet that was cut into parts has no more than these, and no more bytes: no datagram of an application's could carry it. */
const MAX_PARTS = 64
const MAX_CUT_BYTES = 65_535
/** Memory of packets of which the first parts came, in bytes. */
const MAX_BEGUN_BYTES = 16 * 1024 * 1024
const MODULUS = 0x1_0000

interface HeldPacket {
  readonly payload: Buffer
  /** Of the whole class. */
  readonly sequence: number
  /** Bits of `PART_FLAG`. */
  readonly parts: number
}

interface Flow {
  next: number
  /** The last sequence number in the class that was of this flow and that it went past. */
  last: number
  readonly held: Map<number, HeldPacket>
  /** The first parts of a packet that was cut to fit a path. */
  begun: Buffer[]
  begunBytes: number
}

/** Called for each packet, in the order in which its flow was sent. */
export type FlowSink = (flow: number, payload: Buffer) => void

/**
 * Hands over the packets of each flow of a live class in the order in which they were sent. A lost packet holds up
 * its own flow alone, and only until it comes or is given up. Does no I/O and reads no clock.
 */
export class FlowOrder {
  readonly #flows = new Map<number, Flow>()
  readonly #waiting = new Set<number>()
  readonly #sink: FlowSink
  #held = 0
  #heldBytes = 0
  #begunBytes = 0

  constructor(sink: FlowSink) {
    this.#sink = sink
  }

  /** Memory of what waits for something earlier, or for its rest. */
  get keptBytes(): number {
    return this.#heldBytes + this.#begunBytes
  }

  /**
   * Takes one packet.
   *
   * @param place - In its flow, modulo 2^16; the first is 0.
   * @param sequence - In its class.
   * @returns false when it is of no use: its flow went on without it, or is one too many.
   */
  push(flowId: number, place: number, sequence: number, payload: Buffer, parts: number): boolean {
    const flow = this.#flow(flowId)
    if (flow === undefined) return false
    const ahead = (place - flow.next + MODULUS) % MODULUS
    if (ahead >= MODULUS / 2) {
      if (sequence <= flow.last) return false
      // So many of the flow were lost in a row that places came round: only the class knows what is new.
      this.#abandon(flowId, flow, place)
    } else if (ahead > 0) {
      if (flow.held.size >= MAX_HELD) this.#skipTo(flowId, flow, firstHeld(flow))
      if (this.#held >= MAX_HELD_IN_ALL || this.#heldBytes + payload.length > MAX_HELD_BYTES) this.release(undefined)
      // It may have been waited for by nobody but those just let go.
      if (place !== flow.next) return this.#hold(flowId, flow, place, { payload, sequence, parts })
    }
    this.#emit(flowId, flow, payload, sequence, parts)
    if (flow.held.size > 0) this.#drain(flowId, flow)
    return true
  }

  /** What waits for nothing that may still come goes on. @param firstMissing - In the class; undefined: nothing is. */
  release(firstMissing: number | undefined): void {
    for (const flowId of this.#waiting) {
      const flow = this.#flows.get(flowId)
      if (flow === undefined) continue
      for (;;) {
        const place = firstHeld(flow)
        const held = place === undefined ? undefined : flow.held.get(place)
        if (held === undefined || (firstMissing !== undefined && held.sequence > firstMissing)) break
        this.#skipTo(flowId, flow, place)
      }
      if (flow.held.size === 0) this.#waiting.delete(flowId)
    }
  }

  #flow(id: number): Flow | undefined {
    let flow = this.#flows.get(id)
    if (flow === undefined && this.#flows.size < MAX_FLOWS) this.#flows.set(id, (flow = { next: 0, last: 0, held: new Map(), begun: [], begunBytes: 0 }))
    return flow
  }

  #hold(id: number, flow: Flow, place: number, packet: HeldPacket): boolean {
    // Letting others go may have gone past it; two packets for one place are a lie.
    if ((place - flow.next + MODULUS) % MODULUS >= MODULUS / 2 || flow.held.has(place)) return false
    this.#held++
    this.#heldBytes += packet.payload.length
    flow.held.set(place, packet)
    this.#waiting.add(id)
    return true
  }

  #skipTo(id: number, flow: Flow, place: number | undefined): void {
    if (place === undefined) return
    flow.next = place
    // What follows does not go on where the one begun ended.
    this.#forget(flow)
    this.#drain(id, flow)
  }

  /** What is held is of long ago. */
  #abandon(id: number, flow: Flow, place: number): void {
    this.#held -= flow.held.size
    for (const { payload } of flow.held.values()) this.#heldBytes -= payload.length
    flow.held.clear()
    this.#waiting.delete(id)
    this.#forget(flow)
    flow.next = place
  }

  #drain(id: number, flow: Flow): void {
    for (let held = flow.held.get(flow.next); held !== undefined; held = flow.held.get(flow.next)) {
      flow.held.delete(flow.next)
      this.#held--
      this.#heldBytes -= held.payload.length
      this.#emit(id, flow, held.payload, held.sequence, held.parts)
    }
    if (flow.held.size === 0) this.#waiting.delete(id)
  }

  #emit(id: number, flow: Flow, payload: Buffer, sequence: number, parts: number): void {
    flow.next = (flow.next + 1) % MODULUS
    flow.last = Math.max(flow.last, sequence)
    const isFirst = (parts & PART_FLAG.continuation) === 0
    // The rest of the one begun was lost.
    if (isFirst) this.#forget(flow)
    // The beginning of this one was lost.
    else if (flow.begun.length === 0) return
    if ((parts & PART_FLAG.continues) !== 0) this.#begin(flow, payload)
    else if (isFirst) this.#sink(id, payload)
    else {
      const whole = Buffer.concat([...flow.begun, payload])
      this.#forget(flow)
      this.#sink(id, whole)
    }
  }

  /** Keeps one more part; what is too much is forgotten, and its rest passed over. */
  #begin(flow: Flow, part: Buffer): void {
    const isTooMuch = flow.begun.length >= MAX_PARTS || flow.begunBytes + part.length > MAX_CUT_BYTES || this.#begunBytes + part.length > MAX_BEGUN_BYTES
    if (isTooMuch) {
      this.#forget(flow)
      return
    }
    flow.begun.push(part)
    flow.begunBytes += part.length
    this.#begunBytes += part.length
  }

  #forget(flow: Flow): void {
    if (flow.begun.length === 0) return
    this.#begunBytes -= flow.begunBytes
    flow.begun = []
    flow.begunBytes = 0
  }
}

/** The place of the held packet that comes first. */
function firstHeld({ next, held }: Flow): number | undefined {
  let first: number | undefined
  for (const place of held.keys()) {
    if (first === undefined || (place - next + MODULUS) % MODULUS < (first - next + MODULUS) % MODULUS) first = place
  }
  return first
}
