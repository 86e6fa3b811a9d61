import { PART_FLAG } from '../carrier/frames.ts'

/** Flows of one link at most: renditions, voice, and what foreign agents may bring. */
const MAX_FLOWS = 1024
/** Packets of one flow that wait for an earlier one at most, and of all flows. */
const MAX_HELD = 4096
const MAX_HELD_IN_ALL = 32_768
/** Parts that a packet was cut into at most. */
const MAX_PARTS = 64
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
  #late = 0
  #held = 0

  constructor(sink: FlowSink) {
    this.#sink = sink
  }

  /** Packets that came after their flow had gone on without them, since the last call. */
  takeLate(): number {
    const late = this.#late
    this.#late = 0
    return late
  }

  /**
   * Takes one packet.
   *
   * @param place - In its flow, modulo 2^16; the first is 0.
   * @param sequence - In its class.
   */
  push(flowId: number, place: number, sequence: number, payload: Buffer, parts: number): void {
    const flow = this.#flow(flowId)
    if (flow === undefined) return
    const ahead = (place - flow.next + MODULUS) % MODULUS
    if (ahead >= MODULUS / 2) {
      if (sequence <= flow.last) {
        this.#late++
        return
      }
      // So many of the flow were lost in a row that places came round: only the class knows what is new.
      this.#abandon(flowId, flow, place)
    } else if (ahead > 0) {
      if (flow.held.size >= MAX_HELD) this.#skipTo(flowId, flow, firstHeld(flow))
      if (this.#held >= MAX_HELD_IN_ALL) this.release(undefined)
      if (!flow.held.has(place)) this.#held++
      flow.held.set(place, { payload, sequence, parts })
      this.#waiting.add(flowId)
      return
    }
    this.#emit(flowId, flow, payload, sequence, parts)
    if (flow.held.size > 0) this.#drain(flowId, flow)
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
    if (flow === undefined && this.#flows.size < MAX_FLOWS) this.#flows.set(id, (flow = { next: 0, last: 0, held: new Map(), begun: [] }))
    return flow
  }

  #skipTo(id: number, flow: Flow, place: number | undefined): void {
    if (place === undefined) return
    flow.next = place
    // What follows does not go on where the one begun ended.
    flow.begun = []
    this.#drain(id, flow)
  }

  /** What is held is of long ago. */
  #abandon(id: number, flow: Flow, place: number): void {
    this.#held -= flow.held.size
    flow.held.clear()
    this.#waiting.delete(id)
    flow.begun = []
    flow.next = place
  }

  #drain(id: number, flow: Flow): void {
    for (let held = flow.held.get(flow.next); held !== undefined; held = flow.held.get(flow.next)) {
      flow.held.delete(flow.next)
      this.#held--
      this.#emit(id, flow, held.payload, held.sequence, held.parts)
    }
    if (flow.held.size === 0) this.#waiting.delete(id)
  }

  #emit(id: number, flow: Flow, payload: Buffer, sequence: number, parts: number): void {
    flow.next = (flow.next + 1) % MODULUS
    flow.last = Math.max(flow.last, sequence)
    const isFirst = (parts & PART_FLAG.continuation) === 0
    const begun = flow.begun
    // The rest of the one begun was lost.
    if (isFirst && begun.length > 0) flow.begun = []
    // The beginning of this one was lost.
    if (!isFirst && begun.length === 0) return
    if (begun.length >= MAX_PARTS) {
      flow.begun = []
      return
    }
    if ((parts & PART_FLAG.continues) !== 0) {
      flow.begun = isFirst ? [payload] : [...begun, payload]
      return
    }
    flow.begun = []
    this.#sink(id, isFirst ? payload : Buffer.concat([...begun, payload]))
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
