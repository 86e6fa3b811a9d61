/** In front of every live packet that a link end sends: when it was sent, its frame, its place in that, and whether it is the last. */
export const STAMP_BYTES = 8 + 4 + 2 + 1

/** Writes the stamp. */
export function writeStamp(target: Buffer, sentAt: number, frame: number, place: number, isLast: boolean): void {
  target.writeDoubleBE(sentAt, 0)
  target.writeUInt32BE(frame, 8)
  target.writeUInt16BE(place, 12)
  target.writeUInt8(isLast ? 1 : 0, 14)
}

interface Begun {
  frame: number
  next: number
}

/** Tells which frames of flows, whose packets come in order, are whole. */
export class FrameContinuity {
  readonly #begun = new Map<number, Begun>()

  /** Takes a packet. @returns When its frame's last packet was sent, if the frame is whole with it. */
  push(flow: number, packet: Buffer): number | undefined {
    const frame = packet.readUInt32BE(8)
    const place = packet.readUInt16BE(12)
    let begun = this.#begun.get(flow)
    if (begun === undefined) this.#begun.set(flow, (begun = { frame: -1, next: 0 }))
    if (frame !== begun.frame) {
      begun.frame = frame
      begun.next = 0
    }
    if (place !== begun.next) {
      // Nothing that follows can make it whole.
      begun.next = -1
      return undefined
    }
    begun.next++
    return packet.readUInt8(14) === 1 ? packet.readDoubleBE(0) : undefined
  }
}
